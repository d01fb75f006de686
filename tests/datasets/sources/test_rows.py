"""Images in the rows of Parquet files and of CSVs of pixels: which column is what, and which file is which split."""

import numpy as np
import pytest

from sweep.datasets.problems import DataError
from tests.datasets.sources.reading import reading_of, splits_of
from tests.datasets.trees.containers import csv_of, parquet_file, zipped
from tests.trees import image

CLASSES = ["bean", "rust", "rot"]
FEATURES = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": CLASSES}}


def hugging_face(count: int, first: int, label: str = "label", features: dict | None = None, **more) -> bytes:
    images = [{"bytes": image(first + row), "path": f"{row}.png"} for row in range(count)]
    columns = {"image": images, label: [row % 3 for row in range(count)]}
    return parquet_file(columns | more, FEATURES if features is None else features)


def test_shards_of_hugging_face_are_splits_with_names_of_classes(tmp_path):
    files = {
        "data/train-00000-of-00002-a1b2.parquet": hugging_face(4, 0),
        "data/train-00001-of-00002-c3d4.parquet": hugging_face(3, 10),
        "data/validation-00000-of-00001.parquet": hugging_face(3, 20),
        "data/test-00000-of-00001.parquet": hugging_face(3, 30),
        "README.md": b"",
    }
    reading, findings = reading_of(files, tmp_path / "data")
    first, second = (f"data/train-0000{k}-of-00002-{tail}.parquet/image" for k, tail in ((0, "a1b2"), (1, "c3d4")))
    assert splits_of(reading)["train"] == (
        (*(f"{first}/{row}" for row in range(4)), *(f"{second}/{row}" for row in range(3))),
        ("bean", "rust", "rot", "bean", "bean", "rust", "rot"),
    )
    assert list(reading.listings) == ["train", "validation", "test"]
    assert reading.listings["test"].labels == ("bean", "rust", "rot")
    assert reading.inferred == ("label: column label",)
    assert findings.problems == []


@pytest.mark.parametrize(
    "names",
    [
        ("default/train/0000.parquet", "default/validation/0000.parquet"),
        ("plain_text/train-00000-of-00001.parquet", "plain_text/val-00000-of-00001.parquet"),
        ("Training.parquet", "dev.pq"),
        ("fold/my_trainset.parquet", "fold/my_valid_set.parquet"),
    ],
)
def test_the_split_is_read_from_the_name_of_the_file_or_of_its_folder(tmp_path, names):
    reading, _ = reading_of({names[0]: hugging_face(4, 0), names[1]: hugging_face(3, 9)}, tmp_path / "data")
    assert {split: len(files) for split, (files, _) in splits_of(reading).items()} == {"train": 4, "validation": 3}


def test_flags_say_which_file_is_which_split(tmp_path):
    files = {"a.parquet": hugging_face(4, 0), "b.parquet": hugging_face(3, 9)}
    reading, _ = reading_of(files, tmp_path / "data", test="b.parquet")
    assert {split: len(files) for split, (files, _) in splits_of(reading).items()} == {"train": 4, "test": 3}


def test_test_labels_that_are_all_missing_are_none(tmp_path):
    missing = parquet_file({"image": [{"bytes": image(40), "path": None}], "label": [-1]}, FEATURES)
    reading, findings = reading_of({"train.parquet": hugging_face(4, 0), "test.parquet": missing}, tmp_path / "data")
    assert reading.listings["test"].labels is None
    assert findings.problems == []


def test_a_missing_label_for_training_is_a_problem_of_its_row(tmp_path):
    data = parquet_file({"image": [{"bytes": image(k)} for k in range(3)], "label": ["a", None, "b"]})
    reading, findings = reading_of({"train.parquet": data}, tmp_path / "data")
    assert [str(problem) for problem in findings.problems] == [
        f"{tmp_path}/data/train.parquet/image/1: label must not be empty, got ``; give the image one, or remove the row"
    ]
    assert reading.listings["train"].labels == ("a", "b")


def test_two_columns_of_classes_are_asked_for(tmp_path):
    classes = {"_type": "ClassLabel", "names": CLASSES}
    features = {"image": {"_type": "Image"}, "fine_label": classes, "coarse_label": classes}
    data = hugging_face(6, 0, "fine_label", features, coarse_label=[2, 1, 0] * 2)
    with pytest.raises(DataError) as refusal:
        reading_of({"train.parquet": data}, tmp_path / "data")
    assert str(refusal.value) == (
        f"{tmp_path}/data/train.parquet: one column must be the label, got `fine_label`, `coarse_label`; "
        "choose with --label-column fine_label or --label-column coarse_label"
    )
    reading, _ = reading_of({}, tmp_path / "data", label_column="coarse_label")
    assert reading.listings["train"].labels[:3] == ("rot", "rust", "bean")


def test_several_labels_an_image_are_refused_in_a_sentence(tmp_path):
    data = parquet_file({"image": [{"bytes": image(0)}], "labels": [[1, 2]]})
    with pytest.raises(DataError, match="cannot be trained on yet, got several in column `labels`; give"):
        reading_of({"train.parquet": data}, tmp_path / "data")


def test_groups_and_ids_come_from_the_columns_that_are_named(tmp_path):
    data = hugging_face(4, 0, patient=["p1", "p1", "p2", "p2"], name=["a.png", "b.png", "c.png", "d.png"])
    reading, findings = reading_of({"x.parquet": data}, tmp_path / "data", group_column="patient", id_column="name")
    train = reading.listings["train"]
    assert (train.groups, train.ids) == (("p1", "p1", "p2", "p2"), ("a.png", "b.png", "c.png", "d.png"))
    assert findings.problems == []


PIXELS = [f"pixel{k}" for k in range(64)]
ROWS = np.random.default_rng(0).integers(0, 256, (6, 64)).tolist()


def test_digits_are_read_and_their_test_images_are_numbered_from_one(tmp_path):
    files = {
        "train.csv": csv_of(["label", *PIXELS], [[row % 2, *pixels] for row, pixels in enumerate(ROWS)]),
        "test.csv": csv_of(PIXELS, ROWS[::-1]),
        "sample_submission.csv": b"ImageId,Label\n1,0\n",
    }
    reading, findings = reading_of(files, tmp_path / "data")
    assert splits_of(reading) == {
        "train": (tuple(f"train.csv/{row}" for row in range(6)), ("0", "1") * 3),
        "test": (tuple(f"test.csv/{row}" for row in range(6)), None),
    }
    assert reading.other_ids == {str(row + 1): row for row in range(6)}
    assert findings.problems == []


def test_a_column_of_splits_is_used_and_said(tmp_path):
    usage = ["Training", "Training", "Training", "PublicTest", "PrivateTest", "Training"]
    rows = [[row % 2, " ".join(map(str, pixels)), usage[row]] for row, pixels in enumerate(ROWS)]
    reading, _ = reading_of({"fer2013.csv": csv_of(["emotion", "pixels", "Usage"], rows)}, tmp_path / "data")
    assert splits_of(reading) == {
        "train": tuple(zip(*[(f"fer2013.csv/{row}", str(row % 2)) for row in (0, 1, 2, 5)], strict=True)),
        "validation": (("fer2013.csv/3",), ("1",)),
        "test": (("fer2013.csv/4",), ("0",)),
    }
    assert reading.inferred == ("label: column emotion", "split: column Usage")


def test_parquet_files_in_a_zip_are_read(tmp_path):
    files = {"download.zip": zipped({"data/train-0.parquet": hugging_face(4, 0)})}
    reading, _ = reading_of(files, tmp_path / "data")
    assert reading.listings["train"].files[0] == "download.zip/data/train-0.parquet/image/0"


def test_images_for_training_without_labels_say_what_is_missing(tmp_path):
    with pytest.raises(DataError, match="must have a column of labels, got images alone; add one"):
        reading_of({"digits.csv": csv_of(PIXELS, ROWS)}, tmp_path / "data")


def test_a_column_of_patients_is_found_as_the_group_and_said(tmp_path):
    data = hugging_face(4, 0, patient_id=["p1", "p1", "p2", "p2"], age=[40, 41, 42, 43])
    reading, _ = reading_of({"x.parquet": data}, tmp_path / "data")
    assert reading.listings["train"].groups == ("p1", "p1", "p2", "p2")
    assert reading.inferred == ("label: column label", "group: column patient_id")


def digits(first: int, *more: str) -> bytes:
    rows = [[row % 2, *more, *((pixel + first) % 256 for pixel in pixels)] for row, pixels in enumerate(ROWS)]
    return csv_of(["label", *more, *PIXELS], rows)


def test_a_copy_of_a_file_in_another_folder_is_left_out(tmp_path):
    reading, findings = reading_of({"train.csv": digits(0), "train/train.csv": digits(0)}, tmp_path / "data")

    assert len(reading.listings["train"].ids) == 6
    assert "1 file is a copy and left out, first `train/train.csv` of `train.csv`." in findings.notes


def test_files_of_one_split_in_two_folders_are_two_versions(tmp_path):
    files = {"raw/train.csv": digits(0), "blurred/train.csv": digits(100)}
    with pytest.raises(DataError, match=r"`train.csv` in `blurred/` and `raw/`; give one folder as the data"):
        reading_of(files, tmp_path / "data")


def test_files_with_other_columns_are_other_tables_and_a_flag_chooses(tmp_path):
    files = {"train.csv": digits(0), "all.csv": digits(50, "source")}
    with pytest.raises(DataError, match=r"choose with --train all.csv or --train train.csv"):
        reading_of(files, tmp_path / "data")

    reading, _ = reading_of({}, tmp_path / "data", train="train.csv")

    assert {name.partition("/")[0] for name in reading.listings["train"].files} == {"train.csv"}
