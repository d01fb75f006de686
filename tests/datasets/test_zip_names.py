"""A .zip names its files in one of several ways; each comes out as the folder that was packed."""

import struct
import zipfile
import zlib
from pathlib import Path
from unicodedata import normalize

import pytest

from sweep.datasets.file_tree import FileTree
from sweep.datasets.load import load, load_images
from sweep.datasets.problems import DataError
from tests.trees import image, table, with_class_folders

CLASSES = {"a": "Müll", "b": "Äpfel", "c": "Öl"}


def named(tree: dict[str, bytes]) -> dict[str, bytes]:
    """The tree with the names of `CLASSES` as its folders of classes."""
    return {
        "/".join(CLASSES.get(part, part) for part in name.split("/")): data for name, data in tree.items()
    }  # fmt: skip


def stored(
    tree: dict[str, bytes], path: Path, name_of, flags: int = 0, extra_of=lambda name: b"", system: int = 3
) -> Path:
    """Packs a tree with the bytes of its names as a tool would have stored them.

    Args:
      name_of: gives the bytes for a name.
      system: the number of that on which each member was made; 0 is DOS or Windows, 3 is Unix.
      extra_of: gives the extra field for a name.
    """
    body, directory = b"", b""
    for name, data in tree.items():
        raw, extra = name_of(name), extra_of(name)
        sizes = struct.pack("<IIIHH", zlib.crc32(data), len(data), len(data), len(raw), len(extra))
        common = struct.pack("<HHHHH", 20, flags, 0, 0, 0x21) + sizes
        place = len(body)
        body += b"PK\x03\x04" + common + raw + extra + data
        directory += b"PK\x01\x02" + struct.pack("<BB", 20, system) + common
        directory += struct.pack("<HHHII", 0, 0, 0, 0, place) + raw + extra
    count = len(tree)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), 0)
    path.write_bytes(body + directory + end)
    return path


def unicode_path(name: str, raw: bytes) -> bytes:
    """The extra field that Info-ZIP writes beside a name in the system's own encoding."""
    field = struct.pack("<BI", 1, zlib.crc32(raw)) + name.encode()
    return struct.pack("<HH", 0x5455, 5) + bytes(5) + struct.pack("<HH", 0x7075, len(field)) + field


def escaped(name: str) -> bytes:
    return "".join(c if c.isascii() else f"#U{ord(c):04x}" for c in name).encode()


WAYS = {
    "UTF-8, and says so": dict(name_of=str.encode, flags=1 << 11),
    "UTF-8 without saying so": dict(name_of=str.encode),
    "macOS, which takes letters apart": dict(name_of=lambda name: normalize("NFD", name).encode()),
    "code page 437": dict(name_of=lambda name: name.encode("cp437")),
    "Info-ZIP, escaped, with the Unicode path": dict(
        name_of=escaped, extra_of=lambda name: unicode_path(name, escaped(name))
    ),
    "Info-ZIP, code page 850, with the Unicode path": dict(
        name_of=lambda name: name.encode("cp850"), extra_of=lambda name: unicode_path(name, name.encode("cp850"))
    ),
    "a Unicode path of another name": dict(
        name_of=str.encode, extra_of=lambda name: unicode_path("train/a/other.png", b"another name")
    ),
    "backslashes of Windows": dict(name_of=lambda name: name.replace("/", "\\").encode()),
    "backslashes and code page 437": dict(name_of=lambda name: name.replace("/", "\\").encode("cp437")),
    "a folder . before": dict(name_of=lambda name: f"./{name}".encode()),
    "slashes twice": dict(name_of=lambda name: name.replace("/", "//").encode()),
}


@pytest.mark.parametrize("way", WAYS)
def test_classes_have_their_names_however_the_archive_stores_them(way, tmp_path):
    tree = named(with_class_folders())

    data = load(stored(tree, tmp_path / "data.zip", **WAYS[way]))

    assert data.classes == ("Müll", "Äpfel", "Öl")
    assert [normalize("NFC", name) for name in data.train.ids] == sorted(
        (name.removeprefix("train/") for name in tree if name.startswith("train/")),
        key=lambda name: normalize("NFD", name) if "macOS" in way else name,
    )
    assert [note for note in data.notes if "encoding" in note] == [
        note for note in data.notes if "437" in way and "code page 437" in note
    ]
    assert bool(data.notes) == ("437" in way)


def test_names_in_an_encoding_that_nothing_tells_are_said(tmp_path):
    tree = {name.replace("/a/", "/猫/"): data for name, data in with_class_folders().items()}

    data = load(stored(tree, tmp_path / "data.zip", lambda name: name.encode("shift_jis")))

    assert len(data.classes) == 3
    (note,) = data.notes
    assert "3 names in no encoding that the .zip tells, read as code page 437" in note
    assert "give the folder, or pack it again with names in UTF-8" in note


def test_half_a_letter_that_looks_like_a_backslash_makes_no_folder(tmp_path):
    tree = {name.replace("/a/", "/表/"): data for name, data in with_class_folders().items()}

    with pytest.raises(DataError, match=r"must be a relative path without .* backslash"):
        load(stored(tree, tmp_path / "data.zip", lambda name: name.encode("shift_jis")))


def test_a_table_finds_its_images_in_either_unicode_form_of_an_archive(tmp_path):
    tree = {f"images/{name}.png": image(number) for number, name in enumerate("äöüÄÖÜ")}
    rows = [f"{name}.png,{number % 2}" for number, name in enumerate("äöüÄÖÜ")]
    tree["train.csv"] = table("id,label", *rows)

    data = load(stored(tree, tmp_path / "data.zip", lambda name: normalize("NFD", name).encode()))

    assert sorted(data.train.ids + data.valid.ids) == sorted(row[:-2] for row in rows)


def test_names_that_say_utf8_and_are_not_are_refused_by_name(tmp_path):
    tree = named(with_class_folders())
    with pytest.raises(DataError) as error:
        load(stored(tree, tmp_path / "data.zip", lambda name: name.encode("cp437"), flags=1 << 11))
    assert "data.zip: names in a zip must be UTF-8 where it says so, got byte 0x81" in str(error.value)


@pytest.mark.parametrize("name", ["\\a.png", "C:\\data\\a.png", "a\\..\\..\\b.png", "..\\a.png", "C:/a.png", "."])
def test_no_way_of_storing_a_name_leads_out_of_the_archive(name, tmp_path):
    tree = with_class_folders() | {name: b""}
    with pytest.raises(DataError, match="names in a zip must stay in it"):
        load(stored(tree, tmp_path / "data.zip", str.encode))


@pytest.mark.parametrize("system", [0, 3, 10, 11, 14, 19])
@pytest.mark.parametrize(
    ("tree", "separates"),
    [
        ({"a\\b.png": b"", "c.png": b""}, "always"),  # no slash at all: a tool on Windows, whatever it says
        ({"d/c.png": b"", "a\\b.png": b""}, "where made on Windows"),
    ],
)
def test_a_backslash_separates_folders_only_in_an_archive_of_windows(tree, separates, system, tmp_path):
    files = FileTree(stored(tree, tmp_path / "data.zip", str.encode, system=system)).files

    is_folder = separates == "always" or system in (0, 10, 11, 14)
    assert ("a/b.png" in files, "a\\b.png" in files) == (is_folder, not is_folder)


def test_two_names_that_are_one_folder_deep_down_are_refused(tmp_path):
    tree = {"a/b.png": b"1", "./a\\b.png": b"2"}  # of Windows
    with pytest.raises(DataError, match=r"names in a zip must be unique, got `a/b\.png` twice"):
        FileTree(stored(tree, tmp_path / "data.zip", str.encode, system=0))


def test_a_class_without_images_in_an_archive_is_refused_as_in_a_folder(tmp_path):
    tree = with_class_folders() | {"train/d/readme.txt": b"later"}
    with pytest.raises(DataError, match=r"train/d: class must have 2 images or more"):
        load(stored(tree, tmp_path / "data.zip", str.encode))


def test_what_an_archive_holds_and_is_no_image_is_counted(tmp_path):
    path = stored({"a.png": image(1), "__MACOSX/._a.png": b"x", "b.txt": b"x"}, tmp_path / "new.zip", str.encode)
    link, packed = zipfile.ZipInfo("link.png"), zipfile.ZipInfo("packed.png")
    link.external_attr = 0o120777 << 16
    packed.compress_type = zipfile.ZIP_BZIP2
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "a.png")
        archive.writestr(packed, image(2))
    notes: list[str] = []

    split = load_images(path, (4, 4), notes)

    assert split.ids == ("a.png",)
    assert notes == [
        "Left out: 1 file that is no image (1 .txt), 1 hidden file, 1 link in an archive, "
        "1 file packed in another way than deflate."
    ]
