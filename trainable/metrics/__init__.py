"""The metrics by which trials are judged, each a `Metric` in a file of its own; to add one, add a file and its name.

Torch is not imported, so that readers are quick.
"""

import numpy as np

from storage import user_code
from trainable.metrics import accuracy, balanced_accuracy, last, loss
from trainable.metrics.contract import Metric
from trainable.metrics.own import own

METRICS = (accuracy.METRIC, balanced_accuracy.METRIC, loss.METRIC, last.METRIC)
MEASURED = (loss.METRIC, accuracy.METRIC, balanced_accuracy.METRIC)  # of every epoch, whatever judges the trial
NAMES = tuple(metric.name for metric in METRICS if metric.value)  # those that a search can be for
DEFAULT, LAST = accuracy.METRIC.name, last.METRIC.name
_BY_NAME = {metric.name: metric for metric in METRICS}


def is_name(name: object) -> bool:
    """Returns whether a metric can have this name: one of those here, or one of the user's, FILE.py:OBJECT."""
    return isinstance(name, str) and (name in _BY_NAME or user_code.is_reference(name))


def named(name: str) -> Metric:
    """Returns the metric of a name that `is_name` knows.

    Raises:
      UserError: it is of a file of the user's that no command named, or that has no metric of this name.
    """
    return _BY_NAME[name] if name in _BY_NAME else own(name)


def measure(labels: np.ndarray, logits: np.ndarray, metric: Metric) -> dict[str, float]:
    """The fields of `EpochMetrics` that validation gives, that of the trial's metric among them.

    Args:
      labels: (N,) class indices.
      logits: (N, classes).
    """
    computed = {each.field: each.value for each in (*MEASURED, metric) if each.value}
    return {field: value(labels, logits) for field, value in computed.items()}
