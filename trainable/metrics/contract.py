"""What a metric is: `Metric`, and its two parts. Each file beside this one is a metric or serves them all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

import numpy as np

from trainable.metrics.history import OWN_FIELD, EpochMetrics


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
class Metric:
    """How trials are judged: what is reported, told, ranked, kept and shown of each.

    Attributes:
      name: as `--metric` takes it and `sweep.json` has it.
      words: of a value on the validation images, `validation accuracy`.
      short: where there is little room, `accuracy`.
      one: with its article, `an accuracy`.
      value: computes the value from (N,) labels and (N, classes) logits; None for `last` alone, whose `field` is one
        that every epoch has.
      greater_is_better: the direction of the search.
      field: the one of `EpochMetrics` that holds the value of an epoch; metrics without one of their own share one.
      images: the scores of which the value is a mean; None where it is no such mean, and is computed anew for each
        draw of images.
      scale: how values are shown.
      favours_large_classes: whether always answering the largest class gives a good value.
    """

    name: str
    words: str
    short: str
    one: str
    value: Callable[[np.ndarray, np.ndarray], float] | None
    greater_is_better: bool = True
    field: str = OWN_FIELD
    images: PerImage | None = None
    scale: Scale = Scale()
    favours_large_classes: bool = False

    @property
    def label(self) -> str:
        """The name without the file that it comes from."""
        return self.name.rpartition(":")[2]

    @property
    def is_measured(self) -> bool:
        """Whether there is a value that says how good a trial is."""
        return self.value is not None

    @property
    def is_by_class(self) -> bool:
        """Whether the class that a net answers tells the score of an image, whatever its probability is."""
        return self.images is not None and self.images.of_classes is not None

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

    def best_epoch(self, values: Sequence[float]) -> int:
        """The first epoch, from 1, with the best value."""
        return 1 + values.index(self.best_so_far(values)[-1])


def softmax(logits: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    """(N, classes) probabilities of (N, classes) logits.

    Args:
      dtype: in which exponents are computed; the largest logit is taken away in that of `logits`.
    """
    exponents = np.exp((logits - logits.max(axis=1, keepdims=True)).astype(dtype))
    return exponents / exponents.sum(axis=1, keepdims=True)
