"""Rows of arrays become images: the bytes of a `.npy` file that is always the same, or a rule by its name."""

import io

import numpy as np
import pytest

from sweep.datasets.trees.npy import npy_bytes
from tests.trees import write

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (5, 4, 6), dtype=np.uint8)
RGB = RNG.integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)


def saved(array: np.ndarray, pickled: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=pickled)
    return buffer.getvalue()


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 3), (2, 3, 4), (1000, 1000, 3)])
def test_an_image_is_a_npy_file_that_numpy_reads(shape):
    image = np.full(shape, 7, np.uint8)
    data = npy_bytes(image)
    assert len(data) == 128 + image.size
    assert np.array_equal(np.load(io.BytesIO(data), allow_pickle=False), image)


def test_the_bytes_of_an_image_never_change():
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2), }"
    assert npy_bytes(np.array([[1, 2]], np.uint8)) == (
        b"\x93NUMPY\x01\x00\x76\x00" + header.ljust(117) + b"\n" + b"\x01\x02"
    )


UNIT = GREY.astype(np.float32) / 255
READ = {
    "grey": (GREY, GREY[3]),
    "grey with an axis": (GREY[..., None], GREY[3]),
    "grey, channel first": (GREY[:, None], GREY[3]),
    "colour": (RGB, RGB[3]),
    "colour, channels first": (np.ascontiguousarray(RGB.transpose(0, 3, 1, 2)), RGB[3]),
    "with opacity": (np.concatenate([RGB, RGB[..., :1]], 3), np.concatenate([RGB, RGB[..., :1]], 3)[3]),
    "long integers": (GREY.astype(np.int64), GREY[3]),
    "big-endian": (GREY.astype(">u2"), GREY[3]),
    "floats from 0 to 1": (UNIT, GREY[3]),
    "floats from 0 to 255": (GREY.astype(np.float64), GREY[3]),
    "true and false": (GREY > 127, np.where(GREY[3] > 127, 255, 0)),
}


@pytest.mark.parametrize("name", READ)
def test_a_row_is_an_image_of_8_bits(tmp_path, opened, name):
    array, image = READ[name]
    tree, findings = opened(write({"x.npy": saved(array)}, tmp_path / "data"))
    assert list(tree.files) == [f"x.npy/{row}" for row in range(5)]
    assert tree.is_image("x.npy/3")
    assert np.array_equal(np.load(io.BytesIO(tree.read("x.npy/3")), allow_pickle=False), image)
    assert findings.problems == []


UNREAD = {
    "beyond 255": GREY.astype(np.int64) + 200,
    "below 0": GREY.astype(np.float32) - 300,
    "not a number": np.where(GREY[3, 0, 0] == GREY, np.nan, UNIT),
}


@pytest.mark.parametrize("name", UNREAD)
def test_values_that_are_no_pixels_are_refused_with_them(tmp_path, opened, name):
    tree, _ = opened(write({"x.npy": saved(UNREAD[name])}, tmp_path / "data"))
    with pytest.raises(ValueError, match="must be readable, got values"):
        tree.read("x.npy/3")


LABELS = {
    "numbers": (np.array([3, 1, 2]), ["3", "1", "2"]),
    "a column": (np.array([[3], [1], [2]], np.uint8), ["3", "1", "2"]),
    "axes of one": (np.array([3, 1, 2]).reshape(3, 1, 1, 1), ["3", "1", "2"]),
    "whole floats": (np.array([3.0, 1.0, 2.0]), ["3", "1", "2"]),
    "text": (np.array(["dog", "cat", "élan"]), ["dog", "cat", "élan"]),
    "bytes": (np.array([b"dog", b"cat"]), ["dog", "cat"]),
    "true and false": (np.array([True, False]), ["1", "0"]),
    "one 1 a row": (np.eye(3, dtype=np.float32)[[2, 0, 1]], ["2", "0", "1"]),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_text(tmp_path, opened, name):
    array, labels = LABELS[name]
    tree, _ = opened(write({"y.npy": saved(array)}, tmp_path / "data"))
    assert [*tree.arrays[0].values()] == labels


OBJECTS = np.array([{"a": 1}, None], dtype=object)
NOT_READ = {
    "objects": (saved(OBJECTS, pickled=True), "it holds Python objects"),
    "records": (saved(np.zeros(3, "u1,f4")), "its rows are records"),
    "Fortran order": (saved(np.asfortranarray(GREY)), "it is in Fortran order; save numpy.ascontiguousarray of it"),
}


@pytest.mark.parametrize("name", NOT_READ)
def test_an_array_that_is_not_read_says_why(tmp_path, opened, name):
    data, words = NOT_READ[name]
    tree, findings = opened(write({"x.npy": data}, tmp_path / "data"))
    assert tree.arrays[0].why_not.startswith(words)
    assert (list(tree.files), findings.problems) == ([], [])


BROKEN = {
    "no header": saved(GREY)[:20],
    "a header of another kind": saved(GREY).replace(b"'shape'", b"'shame'"),
    "a header that calls": saved(GREY).replace(b"False", b"abs()"),
    "a negative side": saved(GREY).replace(b"(5, 4, 6)", b"(5,-4, 6)"),
    "a long header": b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + bytes(100),
    "text": b"hello",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_array_is_a_problem_by_its_name(tmp_path, opened, name):
    tree, findings = opened(write({"in/x.npy": BROKEN[name]}, tmp_path / "data"))
    (problem,) = findings.problems
    assert str(problem).startswith(f"{tmp_path}/data/in/x.npy: array file must be whole, got ")
    assert list(tree.files) == ["in/x.npy"]


def test_a_cut_array_lacks_its_last_images(tmp_path, opened):
    tree, _ = opened(write({"x.npy": saved(GREY)[:-30]}, tmp_path / "data"))
    assert len(tree.read("x.npy/2")) == 128 + 24
    with pytest.raises(ValueError, match="row 4 is missing: the data ends before it"):
        tree.read("x.npy/4")


ONE_IMAGE = {
    "colour": RGB[0],
    "with opacity": np.concatenate([RGB, RGB[..., :1]], 3)[0],
    "grey": GREY[0],
}


@pytest.mark.parametrize("name", ONE_IMAGE)
def test_an_array_that_is_one_image_stays_a_file(tmp_path, opened, name):
    data = saved(ONE_IMAGE[name])
    tree, findings = opened(write({"cat/x.npy": data}, tmp_path / "data"))
    assert ({file: tree.read(file) for file in tree.files}, tree.arrays) == ({"cat/x.npy": data}, [])
    assert findings.problems == []
