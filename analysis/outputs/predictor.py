"""Predictors: one trained model, or several whose predictions are averaged."""

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

NetKey = tuple[Trained, bool]  # a model of one net, and whether it is averaged over its views


@dataclass(frozen=True)
class Predictor:
    """One trained model, or several whose predictions are combined.

    Attributes:
      label: the predictor in words.
      models: the models, each with how often it counts.
      is_averaged: whether each model's predictions are averaged over the flips and transposes it trained with.
      ensembles: how the predictions of several models are combined.
      fitted: how the combined predictions are adjusted; None where they are used as they are.
    """

    label: str
    models: tuple[tuple[Trained, int], ...]
    is_averaged: bool = False
    ensembles: Ensembles = field(default_factory=partial(ensembles, 1))
    fitted: Fitted | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of their indices."""
        return self.models[0][0].classes

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.models[0][0].image_size

    @property
    def decoding(self) -> Decoding:
        """The recipe by which images are decoded for this predictor."""
        return self.models[0][0].decoding

    def probabilities(self, images: Pixels) -> np.ndarray:
        """Returns the (N, classes) probabilities that people are given; each row adds up to 1.

        Args:
          images: (N, 3, H, W) uint8 pixels of the size that the models were trained on.

        Raises:
          ImageError: the images are of another type or size; see `analysis.outputs.trained`.
        """
        return probabilities([self], images)[0]

    def answers(self, shares: np.ndarray) -> np.ndarray:
        """Returns the (N,) class indices that are predicted, given what `probabilities` returned."""
        return shares.argmax(axis=1) if self.fitted is None else self.fitted.answers(shares)

    def scored(self, shares: np.ndarray) -> np.ndarray:
        """Returns the (N, classes) probabilities from which a metric is computed; the largest one is the answer.

        Args:
          shares: what `probabilities` returned.
        """
        return shares if self.fitted is None else self.fitted.scored(shares)

    def _combine(self, logs: Mapping[NetKey, np.ndarray]) -> np.ndarray:
        """Returns the (n, classes) probabilities of a batch, given the log probabilities of each net of each model."""
        part, members = self.ensembles.part, sum(count for _, count in self.models)
        model_means = {
            model: np.mean([np.exp(logs[net, self.is_averaged]) for net in model.nets], axis=0)
            for model, _ in self.models
        }
        parts = [count * part(model_means[model].T) for model, count in self.models]
        shares = np.ascontiguousarray(self.ensembles.whole(np.sum(parts, axis=0), members).T)
        shares /= shares.sum(axis=1, keepdims=True)
        return shares if self.fitted is None else self.fitted.output(shares)


def probabilities(predictors: Sequence[Predictor], images: Pixels) -> list[np.ndarray]:
    """Returns what `Predictor.probabilities` returns for each of several predictors; each model sees the images once.

    Beside the result, the predictions for no more than one batch of images are in memory at a time.

    Raises:
      ImageError: the images are not of the type and size that the models were trained on.
    """
    nets: dict[NetKey, Answering] = {}
    for predictor in predictors:
        for net in (net for model, _ in predictor.models for net in model.nets):
            key = net, predictor.is_averaged
            nets[key] = nets.get(key) or net.answering(images, predictor.is_averaged, nets.values())
    batches = [
        [predictor._combine(dict(zip(nets, logs, strict=True))) for predictor in predictors]
        for logs in by_batch(list(nets.values()), images)
    ]
    return [np.concatenate(shares) for shares in zip(*batches, strict=True)]


def chosen(record: Record) -> Predictor:
    """Returns the predictor that is best by the corrected estimate.

    Raises:
      SweepError: no trial is COMPLETE, or the weights of a member are missing or damaged.
    """
    choice = choose(record)
    return of_option(record, choice.chosen) if choice else best(record.folder)


def rivals(record: Record, model: Predictor) -> list[Predictor]:
    """Returns the predictors with which the chosen one is compared on test images.

    These are the best trial as it is and the best trial that trained only a head, if their weights are kept. A
    predictor that is the chosen one itself is left out.

    Args:
      record: the sweep.
      model: the chosen predictor.

    Raises:
      SweepError: the weights of a trial are damaged.
    """
    complete = [trial for trial in record.ranked if trial.state == State.COMPLETE and trial.weights is not None]
    names = {"the best single model": complete[:1], "the best head": [each for each in complete if each.is_head][:1]}
    numbers = {trial.number for trials in names.values() for trial in trials}
    labels = {
        number: " and ".join(name for name, trials in names.items() if trials and trials[0].number == number)
        for number in sorted(numbers, key=[trial.number for trial in complete].index)
    }
    predictors = [
        Predictor(f"trial {number}, {words}", ((trained(record, record.trials[number]), 1),))
        for number, words in labels.items()
    ]
    chosen_parts = model.models, model.is_averaged, model.fitted
    return [each for each in predictors if (each.models, each.is_averaged, each.fitted) != chosen_parts]


def best(sweep: Path, is_averaged: bool = False) -> Predictor:
    """Returns the model in `best/` as a predictor; the rest of the sweep's folder is not needed.

    Raises:
      SweepError: a file of `best/` is missing.
      DamagedError: a file of `best/` is damaged.
    """
    model = read_best(sweep)
    fitted = model.fitted_of(is_averaged)
    label = f"trial {model.trial}{averaged(is_averaged)}{adjusted(fitted)}"
    return Predictor(label, ((model, 1),), is_averaged, fitted=fitted)


def ensemble(sweep: Path, is_averaged: bool = False) -> Predictor:
    """Returns the best ensemble of a sweep as a predictor.

    Raises:
      SweepError: the sweep has no ensemble, or the weights of a member are missing or damaged.
    """
    record = Record(sweep)
    choice = choose(record)
    if choice and (option := choice.best_of(True, is_averaged)):
        return of_option(record, option)
    if choice and choice.best_of(True, not is_averaged):
        raise SweepError(f"{record.folder}: no trial's averaged predictions are there; leave --tta out")
    raise SweepError(f"{record.folder}: no ensemble is better than a single trial here; use --with best")


def refit(sweep: Path, is_averaged: bool = False) -> Predictor:
    """Returns the refit of a sweep as a predictor: its best config trained on train + validation, averaged over seeds.

    Raises:
      SweepError: there is no refit, it trained another trial than the best one, or it is damaged.
    """
    folder, search = sweep / paths.REFIT, Record(sweep)
    if not paths.is_sweep(folder):
        raise SweepError(f"{folder}: is not there; `{spelled('refit')} {sweep}` trains it")
    record = Record(folder)
    parent, best = record.file.parent, search.best
    if parent is None or best is None or (parent.sweep, parent.best_trial) != (search.file.id, best.number):
        expected = f"of trial {best.number if best else None} of sweep {search.file.id}"
        got = f"of trial {parent.best_trial} of sweep {parent.sweep}" if parent else "a search"
        raise SweepError(f"{folder}: must be {expected}, got {got}; move it away, and `{spelled('refit')} {sweep}`")
    return of_refit(record, search, is_averaged)


def of_refit(record: Record, search: Record, is_averaged: bool) -> Predictor:
    """Returns the COMPLETE trials of a refit as a predictor, averaged over their seeds.

    The predictions are adjusted as those in the `best/` of the search, if that has the same trial.

    Args:
      record: the refit.
      search: the search that the refit belongs to.
      is_averaged: whether each model's predictions are averaged over the views it trained with.

    Raises:
      SweepError: no trial is COMPLETE, or the weights of one are damaged.
    """
    models = [trained(record, trial) for trial in record.trials if trial.state == State.COMPLETE]
    if not models:
        way_out = f"`{spelled('refit')} {search.folder}` goes on with it"
        raise SweepError(f"{record.folder}: no trial is COMPLETE yet; {way_out}")
    fitted, parent = None, record.file.parent
    with suppress(SweepError, DamagedError):
        if parent and (search_best := read_best(search.folder)).trial == parent.best_trial:
            fitted = search_best.fitted_of(is_averaged)  # a refit has no images left on which to fit one
    seeds = f"{counted(len(models), 'seed')}{averaged(is_averaged)}{adjusted(fitted)}"
    folds = record.settings.folds
    training = "on train + validation" if folds is None else f"in {folds} folds, the mean of their nets"
    label = f"the best config {training}, {seeds}"
    return Predictor(label, tuple((model, 1) for model in models), is_averaged, record.ensembles, fitted)


def of_option(record: Record, option: Option) -> Predictor:
    """Returns a way to predict of `analysis.estimates.choice` as a predictor.

    Raises:
      SweepError: the weights of a member are missing or damaged.
    """
    models = tuple((trained(record, record.trials[number]), count) for number, count in option.members)
    return Predictor(option.label, models, option.is_averaged, record.ensembles, option.fitted)


KINDS = {"best": best, "ensemble": ensemble, "refit": refit}  # by the values of --with
