"""A tar in the data is a folder of its tree; a packed one is unpacked once."""

import tarfile

import pytest

from tests.datasets.trees.containers import special, tarred
from tests.trees import write

FILES = {"a.png": b"first", "./b/c.png": b"second"}
READ = {"a.png": b"first", "b/c.png": b"second"}
MODES = {"x.tar": "w", "x.tar.gz": "w:gz", "x.tgz": "w:gz", "x.tar.bz2": "w:bz2", "x.tar.xz": "w:xz"}


@pytest.mark.parametrize("name", MODES)
def test_a_tar_is_read_in_the_data_and_as_the_data(tmp_path, opened, name):
    folder = write({name: tarred(FILES, MODES[name])}, tmp_path / "data")
    for path, prefix in ((folder, f"{name}/"), (folder / name, "")):
        tree, findings = opened(path)
        assert {one: tree.read(one) for one in tree.files} == {prefix + one: data for one, data in READ.items()}
        assert tree.holds(f"{prefix}b")
        assert findings.problems == []


def test_what_is_no_file_in_a_tar_is_told_by_its_name(tmp_path, opened):
    members = {
        "a.png": b"first",
        "link.png": special("link.png", tarfile.SYMTYPE, "/etc/passwd"),
        "hard.png": special("hard.png", tarfile.LNKTYPE, "a.png"),
        "pipe.png": special("pipe.png", tarfile.FIFOTYPE),
        "device.png": special("device.png", tarfile.CHRTYPE),
    }
    tree, findings = opened(write({"x.tar": tarred(members)}, tmp_path / "data"))
    assert list(tree.files) == ["x.tar/a.png"]
    assert {name: tree.why_not(f"x.tar/{name}") for name in members if name != "a.png"} == {
        "link.png": "is a link",
        "hard.png": "is a link",
        "pipe.png": "is no regular file (a pipe or a device)",
        "device.png": "is no regular file (a pipe or a device)",
    }
    assert findings.problems == []


def huge_header() -> bytes:
    data = bytearray(tarred({"a.png": b"x"}, "w"))
    member = tarfile.TarInfo("long")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    return member.tobuf() + bytes(3 << 20) + bytes(data)


TWICE = tarred({"a.png": b"first", "b.png": b"again"}).replace(b"b.png", b"a.png")
BAD = {
    "a name that leads out": (tarred({"../a.png": b"x"}), "names in a tar must stay in it, got `../a.png`"),
    "a name that leads out in the middle": (tarred({"b/../../a.png": b"x"}), "names in a tar must stay in it"),
    "an absolute name": (tarred({"/etc/a.png": b"x"}), "names in a tar must stay in it, got `/etc/a.png`"),
    "a name twice": (tarred({"a.png": b"x", "./a.png": b"y"}), "names in a tar must be unique, got `a.png` twice"),
    "cut": (tarred({"a.png": b"first", "b.png": b"x" * 5000})[:3000], "tar must be whole, got"),
    "no tar": (b"nothing of the kind" * 100, "tar must be whole, got"),
    "a header of a gigabyte": (huge_header(), "tar must be whole, got a header of"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_tar_is_a_problem_by_its_name(tmp_path, opened, name):
    data, words = BAD[name]
    tree, findings = opened(write({"in/bad.tar": data}, tmp_path / "data"))
    assert str(findings.problems[0]).startswith(f"{tmp_path}/data/in/bad.tar: {words}")
    assert list(tree.files) == ["in/bad.tar"]


@pytest.mark.parametrize("name", ["x.tar.gz", "x.tar.bz2", "x.tar.xz"])
def test_a_cut_packed_tar_is_a_problem_by_its_name(tmp_path, opened, name):
    data = tarred({"a.png": bytes(range(256)) * 40}, MODES[name])
    _, findings = opened(write({name: data[: len(data) // 2]}, tmp_path / "data"))
    (problem,) = findings.problems
    assert str(problem).startswith(f"{tmp_path}/data/{name}: tar must be whole")


def test_a_tar_that_changes_after_it_was_listed_is_not_read(tmp_path, opened):
    tree, _ = opened(write({"x.tar": tarred({"a.png": b"first"})}, tmp_path / "data"))
    (tmp_path / "data/x.tar").write_bytes(b"")
    with pytest.raises(ValueError, match="must have the 5 bytes that it is listed with, got 0"):
        tree.read("x.tar/a.png")


@pytest.mark.parametrize("at", ["in the middle", "at its end"])
def test_a_damaged_header_does_not_end_a_tar_without_a_word(tmp_path, opened, at):
    data = bytearray(tarred({"a.png": b"first", "b.png": b"second", "c.png": b"third"}))
    data = data[:1024] + b"\xff" * 512 + data[1536:] if at == "in the middle" else data[:2048]
    _, findings = opened(write({"x.tar": bytes(data)}, tmp_path / "data"))
    (problem,) = findings.problems
    assert "tar must be whole, got no end, but a damaged or cut header behind" in str(problem)
