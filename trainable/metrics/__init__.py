"""The metrics by which trials are judged; what they have in common is the contract `Metric`, in `contract.py`.

To add one, add its file and the name of the file to `FILES`, and leave `field` of the `Metric` out: an epoch is kept
with the fields of `EpochMetrics`, and only the oldest three metrics have one of their own there. Nothing here imports
torch: readers are quick.
"""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

import numpy as np

from storage import user_code
from storage.errors import UserError
from trainable.metrics.contract import PERCENT, Metric, PerImage, Scale
from trainable.metrics.history import OWN_FIELD

__all__ = ["PERCENT", "Metric", "PerImage", "Scale", "softmax"]  # what a metric is made of, in a file of the user's too

FILES = (
    "accuracy",
    "balanced_accuracy",
    "loss",
    "last",
)
METRICS: tuple[Metric, ...] = tuple(import_module(f"trainable.metrics.{file}").METRIC for file in FILES)
NAMES = tuple(metric.name for metric in METRICS if metric.is_measured)  # those that a search can be for
DEFAULT, LAST = "accuracy", "last"  # of a search, and of trials that train on their validation images
_BY_NAME = {metric.name: metric for metric in METRICS}


def is_name(name: object) -> bool:
    """Returns whether a metric can have this name: one of those here, or one of the user's, FILE.py:OBJECT."""
    return isinstance(name, str) and (name in _BY_NAME or user_code.is_reference(name))


def name_of(flag: str) -> str:
    """Takes the value of `--metric`, which may run a file of the user's; returns the metric's name.

    Raises:
      UserError: there is no such file, it does not run, or what it has is no metric.
    """
    return _own(user_code.name(flag, "--metric")).name if user_code.is_reference(flag) else flag


def named(name: str) -> Metric:
    """Returns the metric of this name.

    Raises:
      UserError: there is no such metric, or it is of a file of the user's that no command named.
    """
    if not is_name(name):
        raise UserError(f"metric must be one of {', '.join(_BY_NAME)} or FILE.py:OBJECT, got {name}")
    return _BY_NAME[name] if name in _BY_NAME else _own(name)


def measure(labels: np.ndarray, logits: np.ndarray, metric: Metric) -> dict[str, float]:
    """The fields of `EpochMetrics` that validation gives, that of the trial's metric among them.

    Args:
      labels: (N,) class indices.
      logits: (N, classes).
    """
    known = (each for each in METRICS if each.field != OWN_FIELD)  # measured of every epoch, whatever judges the trial
    computed = {each.field: each.value for each in (*known, metric) if each.value}
    return {field: value(labels, logits) for field, value in computed.items()}


def _own(reference: str) -> Metric:
    """Returns the metric at FILE.py:OBJECT, which a command must have named.

    A function is called with (N,) labels and (N, classes) probabilities; the larger what it returns, the better.

    Raises:
      UserError: no command named it, or it is no metric.
    """
    found = user_code.get(reference)
    if isinstance(found, Metric) and found.value:
        return replace(found, name=reference, field=OWN_FIELD)
    if not callable(found):
        rule = "must be a Metric with a value, or a function of labels and probabilities"
        raise UserError(f"{reference}: {rule}, got a {type(found).__name__}")
    short = reference.rpartition(":")[2].replace("_", " ").strip()
    article = "an" if short[:1] in "aeiou" else "a"
    return Metric(reference, f"validation {short}", short, f"{article} {short}", _of_probabilities(found))


def _of_probabilities(function: Callable[[np.ndarray, np.ndarray], float]) -> Callable[[np.ndarray, np.ndarray], float]:
    return lambda labels, logits: float(function(labels, softmax(logits)))


def softmax(logits: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    """(N, classes) probabilities of (N, classes) logits.

    Args:
      dtype: in which exponents are computed; the largest logit is taken away in that of `logits`.
    """
    exponents = np.exp((logits - logits.max(axis=1, keepdims=True)).astype(dtype))
    return exponents / exponents.sum(axis=1, keepdims=True)
