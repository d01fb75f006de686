"""What metrics of one named class share: which of the classes it is is known once those of the data are."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from sweep.datasets.problems import printable, shown
from sweep.storage.errors import UserError
from sweep.trainable.metrics.contract import PERCENT, Metric, unbound
from sweep.trainable.metrics.predictions import of_counts

NAMED = 10  # classes in a message


def of_one_class(kind: str, class_name: str, of_class: Callable[[int, np.ndarray], np.ndarray]) -> Metric:
    """Returns the metric of a class, which has no value before it is bound to the classes of the data.

    Args:
      kind: `precision`.
      of_class: computes (...) values of the class with this index from (..., classes, classes) numbers of images, by
        true class and answer.
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
    if class_name in classes:
        return list(classes).index(class_name)
    near = difflib.get_close_matches(class_name, classes, n=1)
    some = ", ".join(map(shown, classes[:NAMED])) + (", ..." if len(classes) > NAMED else "")
    hint = f"did you mean {shown(near[0])}?" if near else f"the classes are {some}"
    raise UserError(f"--metric {name}: the data must have the class {shown(class_name)}, which it has not; {hint}")


def _undefined(class_name: str, labels: np.ndarray, classes: Sequence[str]) -> str:
    if (labels == list(classes).index(class_name)).any():
        return ""
    return f"the class {shown(class_name)} must have an image, and has none; validate on a split in which it has"
