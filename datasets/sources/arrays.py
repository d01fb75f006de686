"""Reads data whose images and labels are arrays of their own: `.npz`, `.npy`, HDF5, and idx files as in MNIST."""

import re
from collections import defaultdict
from collections.abc import Sequence

from sweep.datasets.file_tree import FileTree
from sweep.datasets.problems import DataError, Findings, Problem, printable, shown
from sweep.datasets.sources import Nearly, Reading, Source
from sweep.datasets.sources.checked import check_listing
from sweep.datasets.sources.listing import Listing
from sweep.datasets.sources.split_names import OF_WORD, words_of
from sweep.datasets.sources.split_words import TEN_THOUSAND, split_of_container
from sweep.datasets.trees import NamedArray
from sweep.storage.sweep_file import DataOptions

SPLITS = ("train", "validation", "test")
IMAGE_WORDS = {"images", "image", "imgs", "img", "x", "data", "features", "pixels", "pictures", "photos", "inputs"}
LABEL_WORDS = {"labels", "label", "lbl", "y", "target", "targets", "class", "classes", "category", "outputs", "ans"}
# parts of a file's name that do not tell one array from another
FORMAT_PARTS = re.compile(r"idx\d|ubyte|\.(gz|npy|npz|h5|hdf5|idx)\b")


def read(tree: FileTree, options: DataOptions, findings: Findings) -> Reading | Nearly | None:
    """Reads the data as arrays of images and labels; None if it holds no arrays. This is the `read` of `Source`."""
    arrays = sorted(filter(lambda array: tree.rules.is_visible(array.name), tree.arrays), key=lambda array: array.name)
    if not any(array.images for array in arrays):
        unreadable = next((array for array in arrays if array.why_not), None)
        if unreadable is None:
            return _no_images(tree, arrays)
        return Nearly(_read_problem(tree, unreadable))
    try:
        pairs = _pairs(tree, arrays, options)
        names = _names_of_classes(arrays, _values(tree, pairs["train"][1]) or ())
        listings = {split: _listing(tree, *pairs[split], names, findings) for split in SPLITS if split in pairs}
    except DataError as error:
        return Nearly(error.problems[0])
    except ValueError as error:  # raised for a damaged array
        return Nearly(Problem(tree.path, "the arrays must be readable", str(error), "fetch the file again"))
    for array in arrays:
        if array.why_not and (split_of_container(array.name, options) or "train") not in pairs:
            findings.problems.append(_read_problem(tree, array))
    images, labels = pairs["train"]
    inferred = [f"label: array {labels.name}"] if labels else []
    form = f"images in the rows of arrays, {shown(images.name)}"
    files = frozenset(_file_of(tree, array) for array in arrays)
    test = listings.get("test")
    numbers = {str(row + 1): row for row in range(len(test.ids))} if test else {}
    return Reading(form, f"--train {images.name}", listings, tuple(inferred), files, None, numbers)


def _read_problem(tree: FileTree, array: NamedArray) -> Problem:
    """Returns the problem of an array that cannot be read."""
    reason, _, way_out = array.why_not.partition("; ")
    return Problem(
        _place(tree, array), f"the array is not read, for {reason}", "", way_out or "take it out of the data"
    )


def _no_images(tree: FileTree, arrays: Sequence[NamedArray]) -> Nearly | None:
    """Returns the problem that no array has the shape of images; None if there are no arrays."""
    if not arrays:
        return None
    shapes = [f"{shown(array.name)} of {' x '.join(map(str, array.shape))}" for array in arrays[:4]]
    got = ", ".join(shapes) + (", ..." if len(arrays) > 4 else "")
    rule = "an array must hold images: of N x height x width, or N x height x width x 3"
    return Nearly(Problem(tree.path, rule, got, "give it this shape by numpy.reshape, and save it by numpy.savez"))


def _pairs(
    tree: FileTree, arrays: Sequence[NamedArray], options: DataOptions
) -> dict[str, tuple[NamedArray, NamedArray | None]]:
    """Returns, for each split, the array of its images and the array of its labels, if any.

    Raises:
      DataError: it is not clear which arrays are meant, or labels or the train split are missing.
    """
    images: dict[str, list[NamedArray]] = defaultdict(list)
    labels: dict[str, list[NamedArray]] = defaultdict(list)
    for array in arrays:
        split = split_of_container(array.name, options) or "train"
        if array.images:
            images[split].append(array)
        elif array.values:
            labels[split].append(array)
    pairs: dict[str, tuple[NamedArray, NamedArray | None]] = {}
    for split, candidates in images.items():
        image_array = _choose(tree, candidates, options.images, IMAGE_WORDS, "--images", f"images of {split}")
        matches = [array for array in labels[split] if array.shape[0] == image_array.shape[0]]
        same_subject = [array for array in matches if _subject(array) == _subject(image_array)]
        by_word = [array for array in same_subject or matches if set(_last_words(array)) & LABEL_WORDS]
        matches = by_word or same_subject or matches
        if matches:
            label_array = _choose(
                tree, matches, options.label_column, LABEL_WORDS, "--label-column", f"labels of {split}"
            )
            pairs[split] = image_array, label_array
        elif split == "test":
            pairs[split] = image_array, None
        else:
            unreadable = next((array for array in arrays if array.why_not), None)
            rule = f"an array of labels must have a row for each of the {image_array.shape[0]:,} images"
            others = ", ".join(f"{shown(array.name)} with {array.shape[0]:,}" for array in labels[split])
            got = f"{shown(unreadable.name)}, and {unreadable.why_not}" if unreadable else others or "none"
            raise DataError([Problem(_place(tree, image_array), rule, got, "add it, or name it by --label-column")])
    if "train" not in pairs:
        got = ", ".join(shown(array.name) for array in arrays if array.images)
        raise DataError([Problem(tree.path, "one array of images must be for training", got, "name it by --train")])
    return pairs


def _choose(
    tree: FileTree, arrays: Sequence[NamedArray], name: str | None, words: set[str], flag: str, content: str
) -> NamedArray:
    """Returns the array that a flag names, the only one, or the only one whose name says what it holds.

    Args:
      tree: the data set.
      arrays: the arrays to choose from.
      name: the value of the flag.
      words: words that say in a name what the array holds.
      flag: the flag, for the message.
      content: what the array is to hold, for the message.

    Raises:
      DataError: it is not clear which array is meant.
    """
    by_flag = [array for array in arrays if name in (array.name, array.name.rpartition("/")[2])]
    by_subject = [array for array in arrays if name and (name in _subject(array) or array.name.startswith(f"{name}/"))]
    by_word = [array for array in arrays if set(_last_words(array)) & words]
    for candidates in (by_flag, by_subject, arrays, by_word):
        if len(candidates) == 1:
            return candidates[0]
    got = ", ".join(shown(array.name) for array in arrays[:4]) + (", ..." if len(arrays) > 4 else "")
    way_out = "choose with " + " or ".join(f"{flag} {_flag_value(array, arrays)}" for array in arrays[:2])
    raise DataError([Problem(tree.path, f"one array must hold the {content}", got, way_out)])


def _flag_value(array: NamedArray, arrays: Sequence[NamedArray]) -> str:
    """Returns the value of a flag that tells an array from the others: a word, a file or its whole name.

    A word is preferred, because it tells them apart in each split.
    """
    words = (
        word for word in _subject(array) if not any(word in _subject(other) for other in arrays if other is not array)
    )
    file = array.name.rpartition("/")[0]
    is_alone = [other for other in arrays if other.name.startswith(f"{file}/")] == [array]
    return next(words, file if file and is_alone else array.name)


def _last_words(array: NamedArray) -> list[str]:
    """Returns the words in the last part of an array's name."""
    return words_of(FORMAT_PARTS.sub(" ", array.name.rpartition("/")[2]))


def _subject(array: NamedArray) -> list[str]:
    """Returns the words of an array's name that mean neither its content nor its split.

    These words are the same for an array of images and the array of their labels.
    """
    words = words_of(FORMAT_PARTS.sub(" ", TEN_THOUSAND.sub("test", array.name)))
    return [word for word in words if word not in OF_WORD and word not in IMAGE_WORDS | LABEL_WORDS]


def _names_of_classes(arrays: Sequence[NamedArray], labels: Sequence[str]) -> tuple[str, ...]:
    """Returns the names of the classes from an array such as `list_classes`, which has one for each number.

    The result is empty if no array has that many names, or if two do, such as coarse and fine classes.
    """
    if not all(value.isdigit() for value in labels):
        return ()
    count = max(map(int, labels), default=0) + 1
    candidates = [
        array for array in arrays if array.shape == (count,) and {"names", "classes"} & set(_last_words(array))
    ]
    texts = {tuple(array.values()) for array in candidates if array.values}
    texts = {names for names in texts if not any(name.lstrip("-").isdigit() for name in names)}
    return texts.pop() if len(texts) == 1 else ()


def _values(tree: FileTree, labels: NamedArray | None) -> tuple[str, ...] | None:
    """Returns the labels in an array; None if there is no array or it holds no values.

    Raises:
      DataError: the array cannot be read.
    """
    if labels is None or labels.values is None:
        return None
    try:
        return tuple(labels.values())
    except ValueError as error:
        problem = Problem(
            _place(tree, labels), "labels must be readable", str(error), "choose with --label-column NAME"
        )
        raise DataError([problem]) from error


def _listing(
    tree: FileTree, images: NamedArray, labels: NamedArray | None, names: tuple[str, ...], findings: Findings
) -> Listing:
    """Returns the listing of a split, with names for the numbers of classes if there are any."""
    values = _values(tree, labels)
    if values is not None and all(value.isdigit() and int(value) < len(names) for value in values):
        values = tuple(names[int(value)] for value in values)
    files = tuple(images.images or ())
    return check_listing(Listing(f"{tree.path}/", files, values, files), findings)


def _place(tree: FileTree, array: NamedArray) -> str:
    """Returns the path of an array as messages show it."""
    return f"{tree.path}/{printable(array.name)}"


def _file_of(tree: FileTree, array: NamedArray) -> str:
    """Returns the container in which an array lies."""
    name = array.name
    while name and name not in tree.folders:
        name = name.rpartition("/")[0]
    return name or array.name


SOURCE = Source("arrays of images and labels (.npz, .npy, idx, HDF5)", read)
