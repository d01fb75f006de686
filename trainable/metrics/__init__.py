"""The metrics by which trials are judged; what they have in common is the contract `Metric`, in `contract.py`.

To add one, add its file and the name of the file to `NAMES`, and leave `field` of the `Metric` out: an epoch is kept
with the fields of `EpochMetrics`, and only the oldest three metrics have one of their own there. Nothing here imports
torch, so readers are quick, and the files are imported when the first metric is asked for: a second driver, which
needs the names alone, is refused at once.
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

NAMES = (  # those that a search can be for
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
OF_ONE_CLASS = (  # the same, of a class that is named: `recall:CLASS`
    "precision",
    "recall",
)
DEFAULT, LAST = "accuracy", "last"  # of a search, and of trials that train on their validation images
SHOWN = (*NAMES, *(f"{name}:CLASS" for name in OF_ONE_CLASS))


@cache
def metrics() -> "dict[str, Metric]":
    """Returns every metric of this folder that has one name, which is that of its file, by it."""
    return {name: import_module(f"{__name__}.{name}").METRIC for name in (*NAMES, LAST)}


def is_name(name: object) -> bool:
    """Returns whether a metric can have this name: one of those here, or one of the user's, FILE.py:OBJECT."""
    return isinstance(name, str) and (name in (*NAMES, LAST) or _is_of_class(name) or is_own(name))


def is_own(name: str) -> bool:
    """Returns whether this is the name of a metric in a file of the user's; a class may be called like one."""
    return user_code.is_reference(name) and not _is_of_class(name)


def is_flag(value: str) -> bool:
    """Returns whether this can be the value of `--metric`: a name, which may be one of before, and is not `last`."""
    return RENAMED_METRICS.get(value, value) != LAST and is_name(RENAMED_METRICS.get(value, value))


def name_of(flag: str) -> str:
    """Takes the value of `--metric`, which may run a file of the user's; returns the metric's name.

    Raises:
      UserError: there is no such file, it does not run, or what it has is no metric.
    """
    if is_own(flag):
        return _own(user_code.name(flag, "--metric")).name
    return RENAMED_METRICS.get(flag, flag)


def named(name: str) -> "Metric":
    """Returns the metric of this name.

    Raises:
      UserError: there is no such metric, or it is of a file of the user's that no command named.
    """
    if not is_name(name):
        raise UserError(f"metric must be one of {', '.join((*SHOWN, LAST))} or FILE.py:OBJECT, got {name}")
    if _is_of_class(name):
        kind, _, class_name = name.partition(":")
        metric: Metric = import_module(f"{__name__}.{kind}").of_class(class_name)
        return metric
    return metrics().get(name) or _own(name)


def measure(labels: "np.ndarray", logits: "np.ndarray", metric: "Metric") -> dict[str, Any]:
    """The fields of `EpochMetrics` that validation gives, that of the trial's metric among them.

    Args:
      labels: (N,) class indices.
      logits: (N, classes).
    """
    from sweep.trainable.metrics.history import OWN_FIELD

    # Whatever judges the trial, every epoch is measured by those that have a field of their own.
    known = (each for each in metrics().values() if each.field != OWN_FIELD)
    computed = {each.field: each.value for each in (*known, metric) if each.value}
    return {field: value(labels, logits) for field, value in computed.items()}


def _is_of_class(name: str) -> bool:
    kind, _, class_name = name.partition(":")
    return kind in OF_ONE_CLASS and bool(class_name)


def _own(reference: str) -> "Metric":
    """Returns the metric at FILE.py:OBJECT, which a command must have named.

    A function is called with (N,) labels and (N, classes) probabilities; the larger what it returns, the better.

    Raises:
      UserError: no command named it, or it is no metric.
    """
    from sweep.trainable.metrics.contract import Metric
    from sweep.trainable.metrics.history import OWN_FIELD

    found = user_code.get(reference)
    if isinstance(found, Metric) and found.value:
        return _refusing(replace(found, name=reference, field=OWN_FIELD))
    if not callable(found):
        rule = "must be a Metric with a value, or a function of labels and probabilities"
        raise UserError(f"{reference}: {rule}, got a {type(found).__name__}")
    short = reference.rpartition(":")[2].replace("_", " ").strip()
    article = "an" if short[:1] in "aeiou" else "a"
    return _refusing(Metric(reference, f"validation {short}", short, f"{article} {short}", _of_probabilities(found)))


def _of_probabilities(
    function: "Callable[[np.ndarray, np.ndarray], float]",
) -> "Callable[[np.ndarray, np.ndarray], float]":
    from sweep.trainable.metrics.contract import softmax

    return lambda labels, logits: float(function(labels, softmax(logits)))


def _refusing(metric: "Metric") -> "Metric":
    """Returns a metric of the user's that has no value where it has no number for random answers."""
    if metric.bind:
        return replace(metric, bind=lambda classes: _refusing(metric.for_classes(classes)))

    def undefined(labels: "np.ndarray", classes: "Sequence[str]") -> str:
        import numpy as np

        if why := metric.undefined(labels, classes):
            return why
        logits = np.random.default_rng(0).standard_normal((len(labels), len(classes)), np.float32)
        try:
            value = metric.value(labels, logits) if metric.value else np.nan
            is_number = bool(np.isfinite(value))
        except Exception as error:  # whatever the user's code raises
            return f"it raises {error!r} for random answers; mend it, or take another metric"
        return "" if is_number else f"it is {value} for random answers; it must be a finite number of any answers"

    return replace(metric, undefined=undefined)
