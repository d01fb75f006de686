"""Nothing leads out of the data: not by a name, not by a link, not after the listing."""

import json
import os
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from sweep.datasets.file_tree import FileTree
from tests.trees import image, pack, with_manifests, write

FILES = {"a.png": b"first", "b/c.png": b"second"}


def test_a_folder_and_a_zip_are_listed_alike(tmp_path):
    for path in (write(FILES, tmp_path / "data"), pack(FILES, tmp_path / "data.zip")):
        with FileTree(path) as tree:
            assert tree.files == {"a.png": 5, "b/c.png": 6}
            assert [tree.read(name) for name in tree.files] == [b"first", b"second"]
            assert tree.why_not("c.png") == "is not there"


def test_a_link_within_the_folder_is_a_file(tmp_path):
    folder = write(FILES, tmp_path / "data")
    (folder / "b/link.png").symlink_to("../a.png")
    (folder / "folder").symlink_to("b")
    with FileTree(folder) as tree:
        assert tree.read("b/link.png") == b"first"
        assert tree.why_not("folder").startswith("is a link to no file (to a folder")


def test_a_folder_of_any_depth_is_listed(tmp_path):
    name = "/".join(["d"] * 1500) + "/x.png"  # deeper than Python may call itself
    here = os.getcwd()
    try:
        os.chdir(tmp_path)
        for part in name.split("/")[:-1]:
            os.mkdir(part)
            os.chdir(part)
        Path("x.png").write_bytes(b"deep")
    finally:
        os.chdir(here)
    try:
        with FileTree(tmp_path) as tree:
            assert tree.read(name) == b"deep"
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)  # deeper than pytest may clean up


def swapped(name: str, target: str):
    def swap(folder: Path) -> None:
        (folder / name).rename(folder.parent / "elsewhere")
        (folder / name).symlink_to(target)

    return swap


def to_pipe(folder: Path) -> None:
    (folder / "b/c.png").unlink()
    os.mkfifo(folder / "b/c.png")


def to_folder(folder: Path) -> None:
    (folder / "b/c.png").unlink()
    (folder / "b/c.png").mkdir()


SWAPS = {
    "the file by a link": (swapped("b/c.png", "../../elsewhere"), "must be readable"),
    "its folder by a link": (swapped("b", "../elsewhere"), "must be readable"),
    "a pipe": (to_pipe, "must be readable, got no regular file any more"),
    "a folder": (to_folder, "must be readable, got Is a directory"),
    "gone": (lambda folder: (folder / "b/c.png").unlink(), "must be readable, got No such file"),
    "longer": (lambda folder: (folder / "b/c.png").write_bytes(b"longer than it was"), "listed with, got more"),
    "cut": (lambda folder: (folder / "b/c.png").write_bytes(b"cut"), "listed with, got 3"),
}


@pytest.mark.parametrize("name", SWAPS)
def test_what_was_swapped_after_the_listing_is_neither_followed_nor_waited_for(tmp_path, name):
    swap, words = SWAPS[name]
    with FileTree(write(FILES, tmp_path / "data")) as tree:
        swap(tmp_path / "data")
        with pytest.raises(ValueError, match=words):
            tree.read("b/c.png")


def test_a_zip_that_says_too_little_of_a_member_is_not_unpacked_beyond_it(tmp_path):
    path = pack({"a.png": bytes(32 << 20)}, tmp_path / "data.zip")
    lying = bytearray(path.read_bytes())
    at = lying.rindex(b"PK\x01\x02") + 24  # the size when unpacked
    lying[at : at + 4] = (100).to_bytes(4, "little")
    path.write_bytes(lying)
    with FileTree(path) as tree:
        tracemalloc.start()
        with pytest.raises(ValueError, match="Bad CRC-32"):
            tree.read("a.png")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_that_python_unpacks_without_a_limit_is_not_read(tmp_path, method):
    with FileTree(pack(FILES, tmp_path / "data.zip", method=method)) as tree:
        assert tree.files == {}
        assert tree.why_not("a.png") == "is packed in another way than deflate"


# One process a hook, since it can never be taken off again.
LOAD_EACH = """
import json, os, sys
from pathlib import Path
from sweep.datasets.load import load
from sweep.datasets.problems import DataError

folder, ids = Path(sys.argv[1]), json.loads(sys.argv[2])
manifest = (folder / "train.txt").read_bytes()
load(folder)
(folder / "train.txt").write_bytes(manifest.replace(b"train1.png", b"gone.png"))
try:
    load(folder)
except DataError:
    pass  # all that is imported on the way is imported
opened, listening = [], False

def hook(event, arguments):
    if listening and event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], str):
        opened.append(arguments[0])

sys.addaudithook(hook)
refused = 0
for name in ids:
    (folder / "train.txt").write_bytes(manifest.replace(b"train1.png", name.encode()))
    listening = True
    try:
        load(folder)
    except DataError:
        refused += 1
    listening = False
print(json.dumps({"refused": refused, "opened": opened}))
"""


def test_an_id_cannot_open_anything_outside_of_the_data(tmp_path):
    folder = write(with_manifests(), tmp_path / "data")
    (tmp_path / "secret.png").write_bytes(image(99, side=4))
    (tmp_path / "beside").mkdir()
    (folder / "link.png").symlink_to("../secret.png")
    (folder / "folder").symlink_to("..")
    secret = str(tmp_path / "secret.png")
    ids = [
        *("../secret.png", "../../data/../secret.png", "a/../../secret.png", "train+validation/../../secret.png"),
        *("./../secret.png", "..//secret.png", "test/../../secret.png", "../data/../secret.png", "..\\secret.png"),
        *(secret, f"/{secret}", f"/.{secret}", f"file://{secret}", f"a/{secret}", f"~/{secret}", f"C:{secret}"),
        *("link.png", "folder/secret.png", "folder/data/../secret.png", "./link.png", "../link.png"),
        *("/etc/passwd", "../../../../../../etc/passwd", "/dev/zero", "/proc/self/environ", "/dev/stdin"),
        *("~", "..", "/", "~root/.ssh/id_rsa", "\\\\host\\secret.png", "%2e%2e/secret.png", "secret.png"),
    ]
    assert len(ids) >= 30

    words = [sys.executable, "-c", LOAD_EACH, str(folder), json.dumps(ids)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path / "beside", env=environment)

    result = json.loads(done.stdout)
    assert result["refused"] == len(ids)
    whole = [path for path in result["opened"] if path.startswith("/")]
    steps = {path for path in result["opened"] if not path.startswith("/")}  # from a folder that is open, see FileTree
    assert len(whole) > 10 * len(ids)  # the hook hears
    assert [path for path in whole if not Path(os.path.normpath(path)).is_relative_to(folder)] == []
    assert {step for step in steps if "/" in step or step in ("..", "secret.png", "link.png")} == set()
