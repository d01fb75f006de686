"""A CSV with the pixels of an image in each row is a folder of images and a table of its other columns."""

import io

import numpy as np
import pytest

from tests.datasets.trees.containers import csv_of
from tests.trees import write

GREY = np.random.default_rng(0).integers(0, 256, (5, 8, 8), dtype=np.uint8)
RGB = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
NAMES = [f"pixel{number}" for number in range(64)]


def flat(images: np.ndarray) -> list[list[int]]:
    return [image.ravel().tolist() for image in images]


WIDE = [[row % 2, *pixels] for row, pixels in enumerate(flat(GREY))]
IN_ONE = [[row % 2, " ".join(map(str, pixels)), "Training"] for row, pixels in enumerate(flat(GREY))]
LABELS = ["0", "1", "0", "1", "0"]
FILES = {
    "digits": (csv_of(["label", *NAMES], WIDE), GREY, {"label": LABELS}),
    "digits without labels": (csv_of(NAMES, flat(GREY)), GREY, {}),
    "digits without a header": (csv_of(None, WIDE), GREY, {"column 0": LABELS}),
    "the label last": (csv_of([*NAMES, "label"], [[*row[1:], row[0]] for row in WIDE]), GREY, {"label": LABELS}),
    "row and column": (csv_of(["label", *[f"{k // 8}x{k % 8}" for k in range(64)]], WIDE), GREY, {"label": LABELS}),
    "numbers alone": (csv_of(["", *map(str, range(64))], WIDE), GREY, {"": LABELS}),
    "faces": (
        csv_of(["emotion", "pixels", "Usage"], IN_ONE),
        GREY,
        {"emotion": LABELS, "Usage": ["Training"] * 5},
    ),
    "quoted": (csv_of(["emotion", '"pixels"', "Usage"], IN_ONE).replace(b"Training", b'"Train,ing"'), GREY, None),
    "colour": (csv_of([f"pixel{k:04}" for k in range(192)], flat(RGB)), RGB, {}),
    "semicolons": (csv_of(["label", *NAMES], WIDE, ";"), GREY, {"label": LABELS}),
    "from Windows": (b"\xef\xbb\xbf" + csv_of(["label", *NAMES], WIDE, end="\r\n"), GREY, {"label": LABELS}),
    "blank last lines": (csv_of(["label", *NAMES], WIDE) + b"\n\n", GREY, {"label": LABELS}),
    "no end of the last line": (csv_of(["label", *NAMES], WIDE)[:-1], GREY, {"label": LABELS}),
}


@pytest.mark.parametrize("name", FILES)
def test_it_is_read(tmp_path, opened, name):
    data, images, columns = FILES[name]
    tree, findings = opened(write({"train.csv": data}, tmp_path / "data"))
    assert findings.problems == []
    (rows,) = tree.tables
    assert list(rows.images["pixels"]) == list(tree.files) == [f"train.csv/{row}" for row in range(5)]
    read = [np.load(io.BytesIO(tree.read(file)), allow_pickle=False) for file in tree.files]
    assert np.array_equal(read, images)
    if columns is not None:
        assert {column: list(values()) for column, values in rows.columns.items()} == columns


DARK = np.zeros((20, 8, 8), np.uint8)  # digits of 16 levels in the middle, as in scikit-learn's
DARK[:, 2:6, 1:7] = np.random.default_rng(1).integers(0, 17, (20, 4, 6))
SMOOTH = np.clip(np.linspace(30, 220, 64).reshape(8, 8) + np.arange(20)[:, None, None], 0, 255).astype(np.uint8)
ENDS = {"dark corners": (DARK, np.arange(20) % 10), "in the order of classes": (SMOOTH, np.arange(20) // 10)}
ALMOST_DARK = DARK.copy()
ALMOST_DARK[3, 7, 7] = 5


@pytest.mark.parametrize("is_last", [False, True], ids=["label first", "label last"])
@pytest.mark.parametrize("name", ENDS)
def test_without_a_header_the_label_is_the_column_that_is_like_no_pixel(tmp_path, opened, name, is_last):
    images, labels = ENDS[name]
    columns = [flat(images), labels[:, None].tolist()]
    lines = [[*pixels, *label] if is_last else [*label, *pixels] for pixels, label in zip(*columns, strict=True)]

    tree, _ = opened(write({"train.csv": csv_of(None, lines)}, tmp_path / "data"))

    read = [np.load(io.BytesIO(tree.read(file)), allow_pickle=False) for file in tree.files]
    assert np.array_equal(read, images)
    assert [list(values()) for values in tree.tables[0].columns.values()] == [[*map(str, labels)]]


def test_one_label_for_all_the_first_lines_is_not_taken_for_a_dark_pixel(tmp_path, opened):
    lines = [[0, *pixels] for pixels in flat(ALMOST_DARK)]
    tree, _ = opened(write({"train.csv": csv_of(None, lines)}, tmp_path / "data"))

    assert np.array_equal(np.load(io.BytesIO(tree.read(list(tree.files)[3]))), ALMOST_DARK[3])


LEAF = [f"{kind}{number}" for kind in ("margin", "shape", "texture") for number in range(1, 65)]
TABLES = {
    "ids and labels": b"id,label\na.png,1\n",
    "measurements": csv_of(["id", *LEAF], [[row, *([7] * 192)] for row in range(3)]),
    "measurements with fractions": csv_of(["id", *NAMES], [[row, *([0.5] * 64)] for row in range(3)]),
    "numbers beyond 255": csv_of(["id", *NAMES], [[row, *([256] * 64)] for row in range(3)]),
    "no square": csv_of(["id", *NAMES[:60]], [[row, *([7] * 60)] for row in range(3)]),
    "one column": b"id\na.png\nb.png\n",
    "only a header": csv_of(["label", *NAMES], []),
    "empty": b"",
    "another encoding": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_something_else_stays_a_file(tmp_path, opened, name):
    tree, findings = opened(write({"train.csv": TABLES[name]}, tmp_path / "data"))
    assert (list(tree.files), tree.tables, findings.problems) == (["train.csv"], [], [])


def test_rows_with_another_number_of_fields_are_named(tmp_path, opened):
    rows = [*WIDE, [1, 2, 3], *WIDE]
    _, findings = opened(write({"train.csv": csv_of(["label", *NAMES], rows)}, tmp_path / "data"))
    (problem,) = findings.problems
    assert str(problem) == f"{tmp_path}/data/train.csv:7: row must have 65 fields, got `1,2,3`; mend or remove it"


@pytest.mark.parametrize("value", ["256", "-1", "x", "0.5", ""])
def test_a_value_that_is_no_pixel_is_told_when_it_is_read(tmp_path, opened, value):
    rows = [*WIDE, [1, value, *WIDE[0][2:]]]
    tree, _ = opened(write({"train.csv": csv_of(["label", *NAMES], rows)}, tmp_path / "data"))
    with pytest.raises(ValueError, match="must be readable, got other than 64 whole numbers from 0 to 255"):
        tree.read("train.csv/5")
