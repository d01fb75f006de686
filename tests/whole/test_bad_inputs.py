"""Bad inputs at the real command line: exit code 2, place, rule, value and way out of each, nothing written."""

import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from sweep.datasets.file_tree import DATA_RULE
from sweep.datasets.load import load
from sweep.search.run import main
from tests.trees import (
    HUGE_BMP,
    HUGE_PNG,
    JPEG,
    PIXELS,
    PNG,
    RGB,
    encoded,
    image,
    pack,
    with_class_folders,
    with_manifests,
    write,
)

TREE, CLASS_TREE = with_manifests(), with_class_folders()
FOLDER = "train+validation"
IMAGE = f"{FOLDER}/train1.png"  # line 3 of train.txt

# The walk through the default space would take ten times as long as all the rest.
SMALL_SPACE = b"""
from sweep.trainable.config import TrialConfig

def space(trial):
    return TrialConfig(arch="mlp", width=0.1, epochs=3, lr=trial.suggest_float("lr", 1e-3, 1.0))
"""

Spoil = Callable[[Path], Path | None]  # spoils the data in a folder; may return another path to give as --data


def put(name: str, data: bytes) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    return spoil


def copy(old: str, new: str) -> Spoil:
    return lambda folder: put(new, (folder / old).read_bytes())(folder)


def gone(name: str) -> Spoil:
    return lambda folder: (folder / name).unlink()


def edit(name: str, old: str, new: str) -> Spoil:
    def spoil(folder: Path) -> None:
        text = (folder / name).read_bytes()
        assert old.encode() in text
        (folder / name).write_bytes(text.replace(old.encode(), new.encode()))

    return spoil


def row(new: str) -> Spoil:
    """Another line 3 in train.txt."""
    return edit("train.txt", "train1.png,1", new)


def link(name: str, target: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / name).rename(folder.parent / "elsewhere")
        (folder / name).symlink_to(target)

    return spoil


def pipe(name: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return spoil


def directory(name: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return spoil


def both(*spoils: Spoil) -> Spoil:
    def spoil(folder: Path) -> None:
        for each in spoils:
            each(folder)

    return spoil


def by_class(*spoils: Spoil) -> Spoil:
    """The same images in folders of the classes `a`, `b` and `c`, spoiled."""

    def spoil(folder: Path) -> Path:
        other = write(CLASS_TREE, folder.with_name("classes"))
        both(*spoils)(other)
        return other

    return spoil


def zipped(change: Callable[[bytes], bytes] = bytes, method: int = zipfile.ZIP_DEFLATED, **extra: bytes) -> Spoil:
    """The data as a .zip with more members, `name__png` for `name.png`, then its bytes changed."""

    def spoil(folder: Path) -> Path:
        path = pack(TREE | {name: data for name, data in extra.items()}, folder.with_suffix(".zip"), method=method)
        path.write_bytes(change(path.read_bytes()))
        return path

    return spoil


def entry(name: str, at: int, kind: str, value: int) -> Callable[[bytes], bytes]:
    """Writes into what a zip says of a member at its end, `at` bytes after the beginning."""

    def change(data: bytes) -> bytes:
        start = data.rindex(b"PK\x01\x02", 0, data.rindex(name.encode()))
        changed = bytearray(data)
        struct.pack_into(kind, changed, start + at, value)
        return bytes(changed)

    return change


def two_members(folder: Path) -> Path:
    path = pack(TREE, folder.with_suffix(".zip"))
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("test.txt", TREE["test.txt"])
    return path


def link_member(folder: Path) -> Path:
    member = zipfile.ZipInfo(IMAGE)
    member.external_attr = 0o120777 << 16
    path = pack({name: data for name, data in TREE.items() if name != IMAGE}, folder.with_suffix(".zip"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, "/etc/passwd")
    return path


ROW = "train.txt:3: image `train1.png`"
WHOLE = "must be a whole image"
REPLACE = "; replace it"
MISSING = "train.txt:3: image must exist, `train1.png`"
ADD = "; add it or remove the row"
RENAME = "; rename the file and the id"
SMALLER = "; make it smaller"

IMAGES = {
    "missing": (gone(IMAGE), MISSING, "is in no folder beside the manifest", ADD),
    "a folder": (directory(IMAGE), MISSING, "is a folder", ADD),
    "a pipe": (pipe(IMAGE), MISSING, "is no regular file (a pipe or a device)", ADD),
    "a link out": (link(IMAGE, "/etc/hostname"), MISSING, "is a link that leaves the folder", ADD),
    "a relative link out": (link(IMAGE, "../../elsewhere"), MISSING, "is a link that leaves the folder", ADD),
    "a link to itself": (link(IMAGE, "train1.png"), MISSING, "is a link to no file", ADD),
    "a link to nothing": (link(IMAGE, "nothing.png"), MISSING, "is a link to no file", ADD),
    "a link to a folder": (link(IMAGE, "../test"), MISSING, "is a link to no file (to a folder", ADD),
    "empty": (put(IMAGE, b""), ROW, "must be an image", "got an empty file", REPLACE),
    "too large a file": (
        lambda folder: os.truncate(folder / IMAGE, 300 << 20),
        ROW,
        "must have at most 256 MiB",
        "got 300",
        REPLACE,
    ),
    "a web page": (put(IMAGE, b"<!DOCTYPE html>"), ROW, "must be an image, got a web page", "; fetch it again"),
    "text": (put(IMAGE, b"hello"), ROW, "must be a PNG, JPEG", "begins with b'hello'", REPLACE),
    "zeros": (put(IMAGE, bytes(200)), ROW, "must be a PNG, JPEG", r"begins with b'\x00", REPLACE),
    "a pdf": (put(IMAGE, b"%PDF-1.7"), ROW, "must be a PNG, JPEG", "begins with b'%PDF", REPLACE),
    "a drawing": (put(IMAGE, b"<svg xmlns="), ROW, "must be a PNG, JPEG", "begins with b'<svg", REPLACE),
    "a png cut at its end": (put(IMAGE, PNG[:-3]), ROW, WHOLE, f"a PNG cut after {len(PNG) - 3} bytes", REPLACE),
    "a png cut in the middle": (put(IMAGE, PNG[:70]), ROW, WHOLE, "a PNG cut after 70 bytes", REPLACE),
    "a png cut at its head": (put(IMAGE, PNG[:8]), ROW, WHOLE, "a PNG cut after 8 bytes", REPLACE),
    "a png with a flipped bit": (
        put(IMAGE, PNG[:60] + bytes([PNG[60] ^ 1]) + PNG[61:]),
        ROW,
        WHOLE,
        "a damaged IDAT chunk",
        REPLACE,
    ),
    "a cut jpeg": (put(IMAGE, JPEG[:-9]), ROW, WHOLE, "got one that is cut or damaged", REPLACE),
    "a cut webp": (put(IMAGE, encoded(RGB, "WEBP")[:-9]), ROW, WHOLE, "got: ", REPLACE),
    "a cut tiff": (put(IMAGE, encoded(RGB, "TIFF")[:-20]), ROW, WHOLE, "got: ", REPLACE),
    "a cut bmp": (put(IMAGE, encoded(RGB, "BMP")[:-20]), ROW, WHOLE, "got: ", REPLACE),
    "a cut gif": (put(IMAGE, encoded(RGB, "GIF")[:40]), ROW, WHOLE, "got: ", REPLACE),
    "a bomb as png": (put(IMAGE, HUGE_PNG), ROW, "at most 200,000,000 pixels", "got 20000 x 20000", SMALLER),
    "a bomb as bmp": (put(IMAGE, HUGE_BMP), ROW, "at most 200,000,000 pixels", "got 30000 x 30000", SMALLER),
    "floats": (
        put(IMAGE, encoded(Image.fromarray(PIXELS[..., 0].astype(np.float32)), "TIFF")),
        ROW,
        "must have values from 0 to 1 where they are floats, got 0 to ",
        "; store it with 8 or 16 bits a channel",
    ),
    "one pixel": (
        lambda folder: [path.write_bytes(image(n, side=1)) for n, path in enumerate(folder.rglob("*.png"))] and None,
        "data: images must be at least 2x2 px, got 1x1 px",
        "; give --image-size to enlarge them",
    ),
    "a validation image": (
        put(f"{FOLDER}/validation2.png", b"?"),
        "validation.txt:4: image `validation2.png`",
        "must be a PNG",
        REPLACE,
    ),
    "a test image": (put("test/test2.png", b"?"), "test.txt:4: image `test2.png`", "must be a PNG", REPLACE),
    "a test image missing": (gone("test/test2.png"), "test.txt:4: image must exist, `test2.png`", ADD),
    "their folder a link out": (
        link(FOLDER, "../elsewhere"),
        "train.txt: the images that the table names must be in the data, none is, got `train0.png` and 5 more",
        "(`train+validation` is a link that leaves the folder)",
        "; add the images, or correct the names",
    ),
}

ALONE = "; add another, or give --min-per-class 2 to leave such classes out"
LABEL = "; give it another"
LABELS = {
    "unknown class": (
        edit("validation.txt", "png,2", "png,7"),
        "validation.txt:4: image `validation2.png`",
        "must have a label of train (`0`, `1`, `2`)",
        "got `7`",
        "; mend one of them",
    ),
    "a fraction for a whole number": (
        edit("validation.txt", "png,1", "png,1.0"),
        "validation.txt:3: image `validation1.png`",
        "must have a label of train (`0`, `1`, `2`)",
        "got `1.0`",
        "; mend one of them",
    ),
    "one number in two ways": (
        row("train1.png,2.0"),
        "train.txt:4: image `train2.png`",
        "must have its label written in one way, got `2`, elsewhere `2.0`",
        "; write both the same",
    ),
    "a number with a zero before it": (
        row("train1.png,00"),
        ROW,
        "must have its label written in one way, got `00`, elsewhere `0`",
        "; write both the same",
    ),
    "one name in two unicode forms": (
        both(edit("train.txt", "train1.png,1", "train1.png,\u00e9"), edit("train.txt", "png,1", "png,e\u0301")),
        "train.txt:6: image `train4.png`",
        "must have its label written in one way",
        "; write both the same",
    ),
    "one class": (
        both(edit("train.txt", "png,1", "png,0"), edit("train.txt", "png,2", "png,0")),
        "train.txt: train must have 2 to 10,000 classes",
        "got 1 (`0`)",
        "; check its labels",
    ),
    "one image of a class": (row("train1.png,9"), ROW, "alone in its class, got label `9` once in train", ALONE),
    "no label": (row("train1.png,"), "train.txt:3: label must not be empty, got ``", "; give the image one"),
    "a blank label": (row("train1.png, "), "train.txt:3: label must not be empty, got ` `", "; give the image one"),
    "a space behind": (row("train1.png,1 "), "train.txt:3: label must not begin or end with a space, got `1 `", LABEL),
    "a formula": (row("train1.png,=1+1"), "train.txt:3: label must not begin with `=`", "got `=1+1`", LABEL),
    "a formula by @": (row("train1.png,@x"), "train.txt:3: label must not begin with `@`", "got `@x`", LABEL),
    "a bell": (row("train1.png,\a"), "train.txt:3: label must not hold a control character", r"got `\x07`", LABEL),
    "turned": (row("train1.png,\u202e1"), "train.txt:3: label must not turn", r"got `\u202e1`", LABEL),
    "too long": (row("train1.png," + "9" * 5000), "train.txt:3: label must have at most 255 bytes", "got `99", LABEL),
    "no labels at all": (
        put("train.txt", b"id\ntrain1.png\n"),
        "train.txt: a column or the folders must give the label",
        "got the columns `id`, of which none does",
        "; add a column, name it with --label-column",
    ),
}

LEAK = "must not be in train too (a leak), got the bytes of"
CONFLICT = "must have one label, got"
REMOVE = "; remove one of them"
DUPLICATES = {
    "id twice, same label": (
        row("train0.png,0"),
        "train.txt:3: id must be unique, `train0.png` already stands on line 2; remove one",
    ),
    "id twice, another label": (
        row("train0.png,1"),
        "train.txt:3: id must be unique, `train0.png` already stands on line 2 with label `0`, here `1`",
        "; keep one",
    ),
    "test id twice": (
        edit("test.txt", "test1", "test0"),
        "test.txt:3: id must be unique, `test0.png` already stands on line 2",
        "; remove one",
    ),
    "id in train and validation": (
        edit("validation.txt", "validation1", "train1"),
        "validation.txt:3: image `train1.png` must be used once",
        "train.txt:3: image `train1.png`",
        REMOVE,
    ),
    "file in train and test": (
        both(put("test.txt", b"id\ntrain1.png\n"), gone("sample_submission.txt")),
        "test.txt:2: image `train1.png` must be used once",
        "train.txt:3: image `train1.png`",
        REMOVE,
    ),
    "file under two unicode forms": (
        both(put(f"{FOLDER}/\u00e9.png", image(99)), row("\u00e9.png,1\ne\u0301.png,1")),
        "train.txt:4: image `e\u0301.png` must be used once",
        "train.txt:3: image `\u00e9.png`",
        REMOVE,
    ),
    "bytes in train and validation": (
        copy(IMAGE, f"{FOLDER}/validation1.png"),
        "validation.txt:3: image `validation1.png`",
        LEAK,
        ROW,
        REMOVE,
    ),
    "bytes in train and validation, another label": (
        copy(IMAGE, f"{FOLDER}/validation2.png"),
        "validation.txt:4: image `validation2.png`",
        LEAK,
        ROW,
        REMOVE,
    ),
    "bytes in train and validation by a link": (
        link(f"{FOLDER}/validation1.png", "train1.png"),
        "validation.txt:3: image `validation1.png`",
        LEAK,
        ROW,
        REMOVE,
    ),
    "bytes with two labels in train": (
        copy(IMAGE, f"{FOLDER}/train2.png"),
        "train.txt:4: image `train2.png`",
        CONFLICT,
        "`2`, but `1` for the bytes of ",
        ROW,
        "; keep one of them",
    ),
    "bytes with two labels in validation": (
        copy(f"{FOLDER}/validation0.png", f"{FOLDER}/validation1.png"),
        "validation.txt:3: image `validation1.png`",
        CONFLICT,
        "`1`, but `0` for the bytes of ",
        "validation.txt:2: image `validation0.png`",
        "; keep one of them",
    ),
    "bytes with two labels in a train that is cut": (
        both(gone("validation.txt"), copy(IMAGE, f"{FOLDER}/train2.png")),
        "image `train2.png`",
        CONFLICT,
        "image `train1.png`",
        "; keep one of them",
    ),
}

ROWS = "a table must have rows"
FIELDS = "row must have the fields `id,label`"
MEND = "; mend the row"
QUOTES = "; mend its quotes"
CONTROL = "train.txt:3: id must not hold a control character"
TABLES = {
    "empty": (put("train.txt", b""), f"train.txt:1: {ROWS}, got an empty file; fetch it again"),
    "line ends only": (put("train.txt", b"\n\r\n"), f"train.txt:1: {ROWS}, got an empty file; fetch it again"),
    "header only": (put("train.txt", b"id,label\n"), "train.txt:2: a row must follow", "got none", "; list the images"),
    "test with a header only": (
        both(put("test.txt", b"id\n"), gone("sample_submission.txt")),
        "test.txt:2: a row must follow",
        "got none",
        "; list the images",
    ),
    "columns swapped": (
        edit("train.txt", "id,label", "label,id"),
        "validation.txt: a table must have the column of the labels of train",
        "got `id`, `label`",
        "; add it",
    ),
    "extra column": (
        edit("train.txt", "id,label", "id,label,fold"),
        "train.txt:2: row must have the fields of the header, `id,label,fold`, got `train0.png,0`",
        MEND,
    ),
    "a web page": (put("train.txt", b"<html>\n</html>"), f"train.txt: {ROWS}, got a web page", "; fetch it again"),
    "json": (put("train.txt", b'[{"id": 1}]'), f"train.txt: {ROWS}, got the header", "alone; fetch it again"),
    "extra field": (row("train1.png,1,5"), f"train.txt:3: {FIELDS}, got 3: `train1.png,1,5`", MEND),
    "trailing comma": (row("train1.png,1,"), f"train.txt:3: {FIELDS}, got 3: `train1.png,1,`", MEND),
    "missing label": (row("train1.png"), f"train.txt:3: {FIELDS}, got 1: `train1.png`", MEND),
    "comma in a name": (row("a,b.png,1"), f"train.txt:3: {FIELDS}, got 3: `a,b.png,1`", "(quote a comma in a name)"),
    "label in a test": (
        edit("test.txt", "test1.png", "test1.png,1"),
        "test.txt:3: row must have the fields `id`, got 2: `test1.png,1`",
        MEND,
    ),
    "an open quote": (row('"train1.png,1'), "train.txt:3: row must be valid CSV, got: ", QUOTES),
    "text behind a quote": (row('"train1".png,1'), "train.txt:3: row must be valid CSV, got: ", QUOTES),
    "a field without end": (row('"' + 200000 * "a"), "train.txt:3: row must be valid CSV, got: field larger", QUOTES),
    "nul": (row("train\0.png,1"), CONTROL, r"got `train\x00.png`", RENAME),
    "escape": (row("train\x1b.png,1"), CONTROL, r"got `train\x1b.png`", RENAME),
    "delete": (row("train\x7f.png,1"), CONTROL, r"got `train\x7f.png`", RENAME),
    "a line end in quotes": (row('"train\n1.png",1'), CONTROL, r"got `train\n1.png`", RENAME),
    "a carriage return in quotes": (row('"train\r1.png",1'), CONTROL, r"got `train\r1.png`", RENAME),
    "unicode line end": (row("a\u2028b.png,1"), "train.txt:3: id must not hold a line break", r"a\u2028b.png", RENAME),
    "latin-1": (
        put("train.txt", "id,label\ntrain0.png,0\ncafé.png,1\n".encode("latin-1")),
        "train.txt:3: image must exist, `caf\u00e9.png` is none of the files",
        "; add it or remove the row",
    ),
    "utf-16 without a mark": (
        put("train.txt", "id,label\n".encode("utf-16-le")),
        "train.txt: table must be text, and not have zero bytes",
        "save it as UTF-8",
    ),
    "a surrogate": (
        put("train.txt", b"id,label\n\xed\xa0\x80.png,1\n"),
        "train.txt:2: text must be UTF-8, got byte 0xed",
        "; save it as UTF-8",
    ),
    "an image": (put("train.txt", PNG), "train.txt:1: text must be UTF-8, got byte 0x89", "; save it as UTF-8"),
    "direction turned": (row("a\u202egnp.exe,1"), "train.txt:3: id must not turn", r"`a\u202egnp.exe`", RENAME),
    "direction marked": (row("a\u200e.png,1"), "train.txt:3: id must not turn", r"`a\u200e.png`", RENAME),
    "a pipe": (pipe("train.txt"), "train.txt: manifest must be a file, it is no regular file", REPLACE),
    "a link out": (link("train.txt", "../elsewhere"), "train.txt: manifest must be a file, it is a link", REPLACE),
    "validation a link out": (
        link("validation.txt", "../elsewhere"),
        "validation.txt: manifest must be a file, it is a link that leaves the folder",
        REPLACE,
    ),
    "test a folder": (directory("test.txt"), "test.txt: manifest must be a file, it is a folder", REPLACE),
    "two of train": (
        copy("train.txt", "train.csv"),
        "there must be one manifest a split, got train.txt, train.csv",
        "; remove all but one",
    ),
    "two of validation": (
        copy("validation.txt", "val.csv"),
        "there must be one manifest a split, got validation.txt, val.csv",
        "; remove all but one",
    ),
}

RELATIVE = "must be a relative path without empty parts, `.`, `..`, `~`, backslash or drive"
SHEET = "(a spreadsheet would run it)"
LONG = "must have at most 255 bytes between slashes"
SPACE = "must not begin or end with a space"
PLACES = [
    "../../etc/passwd",
    "/etc/passwd",
    "//etc/passwd",
    "a/../../b",
    "a/..",
    "..",
    ".",
    "./a.png",
    "...",
    "a//b",
    "a/",
    "~",
    "~/a",
    "~root/a",
    r"C:\x",
    "C:x",
    r"..\x",
    r"a\b",
    r"\\host\share",
    "file:///etc/passwd",
]
FORMULAS = ["=cmd|' /C calc'!A0", "+1.png", "-1.png", "@SUM(1)"]
IDS = {
    **{repr(name): (row(f"{name},1"), f"train.txt:3: id {RELATIVE}", f"got `{name}`", RENAME) for name in PLACES},
    **{repr(name): (row(f"{name},1"), "train.txt:3: id must not", SHEET, f"got `{name}`", RENAME) for name in FORMULAS},
    "empty": (row(",1"), "train.txt:3: id must not be empty, got ``", RENAME),
    "blank": (row(" ,1"), "train.txt:3: id must not be empty, got ` `", RENAME),
    "space before": (row(" train1.png,1"), f"train.txt:3: id {SPACE}", "got ` train1.png`", RENAME),
    "tab before": (row("\ttrain1.png,1"), f"train.txt:3: id {SPACE}", r"got `\ttrain1.png`", RENAME),
    "return before": (row('"\r=1",1'), f"train.txt:3: id {SPACE}", r"got `\r=1`", RENAME),
    "256 letters": (row("a" * 256 + ",1"), f"train.txt:3: id {LONG}", "got `aaa", RENAME),
    "256 bytes": (row("é" * 128 + ",1"), f"train.txt:3: id {LONG}", "got `ééé", RENAME),
    "a long folder": (row("a" * 256 + "/b,1"), f"train.txt:3: id {LONG}", "got `aaa", RENAME),
    "percent": (row("%2e%2e/a,1"), "train.txt:3: image must exist, `%2e%2e/a`", "is in no folder", ADD),
    "in the test": (edit("test.txt", "test1", "../test/test1"), f"test.txt:3: id {RELATIVE}", RENAME),
}

AGAIN = "; pack it again"
NOT_WHOLE = "got a .zip that is not whole (File is not a zip file); fetch it again"
ZIPS = {
    "cut": (zipped(lambda data: data[:-30]), "data.zip: data must be a folder, an archive", NOT_WHOLE),
    "cut in half": (zipped(lambda data: data[: len(data) // 2]), "data.zip: data must be", NOT_WHOLE),
    "no zip": (
        zipped(lambda data: b"no zip"),
        "data.zip: data must be",
        NOT_WHOLE,
    ),
    "empty file": (zipped(lambda data: b""), "data.zip: data must be", NOT_WHOLE),
    "no members": (
        lambda folder: pack({}, folder.with_suffix(".zip")),
        "data.zip: data must hold ",
        "got no files",
        "; check the path",
    ),
    "encrypted": (
        zipped(entry("test.txt", 8, "<H", 1)),
        "data.zip: zip must not be encrypted, got `test.txt`",
        "unpack",
    ),
    "two members of a name": (two_members, "data.zip: names in a zip must be unique, got `test.txt` twice", AGAIN),
    "leads out": (zipped(**{"../a.png": b""}), "data.zip: names in a zip must stay in it, got `../a.png`", AGAIN),
    "leads to the root": (zipped(**{"/a.png": b""}), "data.zip: names in a zip must stay in it, got `/a.png`", AGAIN),
    "leads out later": (zipped(**{"a/../../b": b""}), "data.zip: names in a zip must stay", "`a/../../b`", AGAIN),
    "a name of nothing": (
        zipped(entry("test.txt", 46, "<B", 0)),
        "data.zip: names in a zip must stay in it, got ``",
        AGAIN,
    ),
    "a link": (link_member, MISSING, "is a link", ADD),
    "a broken member": (
        zipped(lambda data: data.replace(TREE[IMAGE], TREE[IMAGE][:-1] + b"?"), zipfile.ZIP_STORED),
        ROW,
        "must be readable, got Bad CRC-32",
        REPLACE,
    ),
    "a broken manifest": (
        zipped(lambda data: data.replace(TREE["test.txt"], b"ID" + TREE["test.txt"][2:]), zipfile.ZIP_STORED),
        "test.txt: manifest must be readable, got Bad CRC-32",
        "; fetch it again",
    ),
    "larger than it says": (zipped(entry(IMAGE, 24, "<I", 9)), ROW, "must be readable, got Bad CRC-32", REPLACE),
    "smaller than it says": (
        zipped(entry(IMAGE, 24, "<I", 1 << 20)),
        ROW,
        "must have the 1,048,576 bytes that it is listed with",
        f"got {len(TREE[IMAGE])}",
        REPLACE,
    ),
    "a bomb": (zipped(entry(IMAGE, 24, "<I", 300 << 20)), ROW, "must have at most 256 MiB, got 300", REPLACE),
    "another packing": (
        zipped(method=zipfile.ZIP_BZIP2),
        "train.txt: manifest must be a file, it is packed in another way than deflate",
        REPLACE,
    ),
    "a bad image in it": (zipped(**{IMAGE: PNG[:50]}), f"data.zip/{ROW}", WHOLE, REPLACE),
}

OTHERS = "ids must be those of"
SUBMISSIONS = {
    "other ids": (
        edit("sample_submission.txt", "test1", "other"),
        f"sample_submission.txt:3: {OTHERS}",
        "got `other.png`, not `test1.png`",
        "; mend one of the two",
    ),
    "another order": (
        put("sample_submission.txt", b"id,label\ntest1.png,0\ntest0.png,0\ntest2.png,0\n"),
        f"sample_submission.txt:2: {OTHERS}",
        "got `test1.png`, not `test0.png`",
        "; mend one of the two",
    ),
    "too few": (
        edit("sample_submission.txt", "test2.png,0\n", ""),
        f"sample_submission.txt:4: {OTHERS}",
        "got none, not `test2.png`",
        "; mend one of the two",
    ),
    "too many": (
        edit("sample_submission.txt", "test2.png,0\n", "test2.png,0\ntest3.png,0\n"),
        f"sample_submission.txt:5: {OTHERS}",
        "got `test3.png`, not none",
        "; mend one of the two",
    ),
    "an id twice": (
        edit("sample_submission.txt", "test1", "test0"),
        "sample_submission.txt:3: id must be unique, `test0.png` already stands on line 2; remove one",
    ),
    "a formula": (
        edit("sample_submission.txt", "test1.png,0", "test1.png,=1"),
        "sample_submission.txt:3: label must not begin with `=`",
        LABEL,
    ),
}

CLASS_IMAGE = "train/b/train1.png"
FOLDERS = {
    "image outside of a class": (
        by_class(put("train/a.png", PNG)),
        "classes/train/a.png: image must be in a folder named as its class, got `a.png`",
        "; move it into one",
    ),
    "one class": (
        by_class(lambda folder: [shutil.rmtree(folder / f"train/{name}") for name in "bc"] and None),
        "classes/train/: train must have 2 to 10,000 classes, got 1 (`a`)",
        "; check its labels",
    ),
    "no images": (
        by_class(
            lambda folder: [path.rename(path.with_suffix(".doc")) for path in folder.rglob("train*.png")] and None
        ),
        "classes/train/a: class must have 2 images or more, got none with an image's suffix",
        "; add some or remove the folder",
    ),
    "an empty class": (
        by_class(lambda folder: (folder / "train/d").mkdir()),
        "classes/train/d: class must have 2 images or more, got none",
        "; add some or remove the folder",
    ),
    "one image of a class": (
        by_class(gone(CLASS_IMAGE)),
        "classes/train/b/train4.png: image must not be alone in its class, got label `b` once in train",
        ALONE,
    ),
    "unknown class": (
        by_class(put("validation/z/x.png", image(99))),
        "classes/validation/z/x.png: image must have a label of train (`a`, `b`, `c`), got `z`",
        "; mend one of them",
    ),
    "a formula": (
        by_class(put("train/=1/x.png", image(98)), put("train/=1/y.png", image(99))),
        "classes/train/=1/x.png: id must not begin with `=`",
        RENAME,
    ),
    "a hidden character": (
        by_class(put("train/a/x\x1b.png", image(99))),
        r"classes/train/a/x\x1b.png: id must not hold a control character",
        RENAME,
    ),
    "a name that is not UTF-8": (
        by_class(lambda folder: put(f"train/a/{os.fsdecode(bytes([0xE9]))}.png", image(99))(folder)),
        r"classes/train/a/\udce9.png: id must not hold a byte that is not UTF-8",
        RENAME,
    ),
    "bad image": (by_class(put(CLASS_IMAGE, PNG[:50])), f"classes/{CLASS_IMAGE}: image must be a whole", REPLACE),
    "a pipe": (
        by_class(pipe(CLASS_IMAGE)),
        f"classes/{CLASS_IMAGE}: images must be files, this is no regular file",
        "; replace or remove it",
    ),
    "a link out": (
        by_class(link(CLASS_IMAGE, "/etc/hostname")),
        f"classes/{CLASS_IMAGE}: images must be files, this is a link that leaves the folder",
        "; replace or remove it",
    ),
    "a class that is a link out": (
        by_class(link("train/c", "../../elsewhere")),
        "classes/train/c: images must be files, this is a link that leaves the folder",
        "; replace or remove it",
    ),
    "validation a link out": (
        by_class(link("validation", "../elsewhere")),
        "classes/validation: images must be files, this is a link that leaves the folder",
        "; replace or remove it",
    ),
    "train a link out": (
        by_class(link("train", "../elsewhere")),
        "classes: each image to train on must have a label",
        "(`train` is a link that leaves the folder)",
        "; make a folder for each class (train/cat/1.jpg)",
    ),
    "two of validation": (
        by_class(put("val/a/x.png", PNG)),
        "classes: there must be one folder a split, got validation/, val/",
        "; remove all but one",
    ),
    "bytes in two classes": (
        by_class(copy("train/a/train0.png", CLASS_IMAGE)),
        f"classes/{CLASS_IMAGE}: image must have one label, got `b`, but `a` for the bytes of",
        "train/a/train0.png",
        "; keep one of them",
    ),
    "bytes in train and validation": (
        by_class(copy(CLASS_IMAGE, "validation/b/validation1.png")),
        f"classes/validation/b/validation1.png: image {LEAK}",
        CLASS_IMAGE,
        REMOVE,
    ),
}

NOTHING = f"{DATA_RULE}, got nothing there"
PATHS = {
    "missing": (lambda folder: folder / "no", f"data/no: {NOTHING} (No such file", "; check the path"),
    "below a file": (lambda folder: folder / "test.txt/x", f"test.txt/x: {NOTHING} (Not a dir", "; check the path"),
    "too long": (lambda folder: folder / ("x" * 300), f"{NOTHING} (File name too long)", "; check the path"),
    "a manifest": (
        lambda folder: folder / "train.txt",
        f"train.txt: {DATA_RULE}, got a file that is none of these",
        "; give the folder that it is in",
    ),
    "a folder of images": (
        lambda folder: folder / FOLDER,
        "must have a label, got 9 images on top",
        "`train0.png`",
        "; make",
    ),
    "no manifests": (
        both(gone("train.txt"), gone("test.txt")),
        "validation.txt: a table must name the train images with their labels",
        "got `validation.txt`",
        "; name it with --train",
    ),
    "a pipe": (
        lambda folder: os.mkfifo(folder / "pipe") or folder / "pipe",
        f"pipe: {DATA_RULE}, got a pipe or a device",
        "; check the path",
    ),
}

GROUPS = {
    "image": IMAGES,
    "label": LABELS,
    "duplicate": DUPLICATES,
    "table": TABLES,
    "id": IDS,
    "zip": ZIPS,
    "submission": SUBMISSIONS,
    "folder": FOLDERS,
    "path": PATHS,
}
BAD = {f"{group}: {name}": line for group, lines in GROUPS.items() for name, line in lines.items()}


def refused(top: Path, data: Path, *flags: str) -> list[str]:
    """The lines that the command says; that it ends as it must, and writes nothing into `top`, is checked."""
    (top / "small.py").write_bytes(SMALL_SPACE)
    before = sorted(top.rglob("*"))
    words = ["--data", str(data), "--sweep", str(top / "sweep"), "--space", f"{top / 'small.py'}:space", *flags]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert sorted(top.rglob("*")) == before
    return result.output.splitlines()


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_with_place_rule_value_and_way_out(name, tmp_path):
    spoil, *fragments = BAD[name]
    folder = write(TREE, tmp_path / "data")

    lines = refused(tmp_path, spoil(folder) or folder)

    assert any(all(fragment in line for fragment in fragments) for line in lines), "\n".join(lines)
    assert all(line.startswith((str(tmp_path), "... and ", "--leave-out bad", "What is read")) for line in lines)
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--limit-train", "2"], "--limit-train must be at least the number of classes, 3, got 2; raise it"),
        (["--limit-valid", "1"], "--limit-valid must be at least the number of classes, 3, got 1; raise it"),
        (["--limit-train", "0"], "'--limit-train': 0 is not in the range x>=1"),
        (["--limit-valid", "-1"], "'--limit-valid': -1 is not in the range x>=1"),
        (["--image-size", "0"], "--image-size must be 2 to 4000 px, got 0; give another"),
        (["--image-size", "1"], "--image-size must be 2 to 4000 px, got 1; give another"),
        (["--image-size", "4001"], "--image-size must be 2 to 4000 px, got 4001; give another"),
        (["--image-size", "many"], "'--image-size': 'many' is not a valid integer"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_limit_that_cannot_be_is_refused_with_its_rule(flags, words, tmp_path):
    folder = write(TREE, tmp_path / "data")

    assert any(words in line for line in refused(tmp_path, folder, *flags))


def test_all_problems_are_told_at_once_the_first_twenty_in_full(tmp_path):
    tree = with_manifests(train=30)
    folder = write(tree, tmp_path / "data")
    for number in range(30):
        put(f"{FOLDER}/train{number}.png", b"")(folder)

    lines = refused(tmp_path, folder)

    assert len(lines) == 22
    assert lines[-2] == "... and 10 more"
    assert lines[-1].startswith("--leave-out bad goes on without such images")


NFC, NFD = "caf\u00e9.png", "cafe\u0301.png"
GOOD = {
    "a byte order mark": edit("train.txt", "id,", "\ufeffid,"),
    "windows line ends": edit("train.txt", "\n", "\r\n"),
    "old line ends": edit("train.txt", "\n", "\r"),
    "no line end at the end": edit("train.txt", "5.png,2\n", "5.png,2"),
    "quotes": row('"train1.png","1"'),
    "a name with a comma": both(copy(IMAGE, f"{FOLDER}/a, b.png"), row('"a, b.png",1')),
    "a name with quotes": both(copy(IMAGE, f'{FOLDER}/a"b".png'), row('"a""b"".png",1')),
    "a name of a number": both(copy(IMAGE, f"{FOLDER}/00012"), row("00012,1")),
    "a name of nothing": both(copy(IMAGE, f"{FOLDER}/NA"), row("NA,1")),
    "a name with a space": both(copy(IMAGE, f"{FOLDER}/a b.png"), row("a b.png,1")),
    "an emoji": both(copy(IMAGE, f"{FOLDER}/\U0001f600.png"), row("\U0001f600.png,1")),
    "255 bytes": both(copy(IMAGE, f"{FOLDER}/{'x' * 251}.png"), row(f"{'x' * 251}.png,1")),
    "a capital suffix": both(copy(IMAGE, f"{FOLDER}/A.PNG"), row("A.PNG,1")),
    "no suffix": both(copy(IMAGE, f"{FOLDER}/a"), row("a,1")),
    "two names in other capitals": both(copy(IMAGE, f"{FOLDER}/TRAIN0.png"), row("TRAIN0.png,1")),
    "one unicode form": both(copy(IMAGE, f"{FOLDER}/{NFC}"), row(f"{NFC},1")),
    "the other unicode form": both(copy(IMAGE, f"{FOLDER}/{NFD}"), row(f"{NFC},1")),
    "both unicode forms": both(
        copy(IMAGE, f"{FOLDER}/{NFC}"), put(f"{FOLDER}/{NFD}", image(99)), row(f"{NFC},1\n{NFD},1")
    ),
    "a folder in a name": both(copy(IMAGE, f"{FOLDER}/a/b.png"), row("a/b.png,1")),
    "a hard link": lambda folder: (
        put("../beside.png", image(99))(folder)
        or (folder / IMAGE).unlink()
        or os.link(folder.parent / "beside.png", folder / IMAGE)
    ),
    "a link within": both(
        copy(IMAGE, "beside.png"), gone(IMAGE), lambda folder: (folder / IMAGE).symlink_to("../beside.png")
    ),
    "a link out that no id names": lambda folder: (folder / "link.png").symlink_to("/etc/hostname"),
    "junk behind an image": lambda folder: put(IMAGE, TREE[IMAGE] + b"junk")(folder),
    "another kind of image": put(IMAGE, encoded(RGB.resize((4, 4)), "JPEG")),
    "other names": edit("train.txt", "id,", "name,"),
    "capitals": edit("train.txt", "id,label", "Id,Label"),
    "spaces": edit("train.txt", "id,label", "id, label"),
    "no header": edit("train.txt", "id,label\n", ""),
    "semicolons": edit("train.txt", ",", ";"),
    "tabs": edit("train.txt", ",", "\t"),
    "two marks of byte order": edit("train.txt", "id,", "\ufeff\ufeffid,"),
    "a blank line at the end": edit("train.txt", "5.png,2\n", "5.png,2\n\n"),
    "a sample with another header": edit("sample_submission.txt", "label", "class"),
    "a csv": lambda folder: (folder / "train.txt").rename(folder / "train.csv") and None,
    "no test": both(gone("test.txt"), gone("sample_submission.txt")),
    "no submission": gone("sample_submission.txt"),
    "labels in the test": put("test.txt", TREE["sample_submission.txt"]),
    "a zip with a folder on top": lambda folder: pack(TREE, folder.with_suffix(".zip"), top="data/"),
    "a zip that is not packed": zipped(method=zipfile.ZIP_STORED),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_unusual_but_sound_is_accepted_with_every_id_in_order(name, tmp_path):
    folder = write(TREE, tmp_path / "data")

    data = load(GOOD[name](folder) or folder)

    assert data.train.ids[:1] + data.train.ids[-4:] == tuple(f"train{number}.png" for number in (0, 2, 3, 4, 5))
    assert data.classes == ("0", "1", "2")
    assert data.valid.ids == ("validation0.png", "validation1.png", "validation2.png")
