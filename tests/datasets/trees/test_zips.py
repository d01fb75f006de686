"""A zip in the data is a folder of its tree, and as safe as the data itself."""

import stat
import zipfile

import pytest

from tests.datasets.trees.containers import tarred, zipped
from tests.trees import write

FILES = {"a.png": b"first", "b/c.png": b"second"}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "packed"])
def test_a_zip_in_a_zip_in_a_folder_is_read(tmp_path, opened, method):
    outer = zipped({"train.zip": zipped(FILES), "train.csv": b"id"}, method)
    tree, findings = opened(write({"data.zip": outer, "x.png": b"third"}, tmp_path / "data"))
    assert {name: tree.read(name) for name in tree.files} == {
        "data.zip/train.csv": b"id",
        "data.zip/train.zip/a.png": b"first",
        "data.zip/train.zip/b/c.png": b"second",
        "x.png": b"third",
    }
    assert {"data.zip", "data.zip/train.zip", "data.zip/train.zip/b"} <= tree.folders
    assert tree.why_not("data.zip") == "is a folder"
    assert list(tree.stamps) == ["data.zip", "x.png"]
    assert (findings.problems, findings.notes) == ([], [])


def test_before_containers_are_opened_they_are_files(tmp_path, opened):
    tree, _ = opened(write({"data.zip": zipped(FILES)}, tmp_path / "data"))
    closed = type(tree)(tmp_path / "data", 2)
    assert list(closed.files) == ["data.zip"]


def test_under_older_listing_rules_nothing_is_opened(tmp_path, opened):
    from sweep.datasets.file_tree import FileTree
    from sweep.datasets.problems import Findings

    with FileTree(write({"data.zip": zipped(FILES)}, tmp_path / "data"), 2) as tree:
        tree.open_containers(Findings())
        assert list(tree.files) == ["data.zip"]


def encrypted() -> bytes:
    data = bytearray(zipped(FILES))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def twice() -> bytes:
    return zipped({"a.png": b"first", "b.png": b"again"}).replace(b"b.png", b"a.png")


BAD = {
    "a name that leads out": (zipped({"../a.png": b"x"}), "names in a zip must stay in it, got `../a.png`"),
    "an absolute name": (zipped({"/etc/a.png": b"x"}), "names in a zip must stay in it, got `/etc/a.png`"),
    "a drive": (zipped({"C:\\a.png": b"x"}), "names in a zip must stay in it"),
    "an encrypted member": (encrypted(), "zip must not be encrypted, got `a.png` encrypted"),
    "a name twice": (twice(), "names in a zip must be unique, got `a.png` twice"),
    "cut": (zipped(FILES)[:-30], "zip must be whole, got File is not a zip file"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_zip_in_the_data_is_a_problem_by_its_name(tmp_path, opened, name):
    data, words = BAD[name]
    tree, findings = opened(write({"x.png": b"x", "in/bad.zip": data}, tmp_path / "data"))
    (problem,) = findings.problems
    assert str(problem).startswith(f"{tmp_path}/data/in/bad.zip: {words}")
    assert list(tree.files) == ["in/bad.zip", "x.png"]


def test_links_and_other_packings_in_a_zip_in_the_data_are_told_by_their_names(tmp_path, opened):
    path = write({"x.png": b"x"}, tmp_path / "data") / "in.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("lzma.png", b"x" * 100, zipfile.ZIP_LZMA)
    tree, _ = opened(tmp_path / "data")
    assert tree.why_not("in.zip/link.png") == "is a link"
    assert tree.why_not("in.zip/lzma.png") == "is packed in another way than deflate"
    assert list(tree.files) == ["x.png"]


def test_containers_are_opened_only_three_deep(tmp_path, opened):
    data = b"deep"
    for _ in range(5):
        data = zipped({"a.zip": data})
    _, findings = opened(write({"a.zip": data}, tmp_path / "data"))
    (problem,) = findings.problems
    assert str(problem).startswith(f"{tmp_path}/data/a.zip/a.zip/a.zip/a.zip: zip must be a file in at most 2 other")


def test_a_zip_that_is_a_file_and_a_folder_is_no_guess(tmp_path, opened):
    both = zipped({"a.zip": zipped(FILES), "a.zip/a.png": b"other"})
    tree, findings = opened(write({"data.zip": both}, tmp_path / "data"))
    (problem,) = findings.problems
    assert "got a folder of the same name beside it" in str(problem)
    assert tree.read("data.zip/a.zip/a.png") == b"other"


@pytest.mark.parametrize("name", ["train.zip", "train.tar", "train.tar.gz"])
def test_an_archive_beside_the_folder_that_it_was_unpacked_to_stays_closed(tmp_path, opened, name):
    data = zipped(FILES) if name.endswith("zip") else tarred(FILES)
    tree, findings = opened(write({name: data, "train/a.png": b"first"}, tmp_path / "data"))
    assert list(tree.files) == sorted([name, "train/a.png"])
    assert findings.notes == [f"1 packed file is not opened, being unpacked beside: {name}."]


def test_hidden_archives_stay_closed(tmp_path, opened):
    tree, _ = opened(write({".cache/a.zip": zipped(FILES), "x.png": b"x"}, tmp_path / "data"))
    assert list(tree.files) == [".cache/a.zip", "x.png"]
