"""The contract of a metric, `Metric`, and its parts; each file beside this one is a metric or serves them all."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Literal

import numpy as np

from sweep.storage.errors import UserError
from sweep.storage.text import counted
from sweep.trainable.metrics.history import OWN_FIELD, EpochMetrics, by_fold
from sweep.trainable.metrics.predictions import falling_order


@dataclass(frozen=True)
class Scale:
    """How values, and differences between two values, are shown to people.

    Attributes:
      factor: multiplies a value.
      unit, difference_unit: the text after a value, and after a difference.
      digits, few_digits: the number of decimals; the few are for estimates, whose intervals are wide.
      may_be_log: whether values that span decades are drawn on a logarithmic axis.
    """

    factor: int = 1
    unit: str = ""
    difference_unit: str = ""
    digits: int = 4
    few_digits: int = 4
    may_be_log: bool = False

    def value(self, value: float | None) -> str:
        """Formats a measured value: `68.46 %` or `0.9123`."""
        return "-" if value is None else f"{self.factor * value:z.{self.digits}f}{self.unit}"

    def rounded(self, value: float) -> str:
        """Formats an estimated value: `68.5 %` or `0.9123`."""
        return f"{self.factor * value:z.{self.few_digits}f}{self.unit}"

    def difference(self, difference: float) -> str:
        """Formats a measured difference: `+1.28 points` or `+0.0128`."""
        return f"{self.factor * difference:+z.{self.digits}f}{self.difference_unit}"

    def change(self, difference: float) -> str:
        """Formats an estimated difference with its sign but without a unit: `+1.3` or `+0.0128`."""
        return f"{self.factor * difference:+z.{self.few_digits}f}"

    def amount(self, difference: float) -> str:
        """Formats an estimated difference without a plus sign: `1.3` or `0.0128`."""
        return f"{self.factor * difference:z.{self.few_digits}f}"


PERCENT = Scale(100, " %", " points", digits=2, few_digits=1)


def all_alike(labels: np.ndarray) -> list[np.ndarray]:
    """Returns a single stratum with all images."""
    return [np.arange(len(labels))]


@dataclass(frozen=True)
class PerImage:
    """The scores of single images, of which a metric's value is the mean; a larger score is better.

    Attributes:
      of_logits: computes (N,) scores from (N,) labels and (N, classes) logits.
      of_probabilities: computes (N,) scores from (N,) labels and (classes, N) probabilities.
      of_classes: computes (epochs, N) truth values from (N,) labels and (epochs, N) predicted classes; None if the
        predicted class alone does not determine the score.
      strata: returns arrays of image numbers for (N,) labels; the value is the mean over these strata of the mean score
        in each.
      guess_loss: returns the loss, which is minus the score, of an answer that gives every class the same probability,
        for a number of classes; None if an image is right or wrong, and so scores 1 or 0.
    """

    of_logits: Callable[[np.ndarray, np.ndarray], np.ndarray]
    of_probabilities: Callable[[np.ndarray, np.ndarray], np.ndarray]
    of_classes: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    strata: Callable[[np.ndarray], list[np.ndarray]] = all_alike
    guess_loss: Callable[[int], float] | None = None


@dataclass(frozen=True)
class Ranks:
    """How well the order of the images by the probability of a class separates that class from the rest.

    With two classes the value is that of the second one, in the order of the classes; with more it is the mean over the
    classes, each against the rest.

    Attributes:
      of_order: computes the (B,) values of one class, a larger one is better, from three arrays whose images are in the
        order of falling probability: (N, B) weights, each column of which says how often each image counts; (N,) truth
        values, whether an image is of the class; and (N,) truth values, whether an image is the last of those with the
        same probability. A value that is not defined is NaN.
      slopes: computes the (N,) derivatives of the value of one class by the weight of each image, at weights of 1, from
        the same two arrays of truth values; there must be images of the class and others.
    """

    of_order: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    slopes: Callable[[np.ndarray, np.ndarray], np.ndarray]

    def value(self, labels: np.ndarray, logits: np.ndarray) -> float:
        """Returns the value on (N,) labels and (N, classes) logits, in which each image counts once.

        It is the mean over the classes for which a value is defined, and NaN if there is none.
        """
        probabilities, weights = softmax(logits), np.ones((len(labels), 1))
        values = []
        for label in ranked_classes(logits.shape[1]):
            order, ends = falling_order(probabilities[:, label])
            values.append(float(self.of_order(weights, labels[order] == label, ends)[0]))
        defined = [value for value in values if not np.isnan(value)]
        return float(np.mean(defined)) if defined else np.nan


def ranked_classes(classes: int) -> range:
    """Returns the classes over which a value by ranks is the mean: the second of two, and all of more."""
    return range(1, 2) if classes == 2 else range(classes)


@dataclass(frozen=True)
class Metric:
    """How trials are judged: the number by which they are reported, ranked, kept and shown.

    At most one of `images`, `counts` and `ranks` is set. With it a thousand random draws of images are scored at once;
    a metric without any of them is computed anew for each draw.

    Attributes:
      name: as in `--metric` and in `sweep.json`.
      words: the name of a value on the validation images, such as `validation accuracy`.
      short: the same where there is little room, such as `accuracy`.
      one: `short` with its article, such as `an accuracy`.
      value: computes the value from (N,) labels and (N, classes) logits; None only for `last`, whose `field` every
        epoch has.
      greater_is_better: the direction of the search.
      field: the field of `EpochMetrics` that holds the value of an epoch; metrics without their own field share one.
      images: the scores of single images of which the value is the mean.
      counts: computes (...) values, a larger one is better, from (..., classes, classes) confusion matrices with a row
        for each true class and a column for each predicted class; their entries may be sums of weights, even below 1.
      ranks: computes the value from the order in which probabilities put the images.
      span: the least and the greatest value that `counts` can compute.
      scale: how values are shown.
      favours_large_classes: whether always answering the largest class gives a good value.
      undefined: says why no value can tell trials apart on images with these (N,) labels of these named classes, and
        what to do; empty if values can.
      is_of_one_class: whether it measures one class, which is part of its name.
      bind: returns the metric for data with these classes; None if it need not know their names.
    """

    name: str
    words: str
    short: str
    one: str
    value: Callable[[np.ndarray, np.ndarray], float] | None
    greater_is_better: bool = True
    field: str = OWN_FIELD
    images: PerImage | None = None
    counts: Callable[[np.ndarray], np.ndarray] | None = None
    ranks: Ranks | None = None
    span: tuple[float, float] = (0.0, 1.0)
    scale: Scale = Scale()
    favours_large_classes: bool = False
    undefined: Callable[[np.ndarray, Sequence[str]], str] = lambda labels, classes: ""
    is_of_one_class: bool = False
    bind: "Callable[[Sequence[str]], Metric] | None" = None

    def for_classes(self, classes: Sequence[str]) -> "Metric":
        """Returns the metric for data with these classes; it must be called before any value is computed.

        Raises:
          UserError: the metric cannot be computed for such classes.
        """
        return replace(self.bind(classes), name=self.name, field=self.field, bind=None) if self.bind else self

    def check(self, labels: np.ndarray, classes: Sequence[str]) -> None:
        """Checks that values on the validation images can tell trials apart.

        Args:
          labels: (N,) class indices of these images.
          classes: the names of the classes.

        Raises:
          UserError: they cannot, whatever a net answers.
        """
        problem = self.undefined(labels, classes)
        if problem:
            raise UserError(f"--metric {self.name}: on the {counted(len(labels), 'validation image')} {problem}")

    @property
    def keeps(self) -> Literal["classes", "probabilities"]:
        """The predictions to keep of an epoch, to compute its value on any images: classes, or probabilities."""
        are_enough = self.counts is not None or (self.images is not None and self.images.of_classes is not None)
        return "classes" if are_enough else "probabilities"

    @property
    def label(self) -> str:
        """The name without the file that it comes from; for a metric of one class, the whole name."""
        return self.name if self.is_of_one_class else self.name.rpartition(":")[2]

    @property
    def is_measured(self) -> bool:
        """Whether there is a value that says how good a trial is."""
        return self.value is not None

    @property
    def sign(self) -> int:
        """1 or -1: a value times this is larger for a better trial."""
        return 1 if self.greater_is_better else -1

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """The direction of the search, as Optuna names it."""
        return "maximize" if self.greater_is_better else "minimize"

    def is_better(self, a: float, b: float) -> bool:
        """Returns whether value `a` is better than value `b`."""
        return self.sign * a > self.sign * b

    def of_epochs(self, history: list[EpochMetrics]) -> list[float]:
        """Returns the value of each epoch; a damaged epoch without a value gets the worst value possible."""
        values = [getattr(metrics, self.field) for metrics in history]
        return [-self.sign * np.inf if value is None else value for value in values]

    def best_so_far(self, values: Sequence[float]) -> list[float]:
        """Returns, for each place, the best of the values up to there."""
        return list(accumulate(values, max if self.greater_is_better else min))

    def of_steps(self, history: list[EpochMetrics], epochs: int) -> list[float]:
        """Returns the values that a trial has reported to the search so far, one for each step.

        A step is an epoch, and its value is the best so far. If a trial has a net for each fold, a step is a finished
        fold; its value is the mean over the folds up to it, each at its best epoch.

        Args:
          epochs: how many epochs each net trains to its end.
        """
        if not history or history[0].fold is None:
            return self.best_so_far(self.of_epochs(history))
        values: list[float] = []
        for number, fold_history in enumerate(by_fold(history), start=1):
            if fold_history[0].fold != number or len(fold_history) < epochs:
                break
            values.append(self.best_so_far(self.of_epochs(fold_history))[-1])
        return [math.fsum(values[:count]) / count for count in range(1, len(values) + 1)]

    def best_epoch(self, values: Sequence[float]) -> int:
        """Returns the first epoch, counted from 1, with the best value."""
        return 1 + values.index(self.best_so_far(values)[-1])


def unbound(*_: Any) -> Any:
    """Stands in for a computation that needs the names of the classes; it raises an error until these are known."""
    raise ValueError("this metric has a value once `for_classes` has told it the classes")


def softmax(logits: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    """Returns the (N, classes) probabilities of (N, classes) logits.

    Args:
      dtype: the type in which exponentials are computed; the largest logit is subtracted in the type of `logits`.
    """
    exponents = np.exp((logits - logits.max(axis=1, keepdims=True)).astype(dtype))
    return exponents / exponents.sum(axis=1, keepdims=True)
