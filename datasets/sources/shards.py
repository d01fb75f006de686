"""Reads tars of `KEY.jpg` beside `KEY.cls`, `KEY.txt` or `KEY.json`, as WebDataset writes them."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping

from sweep.datasets.file_tree import FileTree
from sweep.datasets.problems import DataError, Findings, Problem, printable, shown
from sweep.datasets.sources import Nearly, Reading, Source
from sweep.datasets.sources.checked import check_listing
from sweep.datasets.sources.listing import Listing
from sweep.datasets.sources.roles import LABEL_WORDS
from sweep.datasets.sources.split_names import words_of
from sweep.datasets.sources.split_words import split_of_container
from sweep.datasets.trees.tars import SUFFIXES
from sweep.storage.sweep_file import DataOptions

SPLITS = ("train", "validation", "test")
# the first of these that exists holds the labels
OF_LABELS = ("cls", "label", "class", "cls.txt", "label.txt", "json", "txt")
MOST_LABEL = 1 << 20  # bytes that a file with a label may have
MOST_NAMED = 3  # how many tars a message lists


def read(tree: FileTree, options: DataOptions, findings: Findings) -> Reading | Nearly | None:
    """Reads the data as tars of images and labels; None if it holds none. This is the `read` of `Source`."""
    keys = _keys(tree)
    extensions = Counter(suffix for parts in keys.values() for suffix in parts)
    image_suffixes = [suffix for suffix in extensions if any(_is_image(tree, parts, suffix) for parts in keys.values())]
    with_image = [parts for parts in keys.values() if any(_is_image(tree, parts, suffix) for suffix in image_suffixes)]
    counts = Counter(suffix for parts in with_image for suffix in _label_suffixes(options) if suffix in parts)
    # A file that lies beside only few of the images is something else, such as a readme.
    label = next((suffix for suffix in _label_suffixes(options) if 2 * counts[suffix] >= len(with_image)), None)
    if not image_suffixes or not keys:
        return None
    if label is None:
        return None
    try:
        listings = _listings(tree, keys, image_suffixes, label, options, findings)
    except DataError as error:
        return Nearly(error.problems[0])
    if "train" not in listings:
        got = ", ".join(shown(tar) for tar in sorted({tar for tar, _ in keys})[:MOST_NAMED])
        return Nearly(Problem(tree.path, "one of the tars must be for training", got, "name it by --train"))
    files = frozenset(name for parts in keys.values() for suffix, name in parts.items() if suffix == label)
    form = f"tars of images beside .{label} files, {shown(min(tar for tar, _ in keys) or tree.path)}"
    return Reading(form, f"--train {min(tar for tar, _ in keys)}", listings, (f"label: .{label}",), files)


def _keys(tree: FileTree) -> dict[tuple[str, str], dict[str, str]]:
    """Returns the files of each key in each tar, by the part of their names after the first dot."""
    tars = {name for name in tree.folders if name.lower().endswith(SUFFIXES)}
    if tree.path.lower().endswith(SUFFIXES):
        tars.add("")
    keys: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for name in tree.visible if tars else ():
        folder, _, file = name.rpartition("/")
        stem, dot, extension = file.partition(".")
        tar = folder
        while tar and tar not in tars:
            tar = tar.rpartition("/")[0]
        if dot and tar in tars:
            keys[tar, f"{folder}/{stem}"][extension.lower()] = name
    return keys


def _label_suffixes(options: DataOptions) -> tuple[str, ...]:
    """Returns the suffixes of files that may hold the labels; a flag may name one, or a field of the .json."""
    if options.label_column is None:
        return OF_LABELS
    return options.label_column.lstrip(".").lower(), "json"


def _is_image(tree: FileTree, parts: Mapping[str, str], extension: str) -> bool:
    """Returns whether a key has an image with this suffix."""
    return extension in parts and tree.is_image(parts[extension])


def _listings(
    tree: FileTree,
    keys: Mapping[tuple[str, str], Mapping[str, str]],
    image_suffixes: list[str],
    label: str,
    options: DataOptions,
    findings: Findings,
) -> dict[str, Listing]:
    """Returns the listing of each split.

    Raises:
      DataError: a key has several images, or a label cannot be read.
    """
    files: dict[str, list[str]] = defaultdict(list)
    labels: dict[str, list[str]] = defaultdict(list)
    unlabelled = []
    for (tar, _), parts in sorted(keys.items()):
        paths = [parts[suffix] for suffix in image_suffixes if suffix in parts]
        if len(paths) > 1:
            got = ", ".join(map(shown, paths))
            raise DataError([Problem(tree.path, "a key must have one image", got, "leave the others out of the tar")])
        if not paths:
            continue
        split = split_of_container(tar, options) or "train"
        value = _label(tree, parts[label], label, options) if label in parts else ""
        if not value and split != "test":
            unlabelled.append(paths[0])
        files[split].append(paths[0])
        labels[split].append(value)
    for name in unlabelled:
        place = f"{tree.path}/{printable(name)}"
        findings.refuse(place, f"image must have its label beside it, in .{label}", "none", "add it")
    listings = {}
    for split in SPLITS:
        if names := tuple(files[split]):
            values = tuple(labels[split]) if any(labels[split]) else None
            listing = Listing(f"{tree.path}/", names, values, names)
            if values and not all(values):
                listing = listing.take([row for row, value in enumerate(values) if value])
            listings[split] = check_listing(listing, findings)
    return listings


def _label(tree: FileTree, name: str, extension: str, options: DataOptions) -> str:
    """Returns the label in a file of a key.

    Raises:
      DataError: it cannot be read, or no field is clearly the label.
    """
    place = f"{tree.path}/{printable(name)}"
    try:
        if tree.files[name] > MOST_LABEL:
            raise ValueError(f"must have at most {MOST_LABEL >> 20} MiB")
        text = tree.read(name).decode("utf-8-sig").strip()
        if extension != "json":
            return text
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError([Problem(place, "label must be readable", str(error), "mend it")]) from error
    if not isinstance(fields, dict):
        return str(fields)
    column = options.label_column
    matches = [field for field in fields if field == column]
    if column is None:
        by_word = [field for field in fields if set(words_of(field)) & LABEL_WORDS]
        matches = [field for field in by_word if field.lower() in LABEL_WORDS] or by_word
    if len(matches) != 1 or isinstance(fields[matches[0]], dict | list):
        got = ", ".join(map(shown, fields)) or "none"
        raise DataError([Problem(place, "one field must be the label", got, "choose with --label-column FIELD")])
    value = fields[matches[0]]
    return "" if value is None else str(value)


SOURCE = Source("tars of KEY.jpg and KEY.cls", read)
