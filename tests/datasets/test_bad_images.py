"""Bad images: each is a problem by its name, or is left out by it."""

import csv
import io
import sys

import numpy as np
import pytest

from sweep.datasets.bad_images import left_out_table
from sweep.datasets.load import load
from sweep.datasets.problems import DataError
from sweep.storage.sweep_file import DataOptions
from tests.datasets.trees.containers import npz_of
from tests.trees import HUGE_PNG, write
from tests.trees import image as png

LEFT_OUT = DataOptions(leave_out="bad")


def photographs(**more: bytes) -> dict[str, bytes]:
    """Six different images of each of two classes in folders, with a validation and a test split, and these files."""
    tree = {f"train/{kind}/{kind}{n}.png": png(10 * n + offset) for offset, kind in enumerate("ab") for n in range(6)}
    tree |= {
        f"validation/{kind}/v{kind}{n}.png": png(100 + 10 * n + o) for o, kind in enumerate("ab") for n in range(2)
    }
    tree |= {"test/t0.png": png(200), "test/t1.png": png(210)}
    return tree | more


def reasons(data) -> dict[str, str]:
    return {image.id: image.reason for image in data.left_out}


def test_an_unreadable_image_is_named_and_left_out_where_that_is_asked(tmp_path):
    path = write(photographs(**{"train/a/empty.png": b"", "train/b/words.jpg": b"no image"}), tmp_path / "data")

    with pytest.raises(DataError) as refused:
        load(path)
    data = load(path, LEFT_OUT)

    assert "train/a/empty.png: image must be an image, got an empty file" in str(refused.value)
    assert "train/b/words.jpg" in str(refused.value)
    assert reasons(data) == {"a/empty.png": "unreadable", "b/words.jpg": "unreadable"}
    assert len(data.train.ids) == len(data.train.labels) == len(data.train.images) == 12
    assert "Left out: 2 images (2 unreadable); left-out.csv names each." in data.notes


def test_an_image_with_too_many_pixels_is_left_out_for_that(tmp_path):
    path = write(photographs(**{"train/a/huge.png": HUGE_PNG}), tmp_path / "data")

    data = load(path, LEFT_OUT)

    assert reasons(data) == {"a/huge.png": "too large"}
    assert "Left out: 1 image (1 too large); left-out.csv names each." in data.notes


def test_what_is_kept_is_what_was_there_without_the_bad_ones(tmp_path):
    whole = load(write(photographs(), tmp_path / "whole"))

    data = load(write(photographs(**{"train/a/a2x.png": b"bad"}), tmp_path / "data"), LEFT_OUT)

    assert data.train.ids == whole.train.ids
    assert (data.train.images == whole.train.images).all()
    assert data.fingerprint == whole.fingerprint


def test_an_unreadable_test_image_refuses_the_data_all_the_same(tmp_path):
    path = write(photographs(**{"test/t0.png": b"no image"}), tmp_path / "data")

    with pytest.raises(DataError, match=r"test/t0\.png"):
        load(path, LEFT_OUT)


def test_of_doubled_images_one_is_kept_none_under_two_labels_and_none_that_is_in_another_split_in_train(tmp_path):
    changes = {
        "train/a/again.png": png(0),  # a0
        "train/a/either.png": png(50),
        "train/b/or.png": png(50),  # as a5, too
        "train/a/judged.png": png(100),  # that of validation/a/va0
        "train/b/asked.png": png(200),  # that of test/t0
    }
    data = load(write(photographs(**changes), tmp_path / "data"), LEFT_OUT)

    assert reasons(data) == {
        "a/a5.png": "doubled under another label",
        "a/again.png": "doubled within its label",
        "a/either.png": "doubled within its label",
        "a/judged.png": "doubled in another split",
        "b/asked.png": "doubled in another split",
        "b/or.png": "doubled under another label",
    }
    assert len(data.valid.ids) == 4
    assert len(data.test.ids) == 2


def test_a_file_of_those_left_out_names_each_with_what_it_contradicts(tmp_path):
    path = write(photographs(**{"train/a/again.png": png(0)}), tmp_path / "data")

    header, row = csv.reader(io.StringIO(left_out_table(load(path, LEFT_OUT).left_out).decode()))

    assert header == ["split", "id", "label", "reason", "detail"]
    assert row[:4] == ["train", "a/again.png", "a", "doubled within its label"]
    assert "the bytes of " in row[4]
    assert "train/a/a0.png" in row[4]


def test_a_second_start_knows_the_same_ones(tmp_path):
    path = write(photographs(**{"train/a/again.png": png(0)}), tmp_path / "data")

    first, second = load(path, LEFT_OUT), load(path, LEFT_OUT)

    assert reasons(first) == reasons(second) == {"a/again.png": "doubled within its label"}


@pytest.mark.parametrize("is_bad", [False, True], ids=["alone", "alone once its other image is left out"])
def test_a_class_too_small_to_be_cut_is_named_and_left_out_where_that_is_asked(tmp_path, is_bad):
    tree = {f"train/{kind}/{n}.png": png(10 * n + o) for o, kind in enumerate("ab") for n in range(6)}
    tree |= {"train/c/0.png": png(90)} | ({"train/c/1.png": b"no image"} if is_bad else {})
    path = write(tree, tmp_path / "data")

    with pytest.raises(DataError) as refused:
        load(path, LEFT_OUT)
    data = load(path, DataOptions(leave_out="bad", min_per_class=2))

    assert "`c`" in str(refused.value)
    assert "--min-per-class" in str(refused.value)
    assert data.classes == ("a", "b")
    assert {image.id for image in data.left_out} == {"c/0.png", "c/1.png"} if is_bad else {"c/0.png"}
    assert len(data.train.ids) + len(data.valid.ids) == 12


def test_without_two_classes_left_the_flag_is_to_blame(tmp_path):
    path = write(photographs(), tmp_path / "data")

    with pytest.raises(DataError, match="classes"):
        load(path, DataOptions(min_per_class=7))


def test_a_package_that_is_missing_is_told_once_and_leaves_no_image_out(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    scans = {f"{kind}/{number}.dcm": bytes(128) + b"DICM" + bytes([number]) for kind in "ab" for number in range(30)}
    folder = write(
        scans | {f"{kind}/{n}.png": png(n + 10 * ord(kind)) for kind in "ab" for n in range(3)}, tmp_path / "data"
    )

    for options in (DataOptions(), DataOptions(leave_out="bad")):
        with pytest.raises(DataError) as error:
            load(folder, options)

        assert str(error.value) == (
            f"{folder}/a/0.dcm: image is a DICOM image, for which the package pydicom must be installed "
            "(and 59 more images); install it: pip install pydicom==3.0.2"
        )


def test_an_array_out_of_range_is_told_once_for_each_container(tmp_path):
    values = np.random.default_rng(0).normal(size=(60, 8, 8)).astype(np.float32)
    files = {f"{split}.npz": npz_of(x=values - len(split), y=np.arange(60) % 2) for split in ("train", "test")}

    with pytest.raises(DataError) as error:
        load(write(files, tmp_path / "data"))

    first, second = error.value.problems
    assert "where pixels are 0 to 255 (floats: 0 to 1) (and 59 more images); scale the whole array x: " in str(first)
    assert "test.npz/x/" in str(second)
