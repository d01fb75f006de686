"""A pickle is read without running it: arrays, numbers and text come out, and anything else is refused by its name."""

import os
import pickle
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from sweep.datasets.pickles import PickleError, plain_content

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
VALUES = {
    "text and numbers": {"a": [1, -2, 3.5, 1 << 40, True, None], b"b": ("x", "é", b"\xff"), "c": {"d": ()}},
    "ordered": {"a": OrderedDict()},
    "shared": [[1, 2]] * 3,
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", VALUES)
def test_plain_values_come_out_as_they_went_in(name, protocol):
    assert plain_content(pickle.dumps(VALUES[name], protocol)) == VALUES[name]


ARRAYS = [
    np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    np.arange(3, dtype=">i4"),
    np.array(["a", "bc"]),
    np.array([True, False]),
    np.zeros((0, 3)),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_arrays_come_out_as_they_went_in(array, protocol):
    read = plain_content(pickle.dumps({"x": array, "one": np.int64(7)}, protocol))
    assert np.array_equal(read["x"], array)
    assert read["x"].dtype == array.dtype
    assert read["one"] == 7


def test_a_pickle_of_python_2_is_read():
    """What Python 2 wrote of {'data': array([[1, 2]], dtype=uint8), 'labels': [6]}."""
    data = (
        b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b"
        b"\x87Rq\x05(K\x01K\x01K\x02\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89U\x02\x01\x02tbU\x06labelsq\x08]q\tK\x06au."
    )
    read = plain_content(data)
    assert (read[b"data"].tolist(), read[b"labels"]) == ([[1, 2]], [6])


class Evil:
    """Unpickled, it leaves a folder behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def itself() -> list:
    loop: list = []
    loop.append(loop)
    return loop


REFUSED = {
    "a call": lambda folder: pickle.dumps([Evil(folder)]),
    "a call in an old pickle": lambda folder: f"cposix\nmkdir\n(S'{folder}'\ntR.".encode(),
    "a call by state": lambda folder: b"\x80\x02cposix\nmkdir\n)\x81}b.",
    "an old instance": lambda folder: f"(S'{folder}'\niposix\nmkdir\n.".encode(),
    "an object": lambda folder: pickle.dumps(Path("x")),
    "a function": lambda folder: pickle.dumps(os.mkdir),
    "an array of objects": lambda folder: pickle.dumps(np.array([Evil(folder), None], dtype=object)),
    "records": lambda folder: pickle.dumps(np.zeros(2, "u1,f4")),
    "persistent": lambda folder: b"\x80\x02X\x01\x00\x00\x00aQ.",
    "cut": lambda folder: pickle.dumps([1, 2, 3])[:-3],
    "text": lambda folder: b"hello",
    "nothing": lambda folder: b"",
    "a list in itself": lambda folder: pickle.dumps(itself()),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_is_refused_and_nothing_is_run(tmp_path, name):
    folder = tmp_path / "made"
    with pytest.raises(PickleError, match=r"a pickle|an array"):
        plain_content(REFUSED[name](folder))
    assert not folder.exists()


HEARD: list[str] = []
sys.addaudithook(lambda event, arguments: HEARD.append(event) if event == "pickle.find_class" else None)


def test_python_looks_no_name_up(tmp_path):
    HEARD.clear()
    plain_content(pickle.dumps(ARRAYS))
    with pytest.raises(PickleError):
        plain_content(pickle.dumps(Evil(tmp_path / "made")))
    assert HEARD == []


def test_one_thing_a_million_times_over_is_read_once():
    value: list = []
    for _ in range(60):
        value = [value, value]
    read = plain_content(pickle.dumps(value))
    assert read[0] is read[1]
