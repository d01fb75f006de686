"""A Parquet file is a folder of images and a table, and is never in memory whole."""

from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from sweep.datasets.trees import parquet, unpacked
from tests.datasets.trees.containers import parquet_file
from tests.trees import image, write

IMAGES = [image(seed) for seed in range(40)]
CLASSES = ("bean", "rust", "rot")
LABELS = [row % 3 for row in range(40)]
FEATURES = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": list(CLASSES)}}


STRUCTS = [{"bytes": data, "path": f"{row}.png"} for row, data in enumerate(IMAGES)]
HUGGING_FACE = parquet_file({"image": STRUCTS, "label": LABELS}, FEATURES, row_group_size=17)


def test_the_form_of_hugging_face_is_read(tmp_path, opened):
    tree, findings = opened(write({"data/train-0.parquet": HUGGING_FACE}, tmp_path / "data"))
    (rows,) = tree.tables
    assert rows.name == "data/train-0.parquet"
    assert list(rows.images["image"]) == list(tree.files) == [f"{rows.name}/image/{row:02}" for row in range(40)]
    assert rows.columns["label"]() == [str(label) for label in LABELS]
    assert rows.columns["image.path"]()[:2] == ["0.png", "1.png"]
    assert rows.classes == {"label": CLASSES}
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(tree.read, tree.files)) == IMAGES
    assert findings.problems == []


def test_bytes_without_a_path_and_other_columns_are_read(tmp_path, opened):
    columns = {
        "img": IMAGES,
        "weight": [None, 1.0, 1.5] + [2.0] * 37,
        "name": pa.array(["a"] * 40).dictionary_encode(),
        "thumbnail of hash": [b"no image"] * 40,
        "labels": [[1, 2]] * 40,
    }
    tree, _ = opened(write({"x.parquet": parquet_file(columns)}, tmp_path / "data"))
    (rows,) = tree.tables
    assert {name: column()[:3] for name, column in rows.columns.items()} == {
        "weight": ["", "1", "1.5"],
        "name": ["a", "a", "a"],
    }
    assert (list(rows.images), rows.several) == (["img"], ("labels",))


def test_a_table_without_images_stays_a_file(tmp_path, opened):
    tree, findings = opened(write({"x.parquet": parquet_file({"id": ["a.png"], "label": [1]})}, tmp_path / "data"))
    assert (list(tree.files), tree.tables, findings.problems) == (["x.parquet"], [], [])


def test_a_row_without_an_image_is_told_when_it_is_read(tmp_path, opened):
    data = parquet_file({"image": [STRUCTS[0], None, {"bytes": None, "path": "x.png"}]})
    tree, _ = opened(write({"x.parquet": data}, tmp_path / "data"))
    assert tree.read("x.parquet/image/0") == IMAGES[0]
    for row in (1, 2):
        with pytest.raises(ValueError, match="no image in column image"):
            tree.read(f"x.parquet/image/{row}")


def test_a_column_of_images_may_begin_with_a_row_that_has_none(tmp_path, opened):
    tree, _ = opened(write({"x.parquet": parquet_file({"image": [None, *IMAGES], "label": [0, *LABELS]})}, tmp_path))

    assert tree.read("x.parquet/image/01") == IMAGES[0]


def test_a_column_whose_name_is_a_path_is_no_path(tmp_path, opened):
    tree, _ = opened(write({"x.parquet": parquet_file({"../a": IMAGES, "__.a": IMAGES[::-1]})}, tmp_path / "data"))
    assert sorted({name.rpartition("/")[0] for name in tree.files}) == ["x.parquet/__.a", "x.parquet/__a"]
    assert tree.read("x.parquet/__a/05") == IMAGES[5]


def test_columns_whose_names_are_alike_are_told_apart(tmp_path, opened):
    tree, _ = opened(write({"x.parquet": parquet_file({"a b": IMAGES, "a/b": IMAGES[::-1]})}, tmp_path / "data"))
    assert (tree.read("x.parquet/a_b/05"), tree.read("x.parquet/a_b_/05")) == (IMAGES[5], IMAGES[34])


def test_a_large_group_of_rows_is_unpacked_and_not_kept_in_memory(tmp_path, opened, monkeypatch):
    monkeypatch.setattr(parquet, "GROUP_BYTES", 100)
    monkeypatch.setattr(unpacked, "SMALL", 100)
    monkeypatch.setattr("sweep.datasets.file_tree.SETTLED_SECONDS", 0.0)
    folder = write({"x.parquet": HUGGING_FACE}, tmp_path / "data")
    for _ in range(2):
        tree, _ = opened(folder)
        assert [tree.read(name) for name in tree.files] == IMAGES
    (copy,) = unpacked.folder().iterdir()
    assert copy.stat().st_size == sum(map(len, IMAGES)) + 8 * 41


def test_groups_that_were_read_last_are_kept_up_to_a_limit(tmp_path, opened, monkeypatch):
    monkeypatch.setattr("sweep.datasets.trees.recent.MOST_BYTES", 1000)
    tree, _ = opened(write({"x.parquet": HUGGING_FACE}, tmp_path / "data"))
    names = list(tree.files)
    assert [tree.read(name) for name in (names[39], names[0], names[20], names[1])] == [
        IMAGES[row] for row in (39, 0, 20, 1)
    ]


@pytest.mark.parametrize("data", [HUGGING_FACE[:-100], HUGGING_FACE[:50], b"", b"PAR1" * 30], ids=range(4))
def test_a_broken_file_is_a_problem_by_its_name(tmp_path, opened, data):
    _, findings = opened(write({"x.parquet": data}, tmp_path / "data"))
    (problem,) = findings.problems
    assert str(problem).startswith(f"{tmp_path}/data/x.parquet: Parquet file must be whole, got ")
