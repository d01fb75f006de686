"""A world with a course for any config, which random forests predict from the recorded ones, with a realistic error.

There is a forest for the value at each of a few points of a training, and one for the seconds of an epoch. Between the
points a course is linear. An error is added to the prediction: the one that the forests made on a recorded curve, epoch
by epoch and on each half of the images. That curve is drawn at random from those with about the same predicted final
value. So a config has luck that both halves share, and each half has noise of its own. The errors are those of trees
that did not see the curve.

Beyond the recorded ranges, a forest predicts the same as at their ends. This flatters the old search, whose space has
learning rates at which nets diverge.
"""

import math
from functools import cache, cached_property

import numpy as np
from scipy.stats import spearmanr

from benchmarks.curves.table import Curve, Table
from benchmarks.replay.contract import Training
from benchmarks.replay.features import ConfigEncoder
from benchmarks.replay.halves import Splits, best_and_blind
from benchmarks.replay.spaces import space_of
from benchmarks.replay.trees import Forests
from benchmarks.replay.uniform import UniformTrial
from benchmarks.replay.worlds import WorldKind, Worlds
from sweep.trainable.config import TrialConfig

PARTS = (9, 3, 3 / 2, 1)  # besides the first epoch, the points are the number of epochs divided by each of these
SHOWN_POINTS = ("one epoch", "a ninth", "a third", "two thirds", "all")
ALIKE_SHARE = 0.1  # the error comes from one of this share of curves, those with the nearest predicted final values


class Surrogate:
    """The forests of a table, which do not depend on how its images are halved."""

    def __init__(self, table: Table) -> None:
        self.splits = Splits(table)
        self.space = space_of(table.about)
        self.chance = 1 / table.about.classes
        self._curves = self.splits.curves
        self._features = ConfigEncoder([curve.config for curve in self._curves])

    def predict(self, config: TrialConfig) -> tuple[np.ndarray, float]:
        """Returns (epochs,) values without any error, and the logarithm of the seconds of an epoch."""
        predictions = self._forests.predict(self._features.vector(config.to_dict()))
        return course(predictions[:-1], config.epochs), float(predictions[-1])

    def row_alike(self, final: float, luck: float) -> int:
        """Returns the number of a curve with about the same predicted final value.

        Args:
          luck: in [0, 1), which chooses among such curves.
        """
        count = max(1, round(ALIKE_SHARE * len(self._curves)))
        place = int(np.searchsorted(self._finals, final)) - count // 2
        return int(self._rows_by_final[min(max(place, 0), len(self._curves) - count) + int(luck * count)])

    def errors(self, values: list[np.ndarray]) -> list[np.ndarray]:
        """Returns (2, epochs) for each curve: how much better it was than predicted, on each half of the images.

        Args:
          values: (2, epochs) of each curve, up to where it diverged.
        """
        return [
            padded(each, curve.config["epochs"], self.chance) - course(predictions[:-1], curve.config["epochs"])
            for each, curve, predictions in zip(values, self._curves, self._forests.out_of_bag, strict=True)
        ]

    def explained(self) -> list[float]:
        """Returns the share of the values' variance at each point that the forests explain, out of bag."""
        targets, predictions = self._targets[:, :-1], self._forests.out_of_bag[:, :-1]
        shares: np.ndarray = 1 - ((targets - predictions) ** 2).mean(axis=0) / targets.var(axis=0)
        return shares.tolist()

    def rank_correlation(self) -> float:
        """Returns Spearman's correlation of the final values with the forests' out-of-bag predictions."""
        return float(spearmanr(self._targets[:, -2], self._forests.out_of_bag[:, -2]).statistic)

    @cached_property
    def log_seconds_errors(self) -> np.ndarray:
        """For each row, (rows,), how much larger than predicted the logarithm of the seconds of an epoch was."""
        errors: np.ndarray = self._targets[:, -1] - self._forests.out_of_bag[:, -1]
        return errors

    @cached_property
    def _forests(self) -> Forests:
        return Forests(np.stack([self._features.vector(curve.config) for curve in self._curves]), self._targets)

    @cached_property
    def _targets(self) -> np.ndarray:
        return np.stack([self._target(curve) for curve in self._curves])

    def _target(self, curve: Curve) -> np.ndarray:
        epochs = curve.config["epochs"]
        values = padded(curve.accuracies[None], epochs, self.chance)[0]
        return np.array([*values[points(epochs) - 1], math.log(curve.seconds.mean())])

    @cached_property
    def _rows_by_final(self) -> np.ndarray:
        return np.argsort(self._forests.out_of_bag[:, -2], kind="stable")

    @cached_property
    def _finals(self) -> np.ndarray:
        finals: np.ndarray = self._forests.out_of_bag[self._rows_by_final, -2]
        return finals


def points(epochs: int) -> np.ndarray:
    """Returns the epochs, from 1, at which there is a forest; several may be the same."""
    return np.array([1, *(math.ceil(epochs / part) for part in PARTS)])


def course(values: np.ndarray, epochs: int) -> np.ndarray:
    """Returns (epochs,) values that are linear between the points; of points at the same epoch, the last counts."""
    values_at = dict(zip(points(epochs).tolist(), values.tolist(), strict=True))
    return np.interp(np.arange(1, epochs + 1), list(values_at), list(values_at.values()))


def padded(values: np.ndarray, epochs: int, chance: float) -> np.ndarray:
    """Returns (..., epochs) values, which are the chance level after a net has diverged."""
    missing_epochs = epochs - values.shape[-1]
    return np.concatenate([values, np.full((*values.shape[:-1], missing_epochs), chance)], axis=-1)


class Forest:
    """The world of one replay, whose seed decides the errors of the trials and the configs of the shared order."""

    size: int | None = None

    def __init__(self, surrogate: Surrogate, seed: int, half: int) -> None:
        self._surrogate, self._seed, self._half = surrogate, seed, half
        values = surrogate.splits.values(seed)
        self._errors = surrogate.errors(values)
        self.best, self.blind = best_and_blind(values, half)
        self._common: dict[int, Training] = {}

    def training(self, number: int, config: TrialConfig | None) -> Training:
        """Returns the predicted course of a trial."""
        if config is not None:
            return self._predict(number, config)
        if number not in self._common:
            trial = UniformTrial(np.random.default_rng([self._seed, number, 0]))
            self._common[number] = self._predict(number, self._surrogate.space.config(trial))
        return self._common[number]

    def _predict(self, number: int, config: TrialConfig) -> Training:
        values, log_seconds = self._surrogate.predict(config)
        row = self._surrogate.row_alike(values[-1], np.random.default_rng([self._seed, number, 1]).random())
        errors = self._errors[row]
        last = errors.shape[1] - 1
        columns = np.rint(np.linspace(0, last, config.epochs)).astype(int) if config.epochs > 1 else np.array([last])
        seen, scored = np.clip(values + errors[:, columns], 0.0, 1.0)[[self._half, 1 - self._half]]
        seconds = math.exp(log_seconds + self._surrogate.log_seconds_errors[row])
        return Training(config.to_dict(), seen, scored, np.full(config.epochs, seconds))


surrogate_of = cache(Surrogate)


def known(table: Table) -> dict[str, float]:
    """Returns figures of how well the forests predict configs that they have not seen."""
    surrogate = surrogate_of(table)
    shares = zip(SHOWN_POINTS, surrogate.explained(), strict=True)
    correlation = {"rank correlation of the final values": surrogate.rank_correlation()}
    return {f"variance explained after {point}": share for point, share in shares} | correlation


def new(table: Table) -> Worlds:
    """Returns the function that makes worlds with this table's forests."""
    surrogate = surrogate_of(table)
    return lambda seed, half: Forest(surrogate, seed, half)


KIND = WorldKind(
    "random forests", new, takes_configs=True, reference="old_search", judged="promoting_search", known=known
)
