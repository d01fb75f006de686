"""Finds images by the many ways in which tables name them: with or without suffix, folder, or disk."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from sweep.datasets.file_tree import FileTree
from sweep.datasets.sources.split_names import split_in, words_of

# Words which say that a folder holds images, but not what these show.
PLAIN_WORDS = {"image", "images", "img", "imgs", "jpg", "jpeg", "png", "data", "dataset", "part", "folder", "photos"}
PLAIN_WORDS |= {
    "set",
    "batch",
    "archive",
    "zip",
    "tar",
    "raw",
    "new",
    "all",
    "jpegimages",
    "pictures",
    "masks",
    "annotations",
    "labels",
}
MASK_WORDS = {"masks", "trimaps", "segmentation", "segmentations", "groundtruth"}
# beginnings of an absolute path, which is usually one on another machine
DRIVE = re.compile(r"[A-Za-z]:/|/|~/|file:/|[a-z0-9]+://")
MOST_DIGITS = 30  # of a name that is read as a number
PACKING = re.compile(r"\.(zip|tgz|tbz2?|txz|tar(\.\w+)?)$", re.IGNORECASE)
STRAY_TIMES = 2  # a folder counts as an alternative only if the fullest has at most so many times its images


def image_files(tree: FileTree) -> list[str]:
    """Returns the images that are files, in a folder or an archive, but not those in rows of a table or an array."""
    rows = {f"{table.name}/" for table in tree.tables} | {f"{array.name}/" for array in tree.arrays}
    containers = tuple(sorted(rows))
    return [name for name in tree.visible if not name.startswith(containers) and tree.is_image(name)]


def without_masks(files: list[str]) -> list[str]:
    """Returns the images without masks of other images: files in `masks/` that are named like those in `images/`."""
    masks: dict[str, list[str]] = defaultdict(list)
    for file in files:
        if MASK_WORDS & set(words_of(folder_of(file))):
            masks[folder_of(file)].append(file)
    if not masks:
        return files
    others = [file for file in files if folder_of(file) not in masks]
    plain_stems = {
        _stem(file.rpartition("/")[2]) for file in others if says_only_images(folder_of(file).rpartition("/")[2])
    }
    mask_folders = {folder for folder, names in masks.items() if plain_stems.issuperset(map(_image_of_mask, names))}
    return [file for file in files if folder_of(file) not in mask_folders]


def says_only_images(folder: str) -> bool:
    """Returns whether the name of a folder says only that it holds images, not what they show."""
    words = set(words_of(folder))
    return bool(words) and words <= PLAIN_WORDS


def _image_of_mask(file: str) -> str:
    """Returns the name of the image to which a mask belongs, without suffix."""
    return re.sub(r"[_\-. ](mask|segmentation|trimap)$", "", _stem(file.rpartition("/")[2]))


class Images:
    """The images of a tree, which can be found by name.

    Args:
      tree: the data set.
      folder: the folder in which they lie, with `/` at its end; empty for all.

    Attributes:
      files: the names of the images in the tree.
      sizes: the size of each file in bytes.
    """

    def __init__(self, tree: FileTree, folder: str = "") -> None:
        self.files = [name for name in image_files(tree) if name.startswith(folder)]
        self.sizes = tree.files
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        self._by_letters: dict[str, list[str]] = defaultdict(list)  # by the stem in lower case
        self._by_rest: dict[str, list[str]] = defaultdict(list)
        self._by_number: dict[int, list[str]] = defaultdict(list)
        for file in self.files:
            name = _form(file.rpartition("/")[2])
            stem = _stem(name)
            self._by_name[name].append(file)
            self._by_stem[stem].append(file)
            self._by_letters[stem.casefold()].append(file)
            if (number := _number(stem)) is not None:
                self._by_number[number].append(file)

    def know_by_rest(self) -> None:
        """Lets `named` also find images by the part of their names that differs, without a shared beginning and end.

        With it, `1` finds `image_00001.jpg`, and `train_7.jpg` finds `train_7_aligned.jpg`.
        """
        stems = [_stem(_form(file.rpartition("/")[2])) for file in self.files]
        begin, end = _shared_ends(stems)
        for file, stem in zip(self.files, stems if begin or end else (), strict=False):
            rest = stem[len(begin) : len(stem) - len(end)]
            self._by_rest[rest].append(file)
            if (number := _number(rest)) is not None and str(number) != rest:
                self._by_rest[str(number)].append(file)

    def named(self, value: str) -> list[str]:
        """Returns the files that a value in a table may name."""
        path = _form(value.strip().replace("\\", "/"))
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if not parts or ".." in parts:
            return []
        stem = _stem(parts[-1])
        for files in (
            self._by_name.get(parts[-1]),
            self._by_stem.get(parts[-1]),
            self._by_stem.get(stem),
            _one_a_folder(self._by_letters.get(stem.casefold(), [])),
            _one_a_folder(self._by_number.get(-1 if (number := _number(stem)) is None else number, [])),
            _one_a_folder(self._by_rest.get(stem, [])),
        ):
            if files and (matches := _match_folders(files, parts[:-1], DRIVE.match(path) is not None)):
                return matches
        return []

    def rate(self, values: Sequence[str]) -> float:
        """Returns the share of the values that name a file."""
        return sum(bool(self.named(value)) for value in values) / max(len(values), 1)


def _form(name: str) -> str:
    """Returns a name in the Unicode form that is compared."""
    return unicodedata.normalize("NFC", name)


def _stem(name: str) -> str:
    """Returns a name without its suffix; digits alone are not a suffix."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and stem and suffix.isalnum() and not suffix.isdigit() else name


def _shared_ends(stems: Sequence[str]) -> tuple[str, str]:
    """Returns the beginning and the end that all names share.

    The beginning ends before a number or after a separator, and the end begins with a separator.
    """
    begin = _beginning(stems).rstrip("0123456789")
    if not all(stem[len(begin) :][:1].isdigit() for stem in stems):
        begin = re.sub(r"[^_\-. ]+$", "", begin)
    backwards = _beginning([stem[len(begin) :][::-1] for stem in stems])
    return begin, re.sub(r"^[^_\-. ]+", "", backwards[::-1])


def _beginning(texts: Sequence[str]) -> str:
    """Returns the beginning that all texts share; comparing the first and the last in sorted order is enough."""
    first, last = min(texts, default=""), max(texts, default="")
    length = next((index for index, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), None)
    return first if length is None else first[:length]


def _number(stem: str) -> int | None:
    """Returns the number that a name is, or None; spreadsheets remove its leading zeros, or add `.0`."""
    digits = stem.removesuffix(".0")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= MOST_DIGITS else None


def _one_a_folder(files: list[str]) -> list[str]:
    """Returns the files if each is in another folder; otherwise none, because the name means several."""
    return files if len({folder_of(file) for file in files}) == len(files) else []


def _match_folders(files: list[str], folders: list[str], is_absolute: bool) -> list[str]:
    """Returns the files whose folders end like `folders`; for a path on another disk, the files that match best."""
    if not folders:
        return files
    folders = [*map(unpacked_name, folders)]
    lengths = {file: _count_shared([*map(unpacked_name, _form(file).split("/")[:-1])], folders) for file in files}
    full_matches = [file for file in files if lengths[file] == min(len(folders), file.count("/"))]
    if full_matches:
        longest = max(lengths[file] for file in full_matches)
        return [file for file in full_matches if lengths[file] == longest]
    longest = max(lengths.values())
    return [file for file in files if lengths[file] == longest] if is_absolute else []


def _count_shared(one: list[str], other: list[str]) -> int:
    """Returns how many parts two paths share at their ends."""
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return count


def unpacked_name(folder: str) -> str:
    """Returns the name of a folder without the suffix of an archive, as it is once unpacked."""
    return PACKING.sub("", folder)


def folder_of(file: str) -> str:
    """Returns the folder of a file, without `/` at its end; empty for the top."""
    return file.rpartition("/")[0]


class AmbiguousError(ValueError):
    """The error that several folders hold the images of a table.

    Attributes:
      holding: the number of images in each of these folders.
    """

    def __init__(self, holding: dict[str, int]) -> None:
        super().__init__(holding)
        self.holding = holding


def resolved(images: Images, values: Sequence[str], table_folder: str, split: str | None) -> list[str | None]:
    """Returns the file that each value of a table names; None if it names none.

    If several files have the name, the folder of the split is preferred, then the folder that holds the most.

    Args:
      images: the files.
      values: the values of the column that names images.
      table_folder: the folder of the table, without `/` at its end.
      split: the split that the table belongs to, or None.

    Raises:
      AmbiguousError: two folders are equally good.
    """
    candidates = [_first_forms(images, images.named(value)) for value in values]
    if all(len(files) < 2 for files in candidates):
        return [files[0] if files else None for files in candidates]
    counts = Counter(folder for files in candidates for folder in {folder_of(file) for file in files})
    ranks = {folder: _rank(folder, table_folder, split) for folder in counts}
    best: list[str | None] = []
    rivals: Counter[str] = Counter()
    for files in candidates:
        nearest_rank = min((ranks[folder_of(file)] for file in files), default=0)
        nearest = [file for file in files if ranks[folder_of(file)] == nearest_rank]
        fullest = max((counts[folder_of(file)] for file in nearest), default=0)
        likely = [file for file in nearest if STRAY_TIMES * counts[folder_of(file)] >= fullest]
        if len({folder_of(file) for file in likely}) > 1:
            rivals.update({folder_of(file) for file in likely})
        best.append(_one_suffix(likely))
    if rivals:
        raise AmbiguousError(dict(rivals))
    return best


def _first_forms(images: Images, files: list[str]) -> list[str]:
    """Returns the files without repetitions of one image.

    These are DICOM files of images that exist in another form as well, and copies whose names differ only in case.
    """
    others = [file for file in files if not file.lower().endswith((".dcm", ".dicom"))] or files
    first_files: dict[tuple[str, int], str] = {}
    for file in others:
        first_files.setdefault((file.casefold(), images.sizes[file]), file)
    return list(first_files.values())


def _one_suffix(files: Iterable[str]) -> str | None:
    """Returns the only file, or the first by name; a TIFF only if there is nothing else, and None for no files."""
    return min(files, key=lambda file: (file.lower().endswith((".tif", ".tiff")), file), default=None)


def _rank(folder: str, table_folder: str, split: str | None) -> int:
    """Returns how near a folder is to a table.

    0 is a folder of the table's split, 1 the folder of the table, 2 any other, and 3 one of another split.
    """
    inner = folder.removeprefix(table_folder).strip("/") if folder.startswith(table_folder) else folder
    splits = {part_split for part in inner.split("/") if (part_split := split_in(part))}
    if split and split in splits:
        return 0
    if splits - {split} and split:
        return 3
    return 1 if folder == table_folder else 2
