"""What can only be read in order is unpacked once: into memory, or into the cache after its room was said."""

import gzip
import os
import shutil
from collections import namedtuple

import pytest

from sweep.datasets.trees import unpacked
from tests.datasets.trees.containers import tarred
from tests.trees import write

PACKED = tarred({"a.png": b"first"}, "w:gz")


@pytest.fixture
def on_disk(monkeypatch):
    monkeypatch.setattr(unpacked, "SMALL", 100)


@pytest.fixture
def settled(monkeypatch):
    """The files are older than the moment in which they could change unseen."""
    monkeypatch.setattr("sweep.datasets.file_tree.SETTLED_SECONDS", 0.0)


def test_what_is_small_stays_in_memory(tmp_path, opened):
    opened(write({"x.tar.gz": PACKED}, tmp_path / "data"))
    assert not unpacked.folder().exists()


@pytest.mark.usefixtures("on_disk", "settled")
def test_what_is_large_is_unpacked_once_and_said_before(tmp_path, opened):
    folder, said = write({"x.tar.gz": PACKED}, tmp_path / "data"), []
    for _ in range(2):
        tree, findings = opened(folder, said.append)
        assert tree.read("x.tar.gz/a.png") == b"first"
    (copy,) = unpacked.folder().iterdir()
    assert copy.stat().st_size == len(gzip.decompress(PACKED))
    (sentence,) = said
    assert sentence.startswith(f"Unpacking {folder}/x.tar.gz (0.0 GB packed) into {unpacked.folder()}; ")
    assert findings.problems == []


@pytest.mark.usefixtures("on_disk", "settled")
def test_another_file_under_the_name_is_unpacked_anew(tmp_path, opened):
    folder = write({"x.tar.gz": PACKED}, tmp_path / "data")
    opened(folder)
    write({"x.tar.gz": tarred({"a.png": b"other"}, "w:gz")}, folder)
    tree, _ = opened(folder)
    assert tree.read("x.tar.gz/a.png") == b"other"


@pytest.mark.usefixtures("on_disk")
def test_a_copy_of_a_file_that_changed_just_now_is_not_kept(tmp_path, opened):
    tree, _ = opened(write({"x.tar.gz": PACKED}, tmp_path / "data"))
    assert tree.read("x.tar.gz/a.png") == b"first"
    assert list(unpacked.folder().iterdir()) == []


@pytest.mark.usefixtures("on_disk", "settled")
def test_a_full_disk_is_said_and_leaves_nothing_behind(tmp_path, opened, monkeypatch):
    usage = namedtuple("usage", "total used free")(1 << 40, 1 << 40, 1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    _, findings = opened(write({"x.tar.gz": PACKED}, tmp_path / "data"))
    (problem,) = findings.problems
    assert "must have room for its unpacked copy, got 0.0 GB left; make room, or set XDG_CACHE_HOME" in str(problem)
    assert list(unpacked.folder().iterdir()) == []


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz"])
@pytest.mark.usefixtures("on_disk")
def test_a_large_archive_that_is_damaged_is_no_fault_of_the_disk(tmp_path, opened, ending):
    packed = bytearray(tarred({"a.png": bytes(500)}, f"w:{ending}"))
    packed[-10:] = bytes(10)
    _, findings = opened(write({f"x.tar.{ending}": bytes(packed)}, tmp_path / "data"))

    (problem,) = findings.problems
    assert "tar must be whole" in str(problem)
    assert "; fetch it again" in str(problem)


@pytest.mark.usefixtures("on_disk")
def test_a_cache_that_cannot_be_written_is_said(tmp_path, opened):
    (tmp_path / "cache").write_bytes(b"a file")
    _, findings = opened(write({"x.tar.gz": PACKED}, tmp_path / "data"))
    (problem,) = findings.problems
    assert "must take its unpacked copy, got Not a directory; unpack it yourself, or set XDG_CACHE_HOME" in str(problem)


@pytest.mark.usefixtures("on_disk")
def test_what_unpacks_to_far_more_than_it_is_is_no_data(tmp_path, opened, monkeypatch):
    monkeypatch.setattr(unpacked, "ALWAYS_BYTES", 1 << 20)
    monkeypatch.setattr(unpacked, "CHUNK", 1 << 16)
    _, findings = opened(write({"x.tar.gz": gzip.compress(bytes(8 << 20))}, tmp_path / "data"))
    (problem,) = findings.problems
    assert "x.tar.gz: file must unpack to at most 200 times its" in str(problem)
    assert list(unpacked.folder().iterdir()) == []


@pytest.mark.usefixtures("on_disk", "settled")
def test_copies_that_were_used_longest_ago_make_room(tmp_path, opened, monkeypatch):
    monkeypatch.setattr(unpacked, "KEPT_BYTES", 15_000)  # one of these
    for number, name in enumerate(("first.tar.gz", "second.tar.gz", "third.tar.gz")):
        opened(write({name: PACKED}, tmp_path / name.partition(".")[0]))
        for copy in unpacked.folder().iterdir():
            os.utime(copy, (number, number))
    assert len(list(unpacked.folder().iterdir())) == 2  # the newest is kept beside the one for which there is room
