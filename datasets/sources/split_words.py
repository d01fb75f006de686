"""Which split a name or a value speaks of."""

import re
from collections.abc import Iterable

WORDS = {
    "train": "train trn training trainset trainval fit",
    "validation": "valid validation val validate dev eval evaluation publictest",
    "test": "test testing tst testset t10k holdout heldout unseen privatetest",
}
SPLIT_OF = {word: split for split, words in WORDS.items() for word in words.split()}


def words_of(name: str) -> list[str]:
    """Returns the words of a name, in small letters: `X_trainSet-01` has `x`, `train`, `set` and `01`."""
    return [word.lower() for word in re.findall(r"t10k|[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_]+", name)]


def split_in(name: str) -> str | None:
    """Returns the split that a name speaks of: the last part of a path that speaks of one decides.

    None where none does, or a part speaks of two.
    """
    for part in reversed(name.split("/")):
        found = {SPLIT_OF[word] for word in words_of(part) if word in SPLIT_OF}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def split_of_value(value: str) -> str | None:
    """Returns the split that a cell of a table names; None for any other word."""
    return SPLIT_OF.get(re.sub(r"[^a-z0-9]", "", value.lower()))


def are_splits(values: Iterable[str]) -> bool:
    """Says whether every value names a split, and train is one of them."""
    found = {split_of_value(value) for value in set(values)}
    return "train" in found and None not in found
