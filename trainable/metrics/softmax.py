"""From logits to probabilities, in one place."""

import numpy as np


def softmax(logits: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    """(N, classes) probabilities of (N, classes) logits.

    Args:
      dtype: in which exponents are computed; the largest logit is taken away in that of `logits`.
    """
    exponents = np.exp((logits - logits.max(axis=1, keepdims=True)).astype(dtype))
    return exponents / exponents.sum(axis=1, keepdims=True)
