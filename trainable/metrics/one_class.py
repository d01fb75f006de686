"""The common part of metrics for one named class, whose index is known only with the classes of the data."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from sweep.datasets.problems import printable, shown
from sweep.storage.errors import UserError
from sweep.trainable.metrics.contract import PERCENT, Metric, unbound
from sweep.trainable.metrics.predictions import of_counts

NAMED = 10  # how many classes a message lists


def of_one_class(kind: str, class_name: str, of_class: Callable[[int, np.ndarray], np.ndarray]) -> Metric:
    """Returns the metric for a class, which has a value only after it is bound to the classes of the data.

    Args:
      kind: the first part of the metric's name, such as `precision`.
      class_name: the class, as the labels of the data have it.
      of_class: computes (...) values of the class with this index from (..., classes, classes) confusion matrices, true
        classes in rows.
    """
    short = f"{kind} of {printable(class_name)}"
    metric = Metric(
        f"{kind}:{class_name}",
        words=f"validation {short}",
        short=short,
        one=f"a {short}",
        value=unbound,
        counts=unbound,
        scale=PERCENT,
        is_of_one_class=True,
    )

    def bind(classes: Sequence[str]) -> Metric:
        counts = partial(of_class, _index(metric.name, class_name, classes))
        return replace(metric, value=of_counts(counts), counts=counts, undefined=partial(_undefined, class_name))

    return replace(metric, bind=bind)


def _index(name: str, class_name: str, classes: Sequence[str]) -> int:
    """Returns the index of the class.

    Raises:
      UserError: the data has no such class.
    """
    if class_name in classes:
        return list(classes).index(class_name)
    matches = difflib.get_close_matches(class_name, classes, n=1)
    names = ", ".join(map(shown, classes[:NAMED])) + (", ..." if len(classes) > NAMED else "")
    hint = f"did you mean {shown(matches[0])}?" if matches else f"the classes are {names}"
    raise UserError(f"--metric {name}: the data must have the class {shown(class_name)}, which it has not; {hint}")


def _undefined(class_name: str, labels: np.ndarray, classes: Sequence[str]) -> str:
    """Returns a message if no image is of the class, whose metric then tells no trials apart; else an empty text."""
    if (labels == list(classes).index(class_name)).any():
        return ""
    return f"the class {shown(class_name)} must have an image, and has none; validate on a split in which it has"
