"""Chooses the one of two classes to which a single probability belongs."""

from collections.abc import Sequence

from sweep.datasets.problems import shown as quoted
from sweep.datasets.submission.numbers import number
from sweep.datasets.submission.spelling import words

# Words in the name of a class which say that something is absent, or as it should be.
NEGATIVE = {"no", "not", "non", "none", "without", "negative", "neg", "false", "absent", "background", "empty"}
NEGATIVE |= {"normal", "healthy", "benign", "good", "ok", "clean", "control"}


def class_by_name(column: str, classes: Sequence[str]) -> str | None:
    """Returns the class that a column is named after (`has_cactus`), or the only one that does not mean absence."""
    column_words = set(words(column))
    matches = [label for label in classes if words(label) and set(words(label)) <= column_words]
    if matches:
        return matches[0] if len(matches) == 1 else None
    others = [label for label in classes if not NEGATIVE & set(words(label))]
    return others[0] if len(others) == 1 else None


def positive_class(column: str, classes: Sequence[str]) -> tuple[str, str]:
    """Returns the class to which a column of probabilities belongs, and a clause that says why.

    The clause is empty if the choice is obvious.

    Args:
      column: the name of the column.
      classes: the two classes, in class order.
    """
    if all(number(label) is not None for label in classes):
        return classes[1], ""
    if positive := class_by_name(column, classes):
        return positive, ""
    reason = (
        f"{quoted(column)} does not say of which class, so it is the second by name" if column else "the second by name"
    )
    return classes[1], f"{reason}; --positive-class {classes[0]} if it is the other"
