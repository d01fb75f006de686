"""What labels images: one trained model, or several whose predictions are averaged."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from sweep.analysis.estimates.adjustments.contract import Fitted
from sweep.analysis.estimates.choice import Option, adjusted, averaged, choose
from sweep.analysis.estimates.ensembles import ensembles
from sweep.analysis.estimates.ensembles.contract import Ensembles
from sweep.analysis.estimates.views import Answering, by_batch
from sweep.analysis.outputs.best import read_best
from sweep.analysis.outputs.trained import Trained, trained
from sweep.analysis.record import Record
from sweep.datasets.decoders.recipe import Decoding
from sweep.datasets.pixels import Pixels
from sweep.storage import paths
from sweep.storage.errors import SweepError
from sweep.storage.files import DamagedError
from sweep.storage.programs import spelled
from sweep.storage.states import State
from sweep.storage.text import counted

Asked = tuple[Trained, bool]  # a model of one net, and whether it is averaged over its views


@dataclass(frozen=True)
class Predictor:
    """Attributes:
    label: what it is, in words.
    models: each with how often it counts.
    is_averaged: each over the flips and transposes that it trained with.
    ensembles: how what they say becomes one; of a single model nothing does.
    fitted: how what they say is adjusted; None where it is taken as it is.
    """

    label: str
    models: tuple[tuple[Trained, int], ...]
    is_averaged: bool = False
    ensembles: Ensembles = field(default_factory=partial(ensembles, 1))
    fitted: Fitted | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        return self.models[0][0].classes

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.models[0][0].image_size

    @property
    def decoding(self) -> Decoding:
        """How the images are decoded."""
        return self.models[0][0].decoding

    def probabilities(self, images: Pixels) -> np.ndarray:
        """(N, classes), rows that add up to 1, of (N, 3, H, W) uint8 pixels.

        Raises:
          ImageError: they are not such images of the models' size, `analysis.outputs.trained`.
        """
        return probabilities([self], images)[0]

    def answers(self, shares: np.ndarray) -> np.ndarray:
        """(N,) the number of the class that each image is said to have, of its (N, classes) probabilities."""
        return shares.argmax(axis=1) if self.fitted is None else self.fitted.answers(shares)

    def scored(self, shares: np.ndarray) -> np.ndarray:
        """(N, classes) probabilities that a metric is computed of, given its own: the largest is the answer."""
        return shares if self.fitted is None else self.fitted.scored(shares)

    def _of_batch(self, logs: Mapping[Asked, np.ndarray]) -> np.ndarray:
        """The probabilities of the images of which each net of each model has these log probabilities."""
        part, members = self.ensembles.part, sum(count for _, count in self.models)
        of_models = {
            model: np.mean([np.exp(logs[net, self.is_averaged]) for net in model.nets], axis=0)
            for model, _ in self.models
        }
        parts = [count * part(of_models[model].T) for model, count in self.models]
        shares = np.ascontiguousarray(self.ensembles.whole(np.sum(parts, axis=0), members).T)
        shares /= shares.sum(axis=1, keepdims=True)
        return shares if self.fitted is None else self.fitted.told(shares)


def probabilities(predictors: Sequence[Predictor], images: Pixels) -> list[np.ndarray]:
    """What each of several predictors says of the images, `Predictor.probabilities`; each model sees them once.

    Beside what is returned, no more than a batch of images is held at a time.

    Raises:
      ImageError: they are not images of the models' size.
    """
    asked: dict[Asked, Answering] = {}
    for predictor in predictors:
        for net in (net for model, _ in predictor.models for net in model.nets):
            key = net, predictor.is_averaged
            asked[key] = asked.get(key) or net.answering(images, predictor.is_averaged, asked.values())
    batches = [
        [predictor._of_batch(dict(zip(asked, found, strict=True))) for predictor in predictors]
        for found in by_batch(list(asked.values()), images)
    ]
    return [np.concatenate(shares) for shares in zip(*batches, strict=True)]


def chosen(record: Record) -> Predictor:
    """What the corrected estimate says is best.

    Raises:
      SweepError: no trial is COMPLETE, or the weights of a member are not there or damaged.
    """
    choice = choose(record)
    return of_option(record, choice.chosen) if choice else best(record.folder)


def rivals(record: Record, model: Predictor) -> list[Predictor]:
    """What the chosen predictor is compared with on test images: the best trial as it is, and the best head.

    Neither where it is the chosen one itself, and no head where none is COMPLETE with its weights.

    Raises:
      SweepError: the weights of one are damaged.
    """
    complete = [trial for trial in record.ranked if trial.state == State.COMPLETE and trial.weights is not None]
    names = {"the best single model": complete[:1], "the best head": [each for each in complete if each.is_head][:1]}
    numbers = {trial.number for found in names.values() for trial in found}
    said = {
        number: " and ".join(name for name, found in names.items() if found and found[0].number == number)
        for number in sorted(numbers, key=[trial.number for trial in complete].index)
    }
    found = [
        Predictor(f"trial {number}, {words}", ((trained(record, record.trials[number]), 1),))
        for number, words in said.items()
    ]
    same = model.models, model.is_averaged, model.fitted
    return [each for each in found if (each.models, each.is_averaged, each.fitted) != same]


def best(sweep: Path, is_averaged: bool = False) -> Predictor:
    """The model in `best/`, which needs nothing else of the sweep.

    Raises:
      SweepError: it is not there, or is damaged.
    """
    model = read_best(sweep)
    fitted = model.fitted_of(is_averaged)
    label = f"trial {model.trial}{averaged(is_averaged)}{adjusted(fitted)}"
    return Predictor(label, ((model, 1),), is_averaged, fitted=fitted)


def ensemble(sweep: Path, is_averaged: bool = False) -> Predictor:
    """Raises:
    SweepError: there is none, or the weights of a member are not there or damaged.
    """
    record = Record(sweep)
    choice = choose(record)
    if choice and (option := choice.best_of(True, is_averaged)):
        return of_option(record, option)
    if choice and choice.best_of(True, not is_averaged):
        raise SweepError(f"{record.folder}: no trial's averaged predictions are there; leave --tta out")
    raise SweepError(f"{record.folder}: no ensemble is better than a single trial here; use --with best")


def refit(sweep: Path, is_averaged: bool = False) -> Predictor:
    """The best config trained on train + validation, its seeds averaged.

    Raises:
      SweepError: it was not trained, is of another trial than the best one, or is damaged.
    """
    folder, search = sweep / paths.REFIT, Record(sweep)
    if not paths.is_sweep(folder):
        raise SweepError(f"{folder}: is not there; `{spelled('refit')} {sweep}` trains it")
    record = Record(folder)
    of, best = record.file.parent, search.best
    if of is None or best is None or (of.sweep, of.best_trial) != (search.file.id, best.number):
        expected = f"of trial {best.number if best else None} of sweep {search.file.id}"
        got = f"of trial {of.best_trial} of sweep {of.sweep}" if of else "a search"
        raise SweepError(f"{folder}: must be {expected}, got {got}; move it away, and `{spelled('refit')} {sweep}`")
    return of_refit(record, search, is_averaged)


def of_refit(record: Record, search: Record, is_averaged: bool) -> Predictor:
    """The seeds of a refit of this search, averaged; takes what they say as adjusted as `best/` of the same trial.

    Raises:
      SweepError: none is COMPLETE, or one is damaged.
    """
    models = [trained(record, trial) for trial in record.trials if trial.state == State.COMPLETE]
    if not models:
        way_out = f"`{spelled('refit')} {search.folder}` goes on with it"
        raise SweepError(f"{record.folder}: no trial is COMPLETE yet; {way_out}")
    fitted, of = None, record.file.parent
    with suppress(SweepError, DamagedError):
        if of and (its_own := read_best(search.folder)).trial == of.best_trial:
            fitted = its_own.fitted_of(is_averaged)  # no image is left to fit another to
    seeds = f"{counted(len(models), 'seed')}{averaged(is_averaged)}{adjusted(fitted)}"
    folds = record.settings.folds
    on = "on train + validation" if folds is None else f"in {folds} folds, the mean of their nets"
    label = f"the best config {on}, {seeds}"
    return Predictor(label, tuple((model, 1) for model in models), is_averaged, record.ensembles, fitted)


def of_option(record: Record, option: Option) -> Predictor:
    models = tuple((trained(record, record.trials[number]), count) for number, count in option.members)
    return Predictor(option.label, models, option.is_averaged, record.ensembles, option.fitted)


KINDS = {"best": best, "ensemble": ensemble, "refit": refit}  # by what --with names
