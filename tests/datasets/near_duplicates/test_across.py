"""Near duplicates across splits are counted, kept together in a cut and in folds, and left out where that is asked."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from sweep.datasets.bad_images import left_out_table
from sweep.datasets.load import load
from sweep.datasets.pixels import cache
from sweep.storage.sweep_file import DataOptions
from tests.datasets.near_duplicates.pictures import brighter, encoded_again, mirrored, pictures
from tests.trees import write

NEAR = DataOptions(leave_out="near-duplicates")


def tree(*splits: str) -> dict[str, np.ndarray]:
    """Sixteen pictures in each split, of two classes, none like another; those of test in one folder."""
    names = [
        f"{split}/{'' if split == 'test' else 'ab'[n % 2] + '/'}{n:02d}.png" for split in splits for n in range(16)
    ]
    return dict(zip(names, pictures(len(names), 32), strict=True))


def written(images: Mapping[str, np.ndarray], place: Path) -> Path:
    upright = {name: np.ascontiguousarray(image.transpose(1, 2, 0)) for name, image in images.items()}
    return write({name: cv2.imencode(".png", image)[1].tobytes() for name, image in upright.items()}, place)


@pytest.fixture
def three_splits(tmp_path):
    """Train has two copies of one image of test and one of validation, and validation has one of test."""
    images = tree("train", "validation", "test")
    images["train/a/00.png"] = brighter(images["test/00.png"])
    images["train/b/01.png"] = mirrored(images["test/00.png"])
    images["validation/a/02.png"] = encoded_again(images["test/02.png"])
    images["train/a/04.png"] = encoded_again(images["validation/a/04.png"])
    return written(images, tmp_path / "data")


def test_they_are_counted_and_shown_and_nothing_else_changes(three_splits):
    data = load(three_splits)

    [sentence] = data.near_duplicates.sentences()
    assert sentence == (
        "Near duplicates across splits: 1 of validation looks like one of train, 1 of test looks like one of train, "
        "1 of test looks like one of validation."
    )
    assert sentence in data.notes
    assert [len(split.ids) for split in data.splits.values()] == [16, 16, 16]
    assert not data.left_out
    shown = {(pair.first.id, pair.second.id): pair.mirrored for pair in data.near_duplicates.shown}
    assert shown == {
        ("a/00.png", "00.png"): False,
        ("b/01.png", "00.png"): True,
        ("a/02.png", "02.png"): False,
        ("a/04.png", "a/04.png"): False,
    }


def test_train_and_validation_images_are_left_out_by_name_and_test_images_never(three_splits):
    data = load(three_splits, NEAR)

    assert {(each.split, each.id, each.reason) for each in data.left_out} == {
        ("train", "a/00.png", "near duplicate in another split"),
        ("train", "b/01.png", "near duplicate in another split"),
        ("train", "a/04.png", "near duplicate in another split"),
        ("validation", "a/02.png", "near duplicate in another split"),
    }
    rows = csv.DictReader(io.StringIO(left_out_table(data.left_out).decode()))
    assert next(row["detail"] for row in rows if row["id"] == "b/01.png") == "looks like test `00.png`"
    assert [len(split.ids) for split in data.splits.values()] == [13, 15, 16]
    assert data.near_duplicates.left_out == 4


def test_without_any_the_flag_changes_nothing(tmp_path):
    path = written(tree("train", "test"), tmp_path / "data")

    plain, flagged = load(path), load(path, NEAR)

    assert flagged.fingerprint == plain.fingerprint
    assert flagged.notes == plain.notes
    assert not plain.near_duplicates.sentences()


@pytest.mark.parametrize("seed", range(3))
def test_a_cut_keeps_them_together_where_the_flag_is_given(seed, tmp_path):
    images = tree("train")
    sets = [[f"train/{'ab'[n % 2]}/{n:02d}.png" for n in range(first, first + 3)] for first in (0, 4, 8)]
    for original, copy, of_copy in sets:
        images[copy] = brighter(images[original])
        images[of_copy] = mirrored(images[copy])
    path = written(images, tmp_path / "data")

    data = load(path, NEAR, seed=seed)

    assert not data.left_out
    assert not data.near_duplicates.across
    assert data.near_duplicates.kept_together == 3
    valid = {f"train/{name}" for name in data.valid.ids}
    assert valid
    assert all(valid.isdisjoint(names) or valid.issuperset(names) for names in sets)


def test_folds_keep_them_together_without_a_flag(tmp_path):
    images = tree("train", "validation")
    images["train/a/00.png"] = brighter(images["validation/a/02.png"])
    images["train/b/01.png"] = mirrored(images["validation/a/02.png"])
    path = written(images, tmp_path / "data")

    data = load(path, DataOptions(folds=4))

    copies = [data.train.ids.index(name) for name in ("train/a/00.png", "train/b/01.png", "validation/a/02.png")]
    assert len(set(data.folds[copies].tolist())) == 1
    assert not data.near_duplicates.across


def test_what_was_found_is_kept_with_the_pixels(three_splits, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "SETTLED_SECONDS", -60.0)
    first = load(three_splits, NEAR)
    monkeypatch.setattr("sweep.datasets.load.look_for", None)

    assert load(three_splits, NEAR).near_duplicates == first.near_duplicates
