"""Files that appear whole or not at all, and readers that take nothing on trust."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from sweep.analysis.outputs.results import write_results
from sweep.analysis.record import Record
from sweep.storage import files
from sweep.storage.files import (
    DamagedError,
    append,
    last_used_first,
    make_folder,
    read_array,
    read_json,
    remove,
    save_array,
    written_whole,
)
from tests.trials import execute, in_memory, open_bridge

WRITES = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree", "os.link"}
DIAGNOSTIC = {"hung.txt"}  # nothing depends on it


def test_a_crash_while_writing_leaves_the_previous_file(tmp_path):
    path = tmp_path / "state"
    with written_whole(path) as partial:
        partial.write_bytes(b"epoch 1")

    def crash():
        with written_whole(path) as partial:
            partial.write_bytes(b"ep")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()
    assert path.read_bytes() == b"epoch 1"


def test_what_is_appended_stays_whole_when_the_disk_is_full(tmp_path, monkeypatch):
    path = tmp_path / "journal"
    append(path, b"one\n")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        append(path, b"two\n")

    assert path.read_bytes() == b"one\n"


def test_removing_never_follows_a_link(tmp_path):
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    make_folder(outside)
    (outside / "kept").touch()
    make_folder(inside / "deep")
    (inside / "deep" / "link").symlink_to(outside)

    remove(inside)

    assert not inside.exists()
    assert (outside / "kept").exists()


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"a": NaN}', b'{"a": -Infinity}', b"[" * 100_000, b"\xff\xfe", b"\x80\x04\x95pickle."]
)
def test_json_that_is_none_is_refused_by_name(tmp_path, content):
    path = tmp_path / "history.json"
    path.write_bytes(content)

    with pytest.raises(DamagedError, match=r"history\.json"):
        read_json(path)


def test_an_array_comes_back_and_a_cut_one_is_refused_by_name(tmp_path):
    path = tmp_path / "logits.npy"
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    save_array(path, array)
    assert (read_array(path) == array).all()

    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(DamagedError, match=r"logits\.npy"):
            read_array(path)


def test_every_write_into_a_sweep_is_made_in_one_module(tmp_path):
    """Python tells a hook of each file that is opened, renamed or removed; a partial is no file of the sweep yet."""
    sweep, elsewhere, watching = tmp_path / "sweep", [], True

    def hook(event, words):
        if not watching or event not in WRITES or not isinstance(words[0], str | os.PathLike):
            return
        path = Path(os.fspath(words[0]))
        if event == "open" and not (words[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND):
            return
        if not path.is_relative_to(sweep) or path.suffix == ".partial" or path.name in DIAGNOSTIC:
            return
        frame = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename != files.__file__:
            frame = frame.f_back
        if frame is None:
            elsewhere.append((event, str(path)))

    sys.addaudithook(hook)
    bridge, _ = open_bridge(sweep, 4)
    execute(bridge, in_memory())
    save_array(sweep / "valid_labels.npy", in_memory().valid.labels)
    write_results(Record(sweep), None)
    watching = False

    assert [write for write in elsewhere if write != ("os.mkdir", str(sweep))] == []
    assert (sweep / "report.html").exists()


def test_a_cache_is_listed_by_last_use_without_what_another_process_has_just_removed(tmp_path):
    for seconds, name in enumerate(("old", "new", "gone")):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (seconds, seconds))
    paths = list(tmp_path.iterdir())
    (tmp_path / "gone").unlink()

    assert [path.name for path, _ in last_used_first(paths)] == ["new", "old"]
