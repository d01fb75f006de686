"""Converts probabilities to text, and text to numbers."""

import math

DIGITS = 9  # significant digits of a probability: rows of any length sum to 1 within 1e-8, and small values are kept


def written(probability: float) -> str:
    """Returns a probability as text, rounded to `DIGITS` significant digits and without trailing zeros."""
    return f"{probability:.{DIGITS}g}"


def number(text: str) -> float | None:
    """Returns the finite number that a text is, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None
