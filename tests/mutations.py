"""What may happen to the files of a data set: bytes, names, rows, encodings and links that change by chance."""

import io
import re
import tarfile
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import event
from hypothesis import strategies as st

from tests.trees import HUGE_PNG, JPEG, PNG, RGB, animated, encoded, image

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
LINKS += ["loop", "..", "../secret.png", "/dev/zero", "/proc/self/environ"]
WORDS = ["id", "label", "image", "class", "split", "patient", "train", "test", "val", "x", "0.5", "7", "cat", "dog"]
FIELDS = "([,;\t|])"  # what stands between the fields of a line
TABLE_SUFFIXES = (".txt", ".csv", ".tsv", ".jsonl", ".json")
ENCODINGS = ["utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp037"]

Tree = dict[str, bytes | str]  # a str is where a link leads


@dataclass(frozen=True)
class Truth:
    """What a whole data set says of one of its images; the split is empty where it may be cut."""

    label: str | None
    split: str
    group: str = ""


@dataclass(frozen=True)
class Form:
    """A data set before it is changed.

    Attributes:
      truths: of the images, by the sha256 of their bytes.
      steps: what was changed in it already.
    """

    tree: Tree
    truths: dict[str, Truth]
    steps: tuple[str, ...] = ()


@dataclass
class Mutated:
    """A tree after 1 to 4 changes.

    Attributes:
      truths: of the images; none where a change may have altered what the data says of those that are left.
      packing: of the whole: `folder` or the suffix of an archive.
      flips: where a bit of the archive is flipped, as shares of its length.
    """

    tree: Tree
    truths: dict[str, Truth]
    steps: list[str]
    packing: str
    flips: list[float]

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Shows what was changed, and not the bytes of all files."""
        printer.text(f"{self.steps}, {self.packing}, flips: {self.flips}")


@st.composite
def mutated(
    draw: st.DrawFn, forms: st.SearchStrategy[Form], packings: Sequence[str] = ("folder", ".zip"), fewest: int = 1
) -> Mutated:
    form = draw(forms)
    steps, truths, tree = list(form.steps), form.truths, dict(form.tree)
    if draw(st.booleans()):
        tree = {f"top/{name}": data for name, data in tree.items()}
    for _ in range(draw(st.integers(fewest, 4))):
        names = sorted(name for name, data in tree.items() if isinstance(data, bytes))
        if not names:
            break
        tables = [name for name in names if name.lower().endswith(TABLE_SUFFIXES)]
        is_table = bool(tables) and draw(st.booleans())
        name = draw(st.sampled_from(tables if is_table else names))
        change = draw(st.sampled_from(TABLE_CHANGES if is_table else FILE_CHANGES))
        event(change.__name__)
        if change not in (KEEPING_ROWS if name in tables else KEEPING_FILES):
            truths = {}
        change(draw, tree, name)
        steps.append(f"{change.__name__} {name}: {repr(tree.get(name))[:200]}")
    packing = draw(st.sampled_from(packings))
    is_flipped = packing != "folder" and draw(st.booleans())
    flips = draw(st.lists(st.floats(0, 1, exclude_max=True), max_size=2)) if is_flipped else []
    return Mutated(tree, truths, steps, packing, flips)


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


def move(draw, tree, name):
    """Gives a file another folder, another name, or both, of those that the data has or odd ones."""
    data = tree.pop(name)
    folders = sorted(
        {other.rpartition("/")[0] for other in tree} | {name.rpartition("/")[0], "Valid", "test/x", "a\\b"}
    )
    files = [
        name.rpartition("/")[2],
        "new.png",
        "new",
        "=1.png",
        "train.csv",
        "labels.csv",
        "x.zip",
        "\u00e9.PNG",
        "n\n",
    ]
    tree["/".join(filter(None, [draw(st.sampled_from(folders)), draw(st.sampled_from(files))]))] = data


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


def change_field(draw, tree, name):
    """Changes one field of a line, whatever stands between the fields."""

    def change(lines, at):
        fields = re.split(FIELDS, lines[at])  # the odd ones stand between
        fields[2 * draw(st.integers(0, len(fields) // 2))] = draw(st.sampled_from(IDS + LABELS + WORDS))
        lines[at] = "".join(fields)

    change_lines(draw, tree, name, change)


def change_header(draw, tree, name):
    def change(lines, at):
        fields = re.split(FIELDS, lines[0])
        fields[2 * draw(st.integers(0, len(fields) // 2))] = draw(st.sampled_from(WORDS))
        lines[0] = "".join(fields)

    change_lines(draw, tree, name, change)


def change_columns(draw, tree, name):
    """Takes a column away, adds one, doubles one, or exchanges two."""

    def change(lines, at):
        one, other = draw(st.integers(0, 3)), draw(st.integers(0, 3))
        kind, value = draw(st.sampled_from(["remove", "double", "add", "swap"])), draw(st.sampled_from(WORDS))
        for number, line in enumerate(lines):
            parts = re.split(FIELDS, line)
            fields, between = parts[::2], (parts[1::2] or [","])[0]
            if line and kind == "remove" and len(fields) > 1:
                fields.pop(one % len(fields))
            elif line and kind == "double":
                fields.append(fields[one % len(fields)])
            elif line and kind == "add":
                fields.insert(one % len(fields), value)
            elif line:
                one, other = one % len(fields), other % len(fields)
                fields[one], fields[other] = fields[other], fields[one]
            lines[number] = between.join(fields)

    change_lines(draw, tree, name, change)


def separate(draw, tree, name):
    between = draw(st.sampled_from([b",", b"\t", b";", b"|", b" ", b", "]))
    tree[name] = re.sub(FIELDS.encode(), lambda _: between, tree[name])


def end_lines(draw, tree, name):
    tree[name] = tree[name].replace(b"\n", draw(st.sampled_from([b"\r\n", b"\r", b"\n\n", b"\x0b", b" \n"])))


def encode(draw, tree, name):
    text = tree[name].decode(errors="replace")
    tree[name] = text.encode(draw(st.sampled_from(ENCODINGS)), errors="replace")


FILE_CHANGES = [flip, cut, append, prepend, replace, delete, rename, move, copy, swap, link]
TABLE_CHANGES = [
    *(flip, cut, append, insert_line, remove_line, repeat_line, shuffle_lines, change_id, change_label, quote),
    *(change_field, change_header, change_columns, separate, end_lines, encode),
]
# Changes after which the data says of each image that is left what it said before.
KEEPING_ROWS = [remove_line, repeat_line, shuffle_lines, quote, separate, end_lines, encode]
KEEPING_FILES = [flip, cut, append, prepend, delete]


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
    data = bytearray(packed(tree, path.suffix))
    for share in flips:
        place = int(8 * share * len(data))
        data[place // 8] ^= 1 << place % 8
    path.write_bytes(data)
    return path


def packed(tree: Tree, suffix: str, compression: int = zipfile.ZIP_STORED) -> bytes:
    """Returns an archive with these files and links."""
    file = io.BytesIO()
    if suffix == ".zip":
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in tree.items():
                member = zipfile.ZipInfo(name)
                member.compress_type = compression
                member.external_attr = (0o120777 if isinstance(data, str) else 0o100644) << 16
                archive.writestr(member, data)
    else:
        with tarfile.open(fileobj=file, mode="w:gz" if suffix.endswith("gz") else "w") as archive:
            for name, data in tree.items():
                member = tarfile.TarInfo(name)
                if isinstance(data, str):
                    member.type, member.linkname = tarfile.SYMTYPE, data
                    archive.addfile(member)
                else:
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
    return file.getvalue()
