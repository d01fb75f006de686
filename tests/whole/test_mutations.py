"""Whatever happens to a data set, it is read whole, in order, or refused by the name of what is wrong."""

import csv
import hashlib
import io
import os
import tempfile
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from datasets.load import load
from datasets.pixels.dataset import Dataset
from datasets.problems import DataError
from tests.trees import HUGE_PNG, JPEG, PNG, RGB, animated, encoded, image, with_class_folders, with_manifests

EXAMPLES = int(os.environ.get("SWEEP_MUTATIONS", "100"))
TREES = (
    with_manifests(train=8, validation=2, test=2, classes=2),
    with_class_folders(train=8, validation=2, test=2, classes=2),
)
SQUARE = RGB.crop((0, 0, 4, 4))
for tree in TREES:  # a file is what its bytes are, whatever its suffix
    files = sorted(name for name in tree if "train" in name and name.endswith(".png"))
    for file, kind in zip(files, ("JPEG", "WEBP", "TIFF", "BMP"), strict=False):
        tree[file] = encoded(SQUARE, kind)
SPLITS = {"train": ("train",), "validation": ("validation", "valid", "val"), "test": ("test",)}
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".jfif")

FILES = [
    b"",
    b"\0" * 50,
    b"<html>",
    PNG,
    JPEG,
    HUGE_PNG,
    animated("PNG"),
    encoded(RGB, "GIF"),
    image(99),
    image(100, 5),
]
NAMES = [
    *("train.csv", "validation.csv", "val.txt", "valid.csv", "test.csv", "TRAIN.TXT", "sample_submission.csv", "x.md"),
    *("train/a/new.png", "train/c/new.png", "train/new.png", "val/a/new.png", "test/new.PNG", "test/deep/new.jpg"),
    *("train+validation/new.png", "images/train0.png", "__MACOSX/train.txt", ".hidden", "test/.hidden.png"),
    *("test/=new.png", "test/\u202enew.png", "test/new\n.png", "test/\u00e9.png", "test/e\u0301.png", "test/ .png"),
    *("test/a\\b.png", "C:new.png", "test/" + 251 * "x" + ".png", "validation", "train/a/b/c/new.png"),
    *("train/a/new.jfif", "train/a/@eaDir/new.png", "Val/a/new.png", "images/new.png"),
]
IDS = [
    *("train0.png", "train7.png", "validation0.png", "test0.png", "new.png", "\u00e9.png", "e\u0301.png", "a,b.png"),
    *("../x.png", "/etc/passwd", "", " ", ".", "~", "=1", "a\0b", "x" * 300, '"', '"train0.png"', "train0.png ", "NA"),
]
LABELS = [
    "0",
    "1",
    "2",
    "1.0",
    "01",
    "-1",
    "",
    " ",
    "nan",
    "1e400",
    "9" * 5000,
    "=1",
    "caf\u00e9",
    "cafe\u0301",
    '"1"',
    "0,",
]
LINES = ["", "id,label", "id", "train0.png,0", "new.png,1", ",", '"', "#", "\u2028", "\ufeff", "\0", "a,b,c"]
LINKS = ["train0.png", "../test/test0.png", "train", "../../secret", "/etc/hostname", ".", "test.txt", "validation.txt"]
ENCODINGS = ["utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp037"]

Tree = dict[str, bytes | str]  # a str is where a link leads


@dataclass(repr=False)
class Mutated:
    """A tree after 1 to 4 changes.

    Attributes:
      flips: where a bit of the .zip is flipped, as shares of its length.
    """

    tree: Tree
    steps: list[str]
    is_zip: bool
    flips: list[float]

    def __repr__(self) -> str:
        return f"{self.steps}, zip: {self.is_zip}, flips: {self.flips}"


@st.composite
def mutated(draw: st.DrawFn) -> Mutated:
    steps = []
    tree: Tree = dict(draw(st.sampled_from(TREES)))
    if draw(st.booleans()):
        tree = {f"top/{name}": data for name, data in tree.items()}
    for _ in range(draw(st.integers(1, 4))):
        names = sorted(name for name, data in tree.items() if isinstance(data, bytes))
        if not names:
            break
        tables = [name for name in names if name.lower().endswith((".txt", ".csv"))]
        is_table = bool(tables) and draw(st.booleans())
        name = draw(st.sampled_from(tables if is_table else names))
        change = draw(st.sampled_from(TABLE_CHANGES if is_table else FILE_CHANGES))
        event(change.__name__)
        change(draw, tree, name)
        steps.append(f"{change.__name__} {name}: {repr(tree.get(name))[:200]}")
    is_zip = draw(st.booleans())
    flips = draw(st.lists(st.floats(0, 1, exclude_max=True), max_size=2)) if is_zip and draw(st.booleans()) else []
    return Mutated(tree, steps, is_zip, flips)


def flip(draw, tree, name):
    data = bytearray(tree[name])
    if data:
        data[draw(st.integers(0, len(data) - 1))] ^= 1 << draw(st.integers(0, 7))
    tree[name] = bytes(data)


def cut(draw, tree, name):
    tree[name] = tree[name][: draw(st.integers(0, len(tree[name])))]


def append(draw, tree, name):
    tree[name] += draw(st.binary(min_size=1, max_size=8))


def prepend(draw, tree, name):
    tree[name] = draw(st.binary(min_size=1, max_size=8)) + tree[name]


def replace(draw, tree, name):
    tree[name] = draw(st.sampled_from(FILES))


def delete(draw, tree, name):
    del tree[name]


def rename(draw, tree, name):
    data = tree.pop(name)
    tree[draw(st.sampled_from(NAMES + [f"top/{new}" for new in NAMES]))] = data


def copy(draw, tree, name):
    tree[draw(st.sampled_from(sorted(tree)))] = tree[name]


def swap(draw, tree, name):
    other = draw(st.sampled_from(sorted(tree)))
    tree[name], tree[other] = tree[other], tree[name]


def link(draw, tree, name):
    tree[name] = draw(st.sampled_from(LINKS))


def change_lines(draw, tree, name, change) -> None:
    text = tree[name].decode(errors="surrogateescape")
    lines = text.split("\n")
    change(lines, draw(st.integers(0, len(lines) - 1)))
    tree[name] = "\n".join(lines).encode(errors="surrogateescape")


def insert_line(draw, tree, name):
    change_lines(draw, tree, name, lambda lines, at: lines.insert(at, draw(st.sampled_from(LINES))))


def remove_line(draw, tree, name):
    change_lines(draw, tree, name, lambda lines, at: lines.pop(at))


def repeat_line(draw, tree, name):
    change_lines(draw, tree, name, lambda lines, at: lines.insert(at, lines[at]))


def shuffle_lines(draw, tree, name):
    def shuffle(lines, at):
        lines[1:-1] = draw(st.permutations(lines[1:-1]))

    change_lines(draw, tree, name, shuffle)


def change_id(draw, tree, name):
    def change(lines, at):
        lines[at] = draw(st.sampled_from(IDS)) + lines[at][len(lines[at].split(",")[0]) :]

    change_lines(draw, tree, name, change)


def change_label(draw, tree, name):
    def change(lines, at):
        lines[at] = lines[at].split(",")[0] + "," + draw(st.sampled_from(LABELS))

    change_lines(draw, tree, name, change)


def quote(draw, tree, name):
    def change(lines, at):
        lines[at] = ",".join(f'"{field}"' for field in lines[at].split(","))

    change_lines(draw, tree, name, change)


def end_lines(draw, tree, name):
    tree[name] = tree[name].replace(b"\n", draw(st.sampled_from([b"\r\n", b"\r", b"\n\n", b"\x0b", b" \n"])))


def encode(draw, tree, name):
    text = tree[name].decode(errors="replace")
    tree[name] = text.encode(draw(st.sampled_from(ENCODINGS)), errors="replace")


FILE_CHANGES = [flip, cut, append, prepend, replace, delete, rename, copy, swap, link]
TABLE_CHANGES = [
    *(flip, cut, append, insert_line, remove_line, repeat_line, shuffle_lines, change_id, change_label, quote),
    *(end_lines, encode),
]


def write(tree: Tree, folder: Path) -> Path:
    for name, data in tree.items():
        path = folder / name
        with suppress(FileExistsError, NotADirectoryError, IsADirectoryError):  # a file and a folder of one name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(data, str):
                path.symlink_to(data)
            else:
                path.write_bytes(data)
    return folder


def pack(tree: Tree, path: Path, flips: list[float]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in tree.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = (0o120777 if isinstance(data, str) else 0o100644) << 16
            archive.writestr(member, data)
    data = bytearray(path.read_bytes())
    for share in flips:
        place = int(8 * share * len(data))
        data[place // 8] ^= 1 << place % 8
    path.write_bytes(data)
    return path


def seen(path: Path) -> dict[str, bytes]:
    """The files as a plain reader sees them."""
    if path.is_dir():
        return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    files = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.external_attr >> 28 != 0o12:
                name = member.filename.replace("\\", "/")
                files[name] = b""  # where it cannot be read: then it must not be used
                with suppress(zipfile.BadZipFile, zlib.error, NotImplementedError):
                    files[name] = archive.read(member)
    return files


def plain_ids(files: dict[str, bytes]) -> dict[str, list[str]]:
    """The ids of each split, as plainly as they can be found."""
    names = sorted(
        name for name in files if not any(part[0] == "." or part in ("__MACOSX", "@eaDir") for part in name.split("/"))
    )
    for root in ("", "top/"):
        tables = {
            split: files[name]
            for split, stems in SPLITS.items()
            for stem in stems
            for name in (f"{root}{stem}.txt", f"{root}{stem}.csv")
            if name in files
        }
        if "train" in tables:
            return {
                split: [row[0] for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))][1:]
                for split, data in tables.items()
            }
        if any(name.startswith(f"{root}train/") for name in names):
            folders = {
                split: [name.removeprefix(folder) for name in names if name.startswith(folder)]
                for split, stems in SPLITS.items()
                for stem in stems
                for folder in [f"{root}{stem}/"]
                if any(name.startswith(folder) and name.lower().endswith(SUFFIXES) for name in names)
            }
            return {split: [i for i in ids if i.lower().endswith(SUFFIXES)] for split, ids in folders.items()}
    raise AssertionError("accepted without a train split")


def check_whole(data: Dataset, files: dict[str, bytes]) -> None:
    """Every id of the two layouts is there, in order; of another form it is said what it is read as."""
    train, valid = list(data.train.ids), list(data.valid.ids)
    is_other_form = any(note.startswith("Read as ") for note in data.notes)
    ids = {"train": train, "validation": valid} if is_other_form else plain_ids(files)
    if "validation" in ids:
        assert (train, valid) == (ids["train"], ids["validation"])
    else:  # cut from train
        apart = set(valid)
        assert [name for name in ids["train"] if name in apart] == valid
        assert [name for name in ids["train"] if name not in apart] == train
    by_sample = any("by it." in note for note in data.notes)  # the test images that no table names
    assert is_other_form or by_sample or (list(data.test.ids) if data.test else None) == ids.get("test")
    assert all(len(set(split.ids)) == len(split.ids) for split in data.splits.values())
    digests = {hashlib.sha256(content).hexdigest() for content in files.values()}
    for split in data.splits.values():
        assert len(split.ids) == len(split.images) == len(split.digests)
        assert set(split.digests) <= digests
        assert split.labels is None or len(split.labels) == len(split.ids)


def check_named(problems: list[str], path: Path) -> None:
    assert problems
    for problem in problems:
        assert problem.startswith((str(path), "--"))
        assert "; " in problem  # before the way out
        assert problem.isprintable()


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, before it refuses a file
@given(mutated())
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_mutated_data_is_read_whole_or_refused_by_name(mutation):
    with tempfile.TemporaryDirectory() as top:
        place = Path(top) / "data"
        if mutation.is_zip:
            path = pack(mutation.tree, place.with_suffix(".zip"), mutation.flips)
        else:
            path = write(mutation.tree, place)
        try:
            data = load(path)
        except DataError as error:
            event("refused")
            check_named([*map(str, error.problems)], path)
        else:
            event("accepted")
            check_whole(data, seen(path))
