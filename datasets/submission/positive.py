"""Which of two classes a single probability is of."""

from collections.abc import Sequence

from sweep.datasets.problems import shown as quoted
from sweep.datasets.submission.numbers import number
from sweep.datasets.submission.spelling import words

# Words of a class that say that something is not there, or is as it should be.
NEGATIVE = {"no", "not", "non", "none", "without", "negative", "neg", "false", "absent", "background", "empty"}
NEGATIVE |= {"normal", "healthy", "benign", "good", "ok", "clean", "control"}


def class_by_name(column: str, classes: Sequence[str]) -> str | None:
    """Returns the class that a column is named after, `has_cactus` or `is_dog`; or the one that is no absence of it."""
    of_column = set(words(column))
    named = [label for label in classes if words(label) and set(words(label)) <= of_column]
    if named:
        return named[0] if len(named) == 1 else None
    others = [label for label in classes if not NEGATIVE & set(words(label))]
    return others[0] if len(others) == 1 else None


def positive_class(column: str, classes: Sequence[str]) -> tuple[str, str]:
    """Returns the class that a column of probabilities is of, and why: a clause, empty where nobody would ask.

    Args:
      classes: two, in class order.
    """
    if all(number(label) is not None for label in classes):
        return classes[1], ""
    if named := class_by_name(column, classes):
        return named, ""
    why = (
        f"{quoted(column)} does not say of which class, so it is the second by name" if column else "the second by name"
    )
    return classes[1], f"{why}; --positive-class {classes[0]} if it is the other"
