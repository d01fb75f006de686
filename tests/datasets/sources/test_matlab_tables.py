"""Vectors in MATLAB files are tables of images; nothing that such a file says of itself is trusted."""

import io
import struct
import zlib

import numpy as np
import pytest
from scipy.io import savemat

from sweep.datasets.problems import DataError
from sweep.datasets.sources.readers.matlab import HEADER_BYTES, MATRIX, MOST_BYTES, PACKED, read
from tests.datasets.sources.reading import reading_of, splits_of
from tests.trees import image


def mat(packed=False, **variables):
    file = io.BytesIO()
    savemat(file, variables, do_compression=packed)
    return file.getvalue()


def cells(*values):
    """A column of cells."""
    found = np.empty((len(values), 1), object)
    found[:, 0] = values
    return found


def structures(**fields):
    """A row of structures, with a value in each field."""
    count = len(next(iter(fields.values())))
    found = np.zeros((1, count), [(name, object) for name in fields])
    for name, values in fields.items():
        for number, value in enumerate(values):
            found[name][0, number] = value
    return found


@pytest.mark.parametrize("packed", [False, True])
def test_labels_and_lists_of_splits_by_the_number_of_an_image_are_joined(tmp_path, packed):
    """102 Category Flower Dataset."""
    flowers = tuple(f"jpg/image_{n:05d}.jpg" for n in range(1, 9))
    lists = {"trnid": np.array([[2, 1, 3, 4]]), "valid": np.array([[6, 5]]), "tstid": np.array([[7, 8]], np.uint16)}
    files = {name: image(number) for number, name in enumerate(flowers)} | {
        "imagelabels.mat": mat(packed, labels=np.array([[1, 2] * 4], np.uint8)),
        "setid.mat": mat(packed, **lists),
    }
    reading, findings = reading_of(files, tmp_path / "data")

    assert splits_of(reading) == {
        "train": (flowers[:4], ("1", "2", "1", "2")),
        "validation": (flowers[4:6], ("1", "2")),
        "test": (flowers[6:], ("1", "2")),
    }
    assert findings.problems == []


def test_structures_name_the_images_and_their_class_and_another_file_its_name(tmp_path):
    """Stanford Cars."""
    names = [f"{n:05d}.jpg" for n in range(1, 5)]
    train = {"bbox_x1": [30 + n for n in range(4)], "class": [1, 2, 1, 2], "fname": names}
    files = {
        f"cars_{split}/{name}": image(10 * at + n)
        for at, split in enumerate(("train", "test"))
        for n, name in enumerate(names)
    }
    files |= {
        "devkit/cars_train_annos.mat": mat(annotations=structures(**train)),
        "devkit/cars_test_annos.mat": mat(annotations=structures(bbox_x1=[7, 8, 9, 9], fname=names)),
        "devkit/cars_meta.mat": mat(class_names=cells("AM General Hummer", "Audi R8").T),
    }
    reading, findings = reading_of(files, tmp_path / "data")

    assert splits_of(reading) == {
        "train": (tuple(f"cars_train/{name}" for name in names), ("AM General Hummer", "Audi R8") * 2),
        "test": (tuple(f"cars_test/{name}" for name in names), None),
    }
    assert findings.problems == []


def test_cells_of_text_and_a_vector_are_columns():
    data = mat(file_list=cells("a/1.jpg", "é/2.jpg"), labels=np.array([[1], [2]]), note="of 2011", matrix=np.eye(3))

    columns = read(data, "x.mat", "x.mat")

    assert columns.header == ("file_list", "labels")
    assert columns.rows == (("a/1.jpg", "1"), ("é/2.jpg", "2"))


def test_a_structure_of_vectors_is_a_table():
    columns = read(mat(images={"name": cells("1.jpg", "2.jpg"), "class": [2.0, 1.0], "set": [1, 3]}), "x.mat", "x.mat")

    assert columns.header == ("name", "class", "set")
    assert columns.rows == (("1.jpg", "2", "1"), ("2.jpg", "1", "3"))


WHOLE = mat(s=structures(a=[1, 2], b=["x", "y"]), c=cells("k", "l", "m"), n=np.arange(5.0))


def test_a_damaged_file_is_a_value_error_or_another_table():
    rng = np.random.default_rng(0)
    cut = (WHOLE[:end] for end in range(HEADER_BYTES, len(WHOLE), 3))
    flipped = (bytearray(WHOLE) for _ in range(600))
    for data in (*cut, *flipped):
        if isinstance(data, bytearray):
            data[rng.integers(HEADER_BYTES, len(data))] = rng.integers(256)
        try:
            columns = read(bytes(data), "x.mat", "x.mat")
        except ValueError:
            continue
        assert columns is None or all(len(row) == columns.width for row in columns.rows)


def element(kind, body):
    return struct.pack("<II", kind, len(body)) + body + bytes(-len(body) % 8)


def cell(body, count=1):
    return element(
        MATRIX, element(6, struct.pack("<II", 1, 0)) + element(5, struct.pack("<ii", 1, count)) + element(1, b"") + body
    )


def test_cells_in_cells_in_cells_are_not_followed():
    deep = b""
    for _ in range(5000):
        deep = cell(deep)

    assert read(WHOLE[:HEADER_BYTES] + deep, "x.mat", "x.mat") is None


def test_cells_that_are_not_there_take_no_room():
    with pytest.raises(ValueError, match="ends before its data does"):
        read(WHOLE[:HEADER_BYTES] + cell(b"", 1 << 30), "x.mat", "x.mat")


def test_what_is_large_once_it_is_unpacked_is_left_alone():
    bomb = zlib.compress(element(MATRIX, bytes(4 * MOST_BYTES)))

    assert read(WHOLE[:HEADER_BYTES] + struct.pack("<II", PACKED, len(bomb)) + bomb, "x.mat", "x.mat") is None


def test_a_file_of_which_nothing_is_a_vector_is_named_with_the_line_that_makes_a_table_of_it(tmp_path):
    files = {f"jpg/{n}.jpg": image(n) for n in range(4)} | {"truth.mat": mat(score=np.eye(4))}

    with pytest.raises(DataError) as refusal:
        reading_of(files, tmp_path / "data")

    (problem,) = refusal.value.problems
    line = "pandas.DataFrame(scipy.io.loadmat('truth.mat', squeeze_me=True)[NAME]).to_csv('train.csv')"
    assert problem.way_out.endswith(f"if `truth.mat` says the labels, such as by {line}")
