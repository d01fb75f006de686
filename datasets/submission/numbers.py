"""Probabilities as texts, and texts as numbers."""

import math

DIGITS = 9  # that count of a probability: rows of any number of classes add up to 1 within 1e-8, and small ones stay


def written(probability: float) -> str:
    """Returns the text of a probability: the shortest that has its first nine digits that count."""
    return f"{probability:.{DIGITS}g}"


def number(text: str) -> float | None:
    """Returns the finite number that a text is; None where it is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None
