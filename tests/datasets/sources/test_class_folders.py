"""Folders of classes are found at any depth, below or above folders of splits, or without any."""

import pytest

from sweep.datasets.problems import DataError
from tests.datasets.sources.reading import reading_of, splits_of
from tests.trees import image, table


def pictures(*folders, count=2, first=0):
    return {
        f"{folder}/{n}.png": image(1000 * at + n + first) for at, folder in enumerate(folders) for n in range(count)
    }


CLASSES = ("cat", "dog")
WHOLE = {
    "on top": pictures("cat", "dog"),
    "below another": pictures("flowers/cat", "flowers/dog") | {"flowers/LICENSE.txt": b"x"},
    "two deep": pictures("EuroSAT/2750/cat", "EuroSAT/2750/dog"),
    "with folders in them": pictures("cat/wild", "cat/tame", "dog/tame"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_without_splits_every_image_is_train(name, tmp_path):
    reading, findings = reading_of(WHOLE[name], tmp_path / "data")

    ((split, listing),) = reading.listings.items()
    assert (split, set(listing.files)) == ("train", {file for file in WHOLE[name] if file.endswith("png")})
    assert set(listing.labels) == set(CLASSES)
    assert findings.problems == []


def split_folders(*names):
    train, test = names
    return pictures(*(f"{train}/{each}" for each in CLASSES), *(f"{test}/{each}" for each in CLASSES))


SPLITS = {
    "capitals": split_folders("Training", "Testing"),
    "within themselves": split_folders("seg_train/seg_train", "seg_test/seg_test"),
    "below others": split_folders("a/b/train", "a/b/test"),
    "in words": split_folders("my_train_images", "my_test_images"),
    "in each class": pictures("cat/train", "dog/train", "cat/test", "dog/test"),
}


@pytest.mark.parametrize("name", SPLITS)
def test_a_test_split_in_folders_of_classes_keeps_its_labels(name, tmp_path):
    reading, findings = reading_of(SPLITS[name], tmp_path / "data")

    assert list(reading.listings) == ["train", "test"]
    for listing in reading.listings.values():
        assert (len(listing.files), set(listing.labels)) == (4, set(CLASSES))
    assert findings.problems == []
    assert any("4 test images with labels are scored once" in note for note in findings.notes)


def test_test_images_that_all_have_one_label_are_not_scored(tmp_path):
    files = pictures("train/cat", "train/dog") | pictures("test/cat", count=10, first=5000)
    reading, findings = reading_of(files, tmp_path)

    assert reading.listings["test"].labels is None
    assert findings.notes == [f"{tmp_path}/test/: its labels are not used: all are `cat`."]


def test_a_flat_test_folder_has_no_labels_and_images_to_predict_are_said(tmp_path):
    files = split_folders("seg_train", "seg_test") | pictures("seg_pred", count=3, first=500)
    reading, findings = reading_of(files, tmp_path / "data")

    assert len(reading.listings["test"].ids) == 4
    assert any(note.startswith("`seg_pred/` has 3 images to predict") for note in findings.notes)

    reading, _ = reading_of(pictures("top/Train/cat", "top/Train/dog", "top/Test"), tmp_path / "flat")
    assert reading.listings["test"].labels is None


def test_a_copy_of_the_whole_within_it_is_left_out_and_named(tmp_path):
    files = split_folders("x/train", "x/val") | {
        f"x/{name}": data for name, data in split_folders("x/train", "x/val").items()
    }
    reading, findings = reading_of({f"more/{name}": data for name, data in files.items()}, tmp_path / "data")

    assert {split: len(listing.ids) for split, listing in reading.listings.items()} == {"train": 4, "validation": 4}
    assert "`more/x/x/` is a copy of what is beside it, and left out." in findings.notes


def test_two_folders_for_one_split_are_named_and_a_flag_chooses(tmp_path):
    files = split_folders("top/Train", "top/val") | pictures("top/validation/cat", "top/validation/dog", first=700)

    _, findings = reading_of(files, tmp_path / "data")
    reading, chosen = reading_of(files, tmp_path / "again", train="top/Train", valid="top/val/")

    (problem,) = findings.problems
    assert problem.rule == "there must be one folder for validation"
    assert problem.way_out == "choose with --valid top/val/ or --valid top/validation/"
    assert set(splits_of(reading)["validation"][0]) == {f"top/val/{each}/{n}.png" for each in CLASSES for n in range(2)}
    assert chosen.problems == []


def test_a_flag_that_names_nothing_in_the_data_is_refused(tmp_path):
    with pytest.raises(DataError, match="--train must name a table or a folder with images in the data, got `nowhere`"):
        reading_of(WHOLE["on top"], tmp_path / "data", train="nowhere")


@pytest.mark.parametrize("folders", [("part_1", "part_2"), ("images_001", "images_002")])
def test_folders_that_are_mere_parts_are_no_classes(folders, tmp_path):
    with pytest.raises(DataError, match="each image to train on must have a label"):
        reading_of(pictures(*folders), tmp_path / "data")


@pytest.mark.parametrize("folders", [("train_images", "test_images"), ("TrainData", "TestData"), ("img_train", "val")])
def test_folders_of_splits_alone_are_no_classes(folders, tmp_path):
    with pytest.raises(DataError, match="label"):
        reading_of(pictures(*folders, count=4), tmp_path / "data")


def test_a_vehicle_may_be_called_train(tmp_path):
    reading, _ = reading_of(pictures("bus", "car", "train"), tmp_path / "data")

    assert set(reading.listings["train"].labels) == {"bus", "car", "train"}


def test_groups_come_from_a_table_that_names_the_same_images(tmp_path):
    files = {f"imgs/train/c{n % 2}/img_{n}.jpg": image(n) for n in range(6)} | pictures("imgs/test", first=90)
    rows = [f"p{n // 2},c{n % 2},img_{n}.jpg" for n in range(6)]
    reading, findings = reading_of(files | {"drivers.csv": table("subject,classname,img", *rows)}, tmp_path / "data")

    assert reading.listings["train"].labels == tuple(f"c{n % 2}" for n in range(6))
    assert reading.listings["train"].groups == tuple(f"p{n // 2}" for n in range(6))
    assert findings.problems == []


def test_a_flat_validation_folder_takes_its_labels_from_the_table_beside_it(tmp_path):
    rows = [f"val_{n}.png\t{CLASSES[n % 2]}\t0\t0\t9\t9" for n in range(4)]
    files = pictures("set/train/cat/images", "set/train/dog/images") | pictures("set/test/images", first=40)
    files |= {f"set/val/images/val_{n}.png": image(500 + n) for n in range(4)}
    reading, findings = reading_of(files | {"set/val/val_annotations.txt": table(*rows)}, tmp_path / "data")

    assert reading.listings["train"].labels == ("cat", "cat", "dog", "dog")
    assert reading.listings["validation"].labels == ("cat", "dog") * 2
    assert reading.listings["test"].labels is None
    assert findings.problems == []


def parts(*outer, inner=CLASSES):
    return pictures(*(f"top/{one}/{each}" for one in outer for each in inner))


def test_numbered_folders_with_all_classes_in_each_are_groups(tmp_path):
    reading, _ = reading_of(parts("fold1", "fold2", "fold3"), tmp_path / "folds")
    patients, _ = reading_of(parts("10253", "10254", "10255", "10256", "10257", "10258", inner="01"), tmp_path / "ids")

    assert set(reading.listings["train"].labels) == set(CLASSES)
    assert set(reading.listings["train"].groups) == {"fold1", "fold2", "fold3"}
    assert set(patients.listings["train"].labels) == {"0", "1"}


def test_the_same_folders_in_folders_that_may_be_classes_are_refused_and_a_flag_chooses(tmp_path):
    files = parts("colour", "grey")

    with pytest.raises(
        DataError, match=r"folders must be classes in one way only.*--train top/ if .*--train top/colour"
    ):
        reading_of(files, tmp_path / "data")
    one, _ = reading_of(files, tmp_path / "one", train="top/colour")
    whole, _ = reading_of(files, tmp_path / "whole", train="top/")

    assert set(one.listings["train"].labels) == set(CLASSES)
    assert set(whole.listings["train"].labels) == {"colour", "grey"}


def test_a_copy_of_classes_without_splits_is_left_out(tmp_path):
    files = pictures("cells/cat", "cells/dog")
    reading, _ = reading_of(files | {f"cells/{name}": data for name, data in files.items()}, tmp_path / "data")

    assert set(reading.listings["train"].files) == set(files)


def test_masks_of_the_images_are_no_images(tmp_path):
    files = pictures("cat/images", "dog/images")
    masks = {name.replace("images", "masks"): image(50 + at) for at, name in enumerate(files)}
    reading, _ = reading_of(files | masks, tmp_path / "data")

    assert set(reading.listings["train"].files) == set(files)


def test_stray_images_and_folders_of_documents_are_no_classes(tmp_path):
    files = pictures("data/raw/1", "data/raw/2", count=12)
    strays = {name: image(500 + at) for at, name in enumerate(("logo.png", "docs/a.png", "data/raw/sample.png"))}
    reading, _ = reading_of(files | strays, tmp_path / "data")

    assert set(reading.listings["train"].files) == set(files)
    assert set(reading.listings["train"].labels) == {"1", "2"}


def test_a_folder_with_the_whole_name_of_a_split_is_it_and_the_other_is_said(tmp_path):
    reading, findings = reading_of(split_folders("TRAIN", "TEST") | pictures("TEST_SIMPLE/cat"), tmp_path / "data")

    assert len(reading.listings["test"].ids) == 4
    assert "`TEST_SIMPLE/` is left aside, with 2 images: `TEST/` is test." in findings.notes


def test_folders_may_be_named_as_class_and_split(tmp_path):
    reading, _ = reading_of(pictures("cat_train", "cat_test", "dog_train", "dog_test"), tmp_path / "data")

    assert {split: set(listing.labels) for split, listing in reading.listings.items()} == {
        "train": set(CLASSES),
        "test": set(CLASSES),
    }


def test_train_images_without_labels_are_refused_by_the_folder(tmp_path):
    files = pictures("cars_train/cars_train", "cars_test/cars_test")

    with pytest.raises(DataError, match="cars_train/cars_train/: the train images must have labels, got 2 images"):
        reading_of(files, tmp_path / "data")


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("test/cat", "test/dog"), {"test": {"cat", "dog"}}),
        (("val/cat", "val/dog", "holdout/cat"), {"validation": {"cat", "dog"}, "test": {"cat"}}),
        (("test/images",), {"test": set()}),
        (("valid",), {}),
    ],
    ids=["labelled test", "both", "flat test, one folder down", "flat validation"],
)
def test_a_folder_of_a_split_beside_the_classes_is_no_class(names, splits, tmp_path):
    reading, findings = reading_of(pictures("cat", "dog", *names), tmp_path)

    assert set(reading.listings["train"].labels) == {"cat", "dog"}
    assert {name: set(each.labels or ()) for name, each in reading.listings.items() if name != "train"} == splits
    assert findings.problems == []
    assert splits or any(note.startswith("`valid/` is left aside, with 2 images") for note in findings.notes)


def test_of_two_test_folders_beside_the_classes_a_flag_chooses_one(tmp_path):
    files = pictures("cat", "dog", "test", "unseen")
    _, findings = reading_of(files, tmp_path / "data")
    chosen, _ = reading_of(files, tmp_path / "again", test="unseen/")

    assert [problem.way_out for problem in findings.problems] == ["choose with --test test/ or --test unseen/"]
    assert [name.partition("/")[0] for name in chosen.listings["test"].files] == ["unseen"] * 2
    assert set(chosen.listings["train"].labels) == {"cat", "dog"}


def test_a_test_split_whose_files_are_numbered_like_those_of_train_is_no_copy(tmp_path):
    """Only the same bytes make one folder a copy of another."""
    files = pictures("cat", "dog", "test/cat", "test/dog")
    copied = {f"test/{name}": files[name] for name in files if not name.startswith("test/")}

    reading, _ = reading_of(files, tmp_path / "data")
    with_copy, findings = reading_of(files | copied, tmp_path / "copied")

    assert len(reading.listings["test"].files) == 4
    assert list(with_copy.listings) == ["train"]
    assert any("`test/` is a copy of what is beside it, and left out." in note for note in findings.notes)
