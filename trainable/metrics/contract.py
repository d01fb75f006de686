"""What a metric is: `Metric`, and its parts. Each file beside this one is a metric or serves them all."""

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
    """How values, and differences between two of them, are shown to people.

    Attributes:
      factor: what a value is multiplied by.
      unit, difference_unit: what stands behind a value, and behind a difference.
      digits, few_digits: behind the point; the few are for estimates, whose intervals are wide.
      may_be_log: values that span decades stand on a logarithmic axis.
    """

    factor: int = 1
    unit: str = ""
    difference_unit: str = ""
    digits: int = 4
    few_digits: int = 4
    may_be_log: bool = False

    def value(self, value: float | None) -> str:
        """A measured value: `68.46 %` or `0.9123`."""
        return "-" if value is None else f"{self.factor * value:z.{self.digits}f}{self.unit}"

    def rounded(self, value: float) -> str:
        """An estimated value: `68.5 %` or `0.9123`."""
        return f"{self.factor * value:z.{self.few_digits}f}{self.unit}"

    def difference(self, difference: float) -> str:
        """A measured difference: `+1.28 points` or `+0.0128`."""
        return f"{self.factor * difference:+z.{self.digits}f}{self.difference_unit}"

    def change(self, difference: float) -> str:
        """An estimated difference with its sign, without a unit: `+1.3` or `+0.0128`."""
        return f"{self.factor * difference:+z.{self.few_digits}f}"

    def amount(self, difference: float) -> str:
        """The same without the sign of a gain: `1.3` or `0.0128`."""
        return f"{self.factor * difference:z.{self.few_digits}f}"


PERCENT = Scale(100, " %", " points", digits=2, few_digits=1)


def all_alike(labels: np.ndarray) -> list[np.ndarray]:
    """Returns one stratum of all images."""
    return [np.arange(len(labels))]


@dataclass(frozen=True)
class PerImage:
    """The scores of single images, the larger the better, of which a value is the mean.

    Attributes:
      of_logits: (N,) scores, of (N,) labels and (N, classes) logits.
      of_probabilities: (N,) scores, of (N,) labels and (classes, N) probabilities.
      of_classes: (epochs, N) truth values, of (N,) labels and (epochs, N) answers; None where the answer alone does
        not tell the score.
      strata: arrays of image numbers, of (N,) labels: a value is the mean over them of the mean in each.
      guess_loss: the loss, minus the score, of an answer that gives each of so many classes the same probability; None
        where an image is right or wrong, and so scores 1 or 0.
    """

    of_logits: Callable[[np.ndarray, np.ndarray], np.ndarray]
    of_probabilities: Callable[[np.ndarray, np.ndarray], np.ndarray]
    of_classes: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    strata: Callable[[np.ndarray], list[np.ndarray]] = all_alike
    guess_loss: Callable[[int], float] | None = None


@dataclass(frozen=True)
class Ranks:
    """How well a class is told from the rest by the order in which its probability puts the images.

    With two classes a value is that of the second one, in the order of the classes; with more it is the mean over the
    classes, each against the rest.

    Attributes:
      of_order: (B,) values of one class, the larger the better, of (N, B) weights, in which each column says how often
        each image counts, of (N,) truth values, which say of each image whether it is of the class, and of (N,) truth
        values, which say of each image whether it is the last of those with the same probability. The images come in
        the order of falling probability. A value is NaN where it is not defined.
      slopes: (N,) derivatives of the value of one class by the weight of each image, where each image counts once, of
        the same two arrays of truth values; both kinds of images must be there.
    """

    of_order: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    slopes: Callable[[np.ndarray, np.ndarray], np.ndarray]

    def value(self, labels: np.ndarray, logits: np.ndarray) -> float:
        """The value on (N,) labels and (N, classes) logits, in which each image counts once.

        It is the mean over the classes for which it is defined, and NaN where there is none.
        """
        probabilities, once = softmax(logits), np.ones((len(labels), 1))
        values = []
        for label in ranked_classes(logits.shape[1]):
            order, ends = falling_order(probabilities[:, label])
            values.append(float(self.of_order(once, labels[order] == label, ends)[0]))
        defined = [value for value in values if not np.isnan(value)]
        return float(np.mean(defined)) if defined else np.nan


def ranked_classes(classes: int) -> range:
    """Returns the classes of which a value by ranks is the mean: of two the second one, of more all."""
    return range(1, 2) if classes == 2 else range(classes)


@dataclass(frozen=True)
class Metric:
    """How trials are judged: what is reported, told, ranked, kept and shown of each.

    At most one of `images`, `counts` and `ranks` is there. With it a thousand draws of images are scored at once; a
    metric without one is computed anew for each draw.

    Attributes:
      name: as `--metric` takes it and `sweep.json` has it.
      words: of a value on the validation images, `validation accuracy`.
      short: where there is little room, `accuracy`.
      one: with its article, `an accuracy`.
      value: computes the value from (N,) labels and (N, classes) logits; None for `last` alone, whose `field` is one
        that every epoch has.
      greater_is_better: the direction of the search.
      field: the one of `EpochMetrics` that holds the value of an epoch; metrics without one of their own share one.
      images: the scores of single images of which the value is the mean.
      counts: computes (...) values, the larger the better, from (..., classes, classes) numbers, which say how many
        images of each true class, a row, got each answer, a column; they may be sums of weights, below 1 too.
      ranks: computes the value from the order in which probabilities put the images.
      span: the least and the most that a value made of counts can be.
      scale: how values are shown.
      favours_large_classes: whether always answering the largest class gives a good value.
      undefined: returns why the metric has no value that can tell trials apart on images with these (N,) labels of
        these named classes, and what to do; empty where it has one.
      is_of_one_class: whether it tells how well one class, which its name has, is found.
      bind: returns the metric for data with these classes; None where it needs not know their names.
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
        """Returns the metric for data with these classes; whoever has the data asks for it before any value.

        Raises:
          UserError: it is no metric of such classes.
        """
        return replace(self.bind(classes), name=self.name, field=self.field, bind=None) if self.bind else self

    def check(self, labels: np.ndarray, classes: Sequence[str]) -> None:
        """Checks that trials can be told apart by their values on the images that they are judged by.

        Args:
          labels: (N,) class indices.
          classes: their names.

        Raises:
          UserError: they cannot, whatever the answers are.
        """
        why = self.undefined(labels, classes)
        if why:
            raise UserError(f"--metric {self.name}: on the {counted(len(labels), 'validation image')} {why}")

    @property
    def keeps(self) -> Literal["classes", "probabilities"]:
        """What of an epoch tells its value on any of its images: the classes that the net answers, or more."""
        are_enough = self.counts is not None or (self.images is not None and self.images.of_classes is not None)
        return "classes" if are_enough else "probabilities"

    @property
    def label(self) -> str:
        """The name without the file that it comes from; of a metric of one class the whole name."""
        return self.name if self.is_of_one_class else self.name.rpartition(":")[2]

    @property
    def is_measured(self) -> bool:
        """Whether there is a value that says how good a trial is."""
        return self.value is not None

    @property
    def sign(self) -> int:
        """A value times this is the larger, the better."""
        return 1 if self.greater_is_better else -1

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """The direction, as Optuna has it."""
        return "maximize" if self.greater_is_better else "minimize"

    def is_better(self, a: float, b: float) -> bool:
        return self.sign * a > self.sign * b

    def of_epochs(self, history: list[EpochMetrics]) -> list[float]:
        """The value of each epoch; of one that lacks it, which is damaged then, the worst there can be."""
        values = [getattr(metrics, self.field) for metrics in history]
        return [-self.sign * np.inf if value is None else value for value in values]

    def best_so_far(self, values: Sequence[float]) -> list[float]:
        """The best of the values up to each of them."""
        return list(accumulate(values, max if self.greater_is_better else min))

    def of_steps(self, history: list[EpochMetrics], epochs: int) -> list[float]:
        """The values that a trial is told by, one a step.

        A step is an epoch, and its value the best so far. Of a trial with a net for each fold a step is a fold that is
        finished, and its value the mean over the folds up to it, of each at its best epoch.

        Args:
          epochs: of each net, to its end.
        """
        if not history or history[0].fold is None:
            return self.best_so_far(self.of_epochs(history))
        found: list[float] = []
        for number, of_fold in enumerate(by_fold(history), start=1):
            if of_fold[0].fold != number or len(of_fold) < epochs:
                break
            found.append(self.best_so_far(self.of_epochs(of_fold))[-1])
        return [math.fsum(found[:count]) / count for count in range(1, len(found) + 1)]

    def best_epoch(self, values: Sequence[float]) -> int:
        """The first epoch, from 1, with the best value."""
        return 1 + values.index(self.best_so_far(values)[-1])


def unbound(*_: Any) -> Any:
    """Is in place of what a metric computes where that depends on the names of the classes, which it does not know."""
    raise ValueError("this metric has a value once `for_classes` has told it the classes")


def softmax(logits: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    """(N, classes) probabilities of (N, classes) logits.

    Args:
      dtype: in which exponents are computed; the largest logit is taken away in that of `logits`.
    """
    exponents = np.exp((logits - logits.max(axis=1, keepdims=True)).astype(dtype))
    return exponents / exponents.sum(axis=1, keepdims=True)
