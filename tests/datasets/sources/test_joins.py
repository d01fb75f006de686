"""Tables that speak of the same images are read as one."""

import pytest

from sweep.datasets.problems import DataError
from tests.datasets.sources.reading import reading_of, splits_of
from tests.trees import image, table

LABELS = ("cat", "dog", "owl") * 2
FILES = tuple(f"images/{label}_{number}.png" for number, label in enumerate(LABELS))
PICTURES = {file: image(number) for number, file in enumerate(FILES)}
NAMES = [file.removeprefix("images/") for file in FILES]


def test_lists_by_the_number_of_an_image_give_its_label_and_its_split(tmp_path):
    lists = {
        "images.txt": table(*(f"{n + 1} {name}" for n, name in enumerate(NAMES))),
        "image_class_labels.txt": table(*(f"{n + 1} {n % 3 + 1}" for n in range(6))),
        "train_test_split.txt": table(*(f"{n + 1} {int(n < 3)}" for n in range(6))),
        "classes.txt": table("1 cat", "2 dog", "3 owl"),
    }
    reading, findings = reading_of(PICTURES | lists, tmp_path / "data")

    assert splits_of(reading) == {"train": (FILES[:3], LABELS[:3]), "test": (FILES[3:], LABELS[3:])}
    assert findings.problems == []
    assert "joined with `image_class_labels.txt`, `train_test_split.txt`" in reading.inferred


def test_a_table_of_patients_and_one_of_splits_complete_that_of_the_labels(tmp_path):
    tables = {
        "truth.csv": table("image,label", *(f"{name},{LABELS[n]}" for n, name in enumerate(NAMES))),
        "meta.csv": table("image,patient_id,age", *(f"{name[:-4]},p{n // 2},{n}" for n, name in enumerate(NAMES))),
        "list_partition.txt": table(*(f"{name} {n // 4}" for n, name in enumerate(NAMES))),
    }
    reading, findings = reading_of(PICTURES | tables, tmp_path / "data")

    assert splits_of(reading) == {"train": (FILES[:4], LABELS[:4]), "validation": (FILES[4:], LABELS[4:])}
    assert reading.listings["train"].groups == ("p0", "p0", "p1", "p1")
    assert findings.problems == []


def test_lists_of_splits_take_the_labels_of_the_table_of_all_images(tmp_path):
    tables = {
        "Data_Entry.csv": table("name,finding", *(f"{name},{LABELS[n]}" for n, name in enumerate(NAMES))),
        "train_val_list.txt": table(*NAMES[:4]),
        "test_list.txt": table(*NAMES[4:]),
    }
    reading, findings = reading_of(PICTURES | tables, tmp_path / "data")

    assert splits_of(reading) == {"train": (FILES[:4], LABELS[:4]), "test": (FILES[4:], LABELS[4:])}
    assert findings.problems == []


def test_lists_without_labels_take_them_from_the_names_where_the_folder_is_the_same(tmp_path):
    tables = {"train.txt": table(*NAMES[:3] * 1, "cat_3.png", "dog_4.png", "owl_5.png")}
    reading, findings = reading_of(PICTURES | tables, tmp_path / "data")

    assert splits_of(reading) == {"train": (FILES, LABELS)}
    assert findings.problems == []


def test_a_table_in_each_folder_of_a_class_leaves_the_labels_to_the_folders(tmp_path):
    pictures = {f"Training/{kind:05d}/{n}.png": image(3 * kind + n) for kind in range(2) for n in range(3)}
    tables = {
        f"Training/{kind:05d}/GT-{kind:05d}.csv": table("Name;Id", *(f"{n}.png;{kind}" for n in range(3)))
        for kind in range(2)
    }
    reading, findings = reading_of(pictures | tables, tmp_path / "data")

    assert reading.listings["train"].labels == ("00000",) * 3 + ("00001",) * 3
    assert findings.problems == []


def test_tables_of_several_folds_are_refused_once_with_the_flags_of_the_first(tmp_path):
    folds = {f"train{fold}.csv": table(*(f"{NAMES[n]},{LABELS[n]}" for n in range(fold, 5))) for fold in (0, 1)}
    folds |= {f"test{fold}.csv": table(f"{NAMES[fold]},{LABELS[fold]}", f"{NAMES[5]},owl") for fold in (0, 1)}
    folds["train1.csv"] += table(f"{NAMES[5]},owl")
    _, findings = reading_of(PICTURES | folds, tmp_path / "data")

    (problem,) = [each for each in findings.problems if each.rule.startswith("there must be one table")]
    assert problem.rule == "there must be one table for train and for test"
    assert problem.got == "`train0.csv`, `train1.csv`"
    assert problem.way_out == "choose, such as with --train train0.csv --test test0.csv"


def test_attributes_of_the_same_images_ask_which_one_is_the_label(tmp_path):
    tables = {
        "attributes.csv": table(
            "id,young,smiling", *(f"{name},{1 - n % 2 * 2},{1 - n // 3 * 2}" for n, name in enumerate(NAMES))
        ),
        "boxes.csv": table("id,x,y", *(f"{name},{n},{n}" for n, name in enumerate(NAMES))),
    }
    with pytest.raises(DataError, match="one column must be the label, got `young`, `smiling`; choose with"):
        reading_of(PICTURES | tables, tmp_path / "data")
    reading, _ = reading_of(PICTURES | tables, tmp_path / "again", label_column="smiling")

    assert reading.listings["train"].labels == ("1",) * 3 + ("-1",) * 3
