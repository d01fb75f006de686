"""Finds the class that each name in a sample means if they are spelled differently: `Fat Hen`, `p(fat_hen)`."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from sweep.datasets.labels import meaning

JOINTS = (None, " ", "_", "-", "")  # possible texts between two words; None keeps the present one
CASES: tuple[Callable[[str], str], ...] = (str, str.lower, str.upper, str.capitalize, str.title)


def words(name: str) -> list[str]:
    """Returns the words and numbers in a name, in lower case: is, black, grass and 7 for `is_BlackGrass07`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    parts = re.findall(r"[^\W\d_]+|\d+", spaced)
    return [str(int(word)) if word.isascii() and word.isdigit() else word.casefold() for word in parts]


def plain(name: str) -> str:
    """Returns a key that is equal for names which differ only in case, punctuation or the spelling of a number."""
    value = meaning(name)
    return "".join(words(name)) if isinstance(value, str) else f"{value:g}"


def matched(names: Sequence[str], classes: Sequence[str], numbers: Mapping[str, str]) -> dict[str, str] | None:
    """Returns the name of each class among several names; None if a class has none, or more than one.

    Args:
      names: the names in the sample.
      classes: the classes of train.
      numbers: the class that each number means.
    """
    for keys, class_keys in _keys(names, classes, numbers):
        counts = Counter(keys)
        by_key = dict(zip(keys, names, strict=True))
        if len(set(class_keys)) == len(classes) and all(key and counts[key] == 1 for key in class_keys):
            return {label: by_key[key] for label, key in zip(classes, class_keys, strict=True)}
    return None


def _keys(
    names: Sequence[str], classes: Sequence[str], numbers: Mapping[str, str]
) -> Iterator[tuple[list[str], list[str]]]:
    """Yields keys of the names and of the classes by which they are compared, the strictest first."""
    yield list(names), list(classes)
    yield list(map(plain, names)), list(map(plain, classes))
    yield _drop_shared_words(names), list(map(plain, classes))
    yield _drop_shared_words(names), _drop_shared_words(classes)
    number_of = {label: number for number, label in numbers.items()}
    if set(classes) <= number_of.keys():  # the sample may have numbers where train has names
        class_keys = [plain(number_of[label]) for label in classes]
        yield list(map(plain, names)), class_keys
        yield _drop_shared_words(names), class_keys
    name_of = {plain(number): name for number, name in numbers.items()}
    if {plain(label) for label in classes} <= name_of.keys():  # or names where train has numbers
        class_keys = [plain(name_of[plain(label)]) for label in classes]
        yield list(map(plain, names)), class_keys
        yield _drop_shared_words(names), class_keys


def _drop_shared_words(names: Sequence[str]) -> list[str]:
    """Returns the names without words that all begin or end with: 0 and 1 for `class_0` and `class_1`."""
    parts = [words(name) for name in names]
    if len(parts) > 1:
        begin = _count_shared_words(parts)
        parts = [part[begin:] for part in parts]
        end = _count_shared_words([part[::-1] for part in parts])
        parts = [part[: len(part) - end] for part in parts]
    return ["".join(part) for part in parts]


def _count_shared_words(parts: Sequence[Sequence[str]]) -> int:
    """Returns how many words all names begin with."""
    return next(
        (index for index, column in enumerate(zip(*parts, strict=False)) if len(set(column)) > 1), min(map(len, parts))
    )


def in_the_writing_of(values: Sequence[str], classes: Sequence[str]) -> dict[str, str] | None:
    """Returns each class in the spelling of some values, which are classes themselves; None if that is not certain.

    For example, if `sugar_beet` and `fat_hen` are classes and the only value is `Sugar beet`, `fat_hen` is `Fat hen`.
    """
    by_key = {plain(label): label for label in classes}
    labels = {value: by_key.get(plain(value)) for value in values}
    if len(by_key) < len(classes) or None in labels.values():
        return None
    spellings: list[dict[str, str]] = []
    for joint in JOINTS:
        for case in CASES:
            texts = {label: label if joint is None else re.sub(r"[ _\-]+", joint, label) for label in classes}
            spelling = {label: case(text) for label, text in texts.items()}
            if all(spelling[label or ""] == value for value, label in labels.items()):
                spellings.append(spelling)
    return spellings[0] if spellings and all(spelling == spellings[0] for spelling in spellings) else None
