"""Chooses what a sweep predicts with, and estimates what each way to predict is worth.

The ways are the best trial and ensembles, each as it is and averaged over its views. Each of these is compared in an
adjusted form too, with a decision threshold or a temperature, if that suits the metric and the adjustment gains more
than the standard error of its gain (`analysis.estimates.adjustments.out_of_fold`).

The estimate for the best trial covers the whole selection (`analysis.estimates.honest`). The other ways are compared
with it draw by draw: on each draw of images, each way makes its choice on the images drawn, is adjusted to them by the
same rule as to all images, and is scored on the images left out. For this comparison all ways, the best trial too,
choose among the trials whose weights are kept, each at its best epoch. Whatever flattery remains is then the same for
all, and their difference is fair.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sweep.analysis.estimates.adjustments import adjustment_for
from sweep.analysis.estimates.adjustments.contract import Fitted
from sweep.analysis.estimates.adjustments.out_of_fold import out_of_fold
from sweep.analysis.estimates.count_scores import worth_of_classes
from sweep.analysis.estimates.draws import draws
from sweep.analysis.estimates.honest import Estimate, estimate
from sweep.analysis.estimates.intervals import sample_of
from sweep.analysis.estimates.scores import Computed, Scored, scores_of, scores_of_classes, scores_of_probabilities
from sweep.analysis.record import Record
from sweep.analysis.report.contents import scarcity
from sweep.analysis.trial_record import TrialRecord
from sweep.storage.states import State
from sweep.storage.text import counted
from sweep.trainable.metrics.contract import softmax
from sweep.trainable.metrics.predictions import confusion

COMPARED_DRAWS = 200  # at most; with many images fewer are enough, because their draws differ less
COMPARED_IMAGES = 1_000_000  # in all these draws together


@dataclass(frozen=True, eq=False)
class Option:
    """One way to predict, with the estimate of its value.

    Attributes:
      label: the way to predict, in words.
      members: the numbers of the trials, each with how often it counts; a single pair for a single trial.
      is_averaged: whether each member's predictions are averaged over the flips and transposes it trained with.
      raw: the value of the metric on all validation images, which also chose the members.
      corrected: the value corrected for the choice of the members. It is not corrected for the choice among the few
        ways to predict, which is made later.
      low, high: the 95 % interval around `corrected`.
      gain: the corrected difference to the best trial as it is; positive is better.
      gain_low, gain_high: the 95 % interval of the gain, which follows from the number of images.
      fitted: how the predictions are adjusted; None where they are used as they are.
    """

    label: str
    members: tuple[tuple[int, int], ...]
    is_averaged: bool
    raw: float
    corrected: float
    low: float
    high: float
    gain: float = 0.0
    gain_low: float = 0.0
    gain_high: float = 0.0
    fitted: Fitted | None = None

    @property
    def is_ensemble(self) -> bool:
        """Whether more than one trial predicts."""
        return len(self.members) > 1


@dataclass(frozen=True)
class Choice:
    """The ways to predict that a sweep has, and the one that is chosen.

    Attributes:
      options: all ways; the first is the best trial as it is.
      chosen: the option with the best corrected estimate.
      sentence: what the best trial is worth, in words.
      comparison: how much better the chosen option is, in words.
    """

    options: tuple[Option, ...]
    chosen: Option
    sentence: str
    comparison: str

    @property
    def best(self) -> Option:
        """The best trial as it is."""
        return self.options[0]

    def best_of(self, is_ensemble: bool, is_averaged: bool) -> Option | None:
        """Returns the best option of this kind, adjusted or not; None if there is no such option."""
        kind = is_ensemble, is_averaged
        options = [option for option in self.options if (option.is_ensemble, option.is_averaged) == kind]
        return max(options, key=lambda option: option.gain, default=None)


@lru_cache(maxsize=4)
def choose(record: Record) -> Choice | None:
    """Compares the ways to predict; returns None if no COMPLETE trial has its predictions.

    The result is computed once for each `Record` object. To see what changed in the folder, make another `Record`.
    """
    complete = [
        trial
        for trial in record.trials
        if trial.state == State.COMPLETE
        and trial.number not in record.damaged
        and trial.valid_logits is not None
        and trial.valid_classes is not None
    ]
    if not complete:
        return None
    scores, chosen_from = candidates(record, complete)
    counts = draws(len(record.valid_labels), scores.most_draws)
    best_estimate = estimate(scores, counts)
    best, _ = chosen_from[best_estimate.chosen]
    if record.best in complete and record.settings.folds:  # by the mean over folds, another trial may be the best
        best = record.best
    comparison_counts = counts[: min(COMPARED_DRAWS, max(20, COMPARED_IMAGES // counts.shape[1]))]
    options = _Comparison(record, complete, best, best_estimate, comparison_counts).options()
    chosen = max(options, key=lambda option: option.gain)  # of equals the first, which is the simplest
    return Choice(
        options, chosen, _sentence(record, best, options[0], len(complete)), _comparison(record, options, chosen)
    )


def candidates(record: Record, trials: Sequence[TrialRecord]) -> tuple[Scored, list[tuple[TrialRecord, int]]]:
    """Returns the candidates among which the sweep chooses: their scores, and the trial and epoch (from 1) of each.

    If the metric needs no more than the answered classes, the candidates are all epochs of the trials. Otherwise they
    are the epochs whose probabilities are kept, or only the best epochs if each draw needs a call of the user's
    function. With folds, a trial keeps each net at that net's own best epoch. As candidates, all nets are taken at the
    same epoch, because the choice of the epoch has to be repeated on each draw too.

    Args:
      record: the sweep.
      trials: COMPLETE trials whose predictions are kept.
    """
    if record.metric.keeps == "probabilities":
        is_quick = record.metric.images is not None or record.metric.ranks is not None
        epochs = [
            (trial, epoch) for trial in trials for epoch in (trial.kept_logits if is_quick else [trial.best_epoch])
        ]
        logits = Computed(len(epochs), lambda place: epochs[place][0].kept_logits[epochs[place][1]])
        return scores_of(record, logits), epochs
    # The files have at least the epochs that count; otherwise the trial would be among the damaged ones.
    answers = [trial.valid_classes[: trial.epochs] for trial in trials if trial.valid_classes is not None]
    pairs = zip(trials, answers, strict=True)
    epochs = [(trial, epoch) for trial, classes in pairs for epoch in range(1, len(classes) + 1)]
    return scores_of_classes(record, np.concatenate(answers)), epochs


def _probabilities(logits: np.ndarray | None) -> np.ndarray:
    """Returns (classes, N) float32 probabilities for (N, classes) logits."""
    assert logits is not None
    return np.ascontiguousarray(softmax(logits, np.float32).T, np.float32)


class _Comparison:
    """Compares the ways to predict over the same draws."""

    def __init__(
        self, record: Record, complete: list[TrialRecord], best: TrialRecord, estimate: Estimate, counts: np.ndarray
    ) -> None:
        self.record, self.best, self.estimate = record, best, estimate
        self.pool = [trial for trial in complete if trial.weights is not None or trial is best]
        plain = [_probabilities(trial.valid_logits) for trial in self.pool]
        logits_tta = [trial.valid_logits_tta for trial in self.pool]
        self.has_averaged = any(logits is not None for logits in logits_tta)
        pairs = zip(logits_tta, self.pool, strict=True)
        tta = [_probabilities(trial.valid_logits if logits is None else logits) for logits, trial in pairs]
        self.probabilities = {False: np.stack(plain, axis=1), True: np.stack(tta, axis=1)}  # the key is `is_averaged`
        self.ensembles = record.ensembles
        self.parts = {is_averaged: self.ensembles.part(each) for is_averaged, each in self.probabilities.items()}
        self.counts = counts
        adjustment = adjustment_for(record.metric, len(record.classes)) if self.ensembles.is_adjusted else None
        self.adjustment = out_of_fold(record, adjustment) if adjustment else None

    def options(self) -> tuple[Option, ...]:
        if not len(self.counts):  # a single image allows no draw that leaves an image out
            return (self._option(self._membership(self.best), False, 0.0),)
        reference, options = None, []
        for members, is_averaged in self._ways():
            is_ensemble = np.count_nonzero(members) > 1
            predictions = (self._ensemble_predictions if is_ensemble else self._trial_predictions)(is_averaged)
            score = self._left_out(predictions)
            reference = score if reference is None else reference
            options.append(self._option(members, is_averaged, score - reference))
            if (fitted := self._fit(self._predictions(members, is_averaged))) is not None:
                gain = self._left_out(self._adjust(predictions)) - reference
                options.append(self._option(members, is_averaged, gain, fitted))
        return tuple(options)

    def _ways(self) -> Iterator[tuple[np.ndarray, bool]]:
        """Yields the ways to predict: (T,) how often each trial of the pool counts, and whether views are averaged."""
        yield self._membership(self.best), False
        if self.best.valid_logits_tta is not None:
            yield self._membership(self.best), True
        for is_averaged in (False, True)[: 1 + self.has_averaged]:
            parts = self.parts[is_averaged]
            members = self._choose(parts, np.ones((1, parts.shape[2])))[0]
            if np.count_nonzero(members) > 1:
                yield members, is_averaged

    def _membership(self, trial: TrialRecord) -> np.ndarray:
        return np.bincount([self.pool.index(trial)], minlength=len(self.pool))

    def _predictions(self, members: np.ndarray, is_averaged: bool) -> np.ndarray:
        """Returns (classes, N) probabilities of the ensemble in which each trial of the pool has its count."""
        return self.ensembles.mean(self.parts[is_averaged], members)

    def _option(self, members: np.ndarray, is_averaged: bool, gain: float, fitted: Fitted | None = None) -> Option:
        """Returns a way to predict with its estimate.

        Args:
          members: (T,) how often each trial of the pool counts.
          is_averaged: whether predictions are averaged over views.
          gain: how much better this way is than the best trial as it is, on the images left out.
          fitted: how the predictions are adjusted.
        """
        predictions = self._predictions(members, is_averaged)
        predictions = predictions if fitted is None else fitted.apply(predictions)
        best_predictions = self.probabilities[False][:, self.pool.index(self.best)]
        scores = scores_of_probabilities(self.record, [predictions], float)
        # The gain is a separate estimate, so the sum of the two can lie outside the span of the metric.
        lowest, highest = scores.span
        corrected = min(max(self.estimate.corrected + gain, lowest), highest)
        sign = self.record.metric.sign
        low, high = sorted(sign * end for end in scores.interval(0, corrected))
        gain_low, gain_high = scores_of_probabilities(
            self.record, [predictions, best_predictions], float
        ).interval_of_gain(gain)
        member_counts = [(trial.number, int(count)) for trial, count in zip(self.pool, members, strict=True) if count]
        return Option(
            label=_label(member_counts, is_averaged, fitted),
            members=tuple(sorted(member_counts, key=lambda member: (-member[1], member[0]))),
            is_averaged=is_averaged,
            raw=sign * float(scores.everywhere()[0]),
            corrected=sign * corrected,
            low=low,
            high=high,
            gain=gain,
            gain_low=gain_low,
            gain_high=gain_high,
            fitted=fitted,
        )

    def _choose(self, parts: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Returns (B, T): how often each trial of the pool counts in the ensemble that is chosen on each draw.

        Ensembles are judged by their log loss if the metric needs more than the answered classes.
        """
        by_loss, weights = self.record.metric.keeps == "probabilities", self._weights(counts)
        labels, kinds = self.record.valid_labels, [trial.kind for trial in self.pool]
        return np.array([self.ensembles.choose(parts, labels, row, by_loss, kinds) for row in weights])

    def _weights(self, counts: np.ndarray) -> np.ndarray:
        """Returns (B, N) weights, each row adding up to 1, with which images count when ensembles are chosen on draws.

        If the metric is made of counts, the weight of an image includes how much the metric grows when one more image
        of its class is right, starting from the answers of the best trial.
        """
        labels, metric = self.record.valid_labels, self.record.metric
        if metric.counts is None:
            return sample_of(self.record).weights(counts)
        answers = self.probabilities[False][:, self.pool.index(self.best)].argmax(axis=0)
        worth = worth_of_classes(metric.counts, confusion(labels, answers, len(self.record.classes)))
        weights = counts * worth[labels]
        total = weights.sum(axis=1, keepdims=True)
        return np.where(total > 0, weights, counts) / np.where(total > 0, total, counts.sum(axis=1, keepdims=True))

    def _trial_predictions(self, is_averaged: bool) -> Sequence[np.ndarray]:
        """Returns, for each draw, the (classes, N) predictions of the single trial that is chosen on it."""
        plain = self.probabilities[False]
        single_scores = scores_of_probabilities(self.record, [plain[:, model] for model in range(len(self.pool))])
        models = single_scores.on_drawn(self.counts).argmax(axis=1)
        return Computed(len(models), lambda draw: self.probabilities[is_averaged][:, models[draw]])

    def _ensemble_predictions(self, is_averaged: bool) -> Sequence[np.ndarray]:
        """Returns, for each draw, the (classes, N) predictions of the ensemble that is chosen on it."""
        members = self._choose(self.parts[is_averaged], self.counts)
        return Computed(len(members), lambda draw: self._predictions(members[draw], is_averaged))

    def _adjust(self, predictions: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        """Returns the predictions of each draw, adjusted by a number that is fitted to the images drawn."""
        adjustments = [self._fit(each, count) for each, count in zip(predictions, self.counts, strict=True)]
        return Computed(
            len(adjustments),
            lambda draw: (
                predictions[draw] if (adjustment := adjustments[draw]) is None else adjustment.apply(predictions[draw])
            ),
        )

    def _left_out(self, predictions: Sequence[np.ndarray]) -> float:
        """Returns the score on the images that were not drawn.

        Args:
          drawn: for each draw, the (classes, N) predictions of what was chosen on it.
        """
        return scores_of_probabilities(self.record, predictions).left_out(self.counts, np.arange(len(predictions)))

    def _fit(self, predictions: np.ndarray, counts: np.ndarray | None = None) -> Fitted | None:
        """Returns the adjustment of predictions, fitted to a draw or to all images; None if it gains too little."""
        if self.adjustment is None:
            return None
        return self.adjustment.fitted(predictions, np.ones(predictions.shape[1]) if counts is None else counts)


def averaged(is_averaged: bool) -> str:
    """Returns the words that averaging over views adds to the label of a way to predict; empty without it."""
    return " averaged over flips" if is_averaged else ""


def adjusted(fitted: Fitted | None) -> str:
    """Returns the words that an adjustment adds to the label of a way to predict; empty without one."""
    return "" if fitted is None else fitted.label


def _label(members: list[tuple[int, int]], is_averaged: bool, fitted: Fitted | None) -> str:
    name = f"trial {members[0][0]}" if len(members) == 1 else f"an ensemble of {len(members)} trials"
    return name + averaged(is_averaged) + adjusted(fitted)


def _sentence(record: Record, best: TrialRecord, option: Option, trials: int) -> str:
    """Returns what the best trial is worth, in words.

    Args:
      record: the sweep.
      best: the best trial.
      option: the best trial as a way to predict.
      trials: how many COMPLETE trials have their predictions.
    """
    images = counted(len(record.valid_labels), "validation image")
    metric, show = record.metric, record.metric.scale.rounded
    has_epochs = metric.keeps == "classes"
    epochs = "" if not has_epochs else " and all their epochs" if trials > 1 else " and all its epochs"
    return (
        f"Trial {best.number} has {metric.one} of {show(option.raw)} on the {images} that chose it, the best "
        f"of {counted(trials, 'COMPLETE trial')}{epochs}; corrected for that choice it is "
        f"{show(option.corrected)}, with a 95 % interval of {show(option.low)} to "
        f"{show(option.high)}.{_folds_sentence(record, best)}{scarcity(record)}"
    )


def _folds_sentence(record: Record, best: TrialRecord) -> str:
    """Returns, for a sweep with folds, how the estimate and the value of a trial differ, in words; else nothing."""
    if record.folds is None or best.value is None:
        return ""
    show = record.metric.scale.rounded
    return f" That is over the images of all folds together; its value, {show(best.value)}, is the mean over them."


def _comparison(record: Record, options: tuple[Option, ...], chosen: Option) -> str:
    if len(options) == 1:
        return "There is nothing better to predict with yet: no other trial adds to it."
    scale, unit = record.metric.scale, record.metric.scale.difference_unit
    if chosen is options[0]:
        gains = "; ".join(f"{option.label} {scale.change(option.gain)}{unit}" for option in options[1:])
        return f"By the corrected estimate nothing beats the best trial as it is: {gains}."
    chance = "" if chosen.gain_low > 0 else ", which includes no gain at all"
    return (
        f"By the corrected estimate {chosen.label} is best, {scale.rounded(chosen.corrected)}: "
        f"{scale.change(chosen.gain).removeprefix('+')}{unit} better than the best trial "
        f"(95 % interval {scale.change(chosen.gain_low)} to {scale.change(chosen.gain_high)}{chance})."
    )
