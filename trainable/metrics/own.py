"""Metrics of the user's own files: a `Metric`, or a function of labels and probabilities whose value is a number."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from storage import user_code
from storage.errors import UserError
from trainable.metrics.contract import Metric
from trainable.metrics.history import OWN_FIELD
from trainable.metrics.softmax import softmax


def own(reference: str) -> Metric:
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
