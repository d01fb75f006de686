"""The metrics by which trials are judged; `Metric` in `contract.py` is the contract that all of them follow.

To add a metric, add its file and the name of the file to `NAMES`, and leave `field` of the `Metric` at its default:
only the three oldest metrics have a field of their own in `EpochMetrics`. Nothing here imports torch, so readers are
quick. The files are imported when the first metric is asked for: a second driver of a sweep, which is to be refused at
once, needs only the names.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sweep.storage import user_code
from sweep.storage.errors import UserError
from sweep.storage.sweep_file import RENAMED_METRICS

if TYPE_CHECKING:
    import numpy as np

    from sweep.trainable.metrics.contract import Metric

NAMES = (  # the metrics that a search can optimise
    "accuracy",
    "balanced_accuracy",
    "log_loss",
    "macro_f1",
    "weighted_f1",
    "micro_f1",
    "mcc",
    "qwk",
    "auc",
    "average_precision",
    "top5",
)
OF_ONE_CLASS = (  # metrics for one class, which is named with them: `recall:CLASS`
    "precision",
    "recall",
)
DEFAULT, LAST = "accuracy", "last"  # for a search, and for trials that train on their validation images
SHOWN = (*NAMES, *(f"{name}:CLASS" for name in OF_ONE_CLASS))


@cache
def metrics() -> "dict[str, Metric]":
    """Returns all metrics of this folder except those for one class, by their names, which are those of their files."""
    return {name: import_module(f"{__name__}.{name}").METRIC for name in (*NAMES, LAST)}


def is_name(name: object) -> bool:
    """Returns whether a metric can have this name: one of this folder's, or one of the user's as FILE.py:OBJECT."""
    return isinstance(name, str) and (name in (*NAMES, LAST) or _is_of_class(name) or is_own(name))


def is_own(name: str) -> bool:
    """Returns whether this name refers to a metric in a file of the user's.

    `recall:a.py:B` does not: there a class happens to have the name of a file.
    """
    return user_code.is_reference(name) and not _is_of_class(name)


def is_flag(value: str) -> bool:
    """Returns whether this can be the value of `--metric`: any metric's name, an old name too, but not `last`."""
    return RENAMED_METRICS.get(value, value) != LAST and is_name(RENAMED_METRICS.get(value, value))


def name_of(flag: str) -> str:
    """Returns the name of the metric that the value of `--metric` refers to; it may run a file of the user's.

    Raises:
      UserError: the file does not exist or does not run, or the object in it is not a metric.
    """
    if is_own(flag):
        return _own_metric(user_code.name(flag, "--metric")).name
    return RENAMED_METRICS.get(flag, flag)


def named(name: str) -> "Metric":
    """Returns the metric of this name.

    Raises:
      UserError: there is no such metric, or it is in a file of the user's that no command named.
    """
    if not is_name(name):
        raise UserError(f"metric must be one of {', '.join((*SHOWN, LAST))} or FILE.py:OBJECT, got {name}")
    if _is_of_class(name):
        kind, _, class_name = name.partition(":")
        metric: Metric = import_module(f"{__name__}.{kind}").of_class(class_name)
        return metric
    return metrics().get(name) or _own_metric(name)


def measure(labels: "np.ndarray", logits: "np.ndarray", metric: "Metric") -> dict[str, Any]:
    """Returns the fields of `EpochMetrics` that are measured on validation images, with that of the trial's metric.

    Args:
      labels: (N,) class indices.
      logits: (N, classes).
    """
    from sweep.trainable.metrics.history import OWN_FIELD

    # Every epoch is measured with the metrics that have a field of their own, whichever metric judges the trial.
    common = (each for each in metrics().values() if each.field != OWN_FIELD)
    computed = {each.field: each.value for each in (*common, metric) if each.value}
    return {field: value(labels, logits) for field, value in computed.items()}


def _is_of_class(name: str) -> bool:
    """Returns whether a name is that of a metric for one class, such as `recall:cat`."""
    kind, _, class_name = name.partition(":")
    return kind in OF_ONE_CLASS and bool(class_name)


def _own_metric(reference: str) -> "Metric":
    """Returns the metric at FILE.py:OBJECT, which a command must have named.

    A function is called with (N,) labels and (N, classes) probabilities; a larger result is better.

    Raises:
      UserError: no command named the file, or the object is not a metric.
    """
    from sweep.trainable.metrics.contract import Metric
    from sweep.trainable.metrics.history import OWN_FIELD

    candidate = user_code.get(reference)
    if isinstance(candidate, Metric) and candidate.value:
        return _with_check(replace(candidate, name=reference, field=OWN_FIELD))
    if not callable(candidate):
        rule = "must be a Metric with a value, or a function of labels and probabilities"
        raise UserError(f"{reference}: {rule}, got a {type(candidate).__name__}")
    short = reference.rpartition(":")[2].replace("_", " ").strip()
    article = "an" if short[:1] in "aeiou" else "a"
    return _with_check(
        Metric(reference, f"validation {short}", short, f"{article} {short}", _of_probabilities(candidate))
    )


def _of_probabilities(
    function: "Callable[[np.ndarray, np.ndarray], float]",
) -> "Callable[[np.ndarray, np.ndarray], float]":
    """Returns a function of labels and logits, made from the user's function of labels and probabilities."""
    from sweep.trainable.metrics.contract import softmax

    return lambda labels, logits: float(function(labels, softmax(logits)))


def _with_check(metric: "Metric") -> "Metric":
    """Returns the user's metric, with a check that refuses labels for which random answers have no finite value."""
    if metric.bind:
        return replace(metric, bind=lambda classes: _with_check(metric.for_classes(classes)))

    def undefined(labels: "np.ndarray", classes: "Sequence[str]") -> str:
        import numpy as np

        if problem := metric.undefined(labels, classes):
            return problem
        logits = np.random.default_rng(0).standard_normal((len(labels), len(classes)), np.float32)
        try:
            value = metric.value(labels, logits) if metric.value else np.nan
            is_number = bool(np.isfinite(value))
        except Exception as error:  # the user's code may raise anything
            return f"it raises {error!r} for random answers; mend it, or take another metric"
        return "" if is_number else f"it is {value} for random answers; it must be a finite number of any answers"

    return replace(metric, undefined=undefined)
