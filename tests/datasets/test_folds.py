from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.datasets import load as load_file
from sweep.datasets.fingerprint import data_table, differences, parsed_folds, parsed_table
from sweep.datasets.folds import divided, folded, units
from sweep.datasets.load import load
from sweep.datasets.pixels import cache
from sweep.datasets.problems import DataError
from sweep.storage.sweep_file import DataOptions
from tests.trials import in_memory

LABELS = st.lists(st.integers(0, 5), min_size=20, max_size=120)


def alone(labels):
    return np.arange(len(labels))


@settings(deadline=None)
@given(LABELS, st.integers(2, 20), st.integers(0, 5))
def test_each_image_is_in_one_fold_and_no_two_folds_differ_by_more_than_an_image_of_any_class(labels, count, seed):
    labels = np.array(labels)
    folds = divided(labels, alone(labels), count, seed)
    for some in [np.ones(len(labels), bool), *(labels == label for label in set(labels.tolist()))]:
        sizes = np.bincount(folds[some], minlength=count)
        assert len(sizes) == count
        assert sizes.max() - sizes.min() <= 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), min_size=40, max_size=150), st.integers(2, 5))
def test_no_group_stands_on_two_sides_and_no_fold_is_empty(images, count):
    labels, groups = np.array(images).T
    if len(set(groups.tolist())) < count:
        return
    folds = divided(labels, groups, count, seed=0)
    assert (np.bincount(folds, minlength=count) > 0).all()
    for group in set(groups.tolist()):
        assert len(set(folds[groups == group].tolist())) == 1


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=60, max_size=200), st.integers(2, 5), st.integers(0, 9))
def test_small_groups_leave_each_class_about_its_share(labels, count, seed):
    labels, groups = np.array(labels), np.arange(len(labels)) // 2
    folds = divided(labels, groups, count, seed)
    for label in set(labels.tolist()):
        sizes = np.bincount(folds[labels == label], minlength=count)
        assert sizes.max() - sizes.min() <= 4


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["", "a", "b"]), st.sampled_from(["", "x", "y", "z"])), min_size=1))
def test_images_that_share_a_name_are_one_unit_and_only_they(names):
    first, second = (tuple(column) for column in zip(*names, strict=True))
    found = units(first, second)
    for a, one in enumerate(names):
        for b, other in enumerate(names):
            if any(x == y != "" for x, y in zip(one, other, strict=True)):
                assert found[a] == found[b]
        if one == ("", ""):
            assert (found == found[a]).sum() == 1


def test_the_seed_alone_decides_the_division():
    labels = np.arange(90) % 3
    assert (divided(labels, alone(labels), 5, 1) == divided(labels, alone(labels), 5, 1)).all()
    assert (divided(labels, alone(labels), 5, 1) != divided(labels, alone(labels), 5, 2)).any()


def test_more_folds_than_groups_are_refused_with_the_number():
    with pytest.raises(DataError, match="belong together, 2, got 3"):
        divided(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), 3, 0)


def test_files_that_are_equal_stay_in_one_fold():
    data = in_memory(train=12, valid=0)
    digests = tuple("same" if row in (0, 5, 7) else str(row) for row in range(12))
    folds = folded(with_train(data, digests=digests), 4, 0).folds
    assert len({folds[0], folds[5], folds[7]}) == 1


def test_validation_images_are_joined_with_train_and_this_is_said():
    data = folded(in_memory(train=24, valid=20), 4, 0)
    assert len(data.train.truth) == len(data.folds) == 44
    assert data.notes[0].startswith("The data's 20 validation images are joined with its train images")
    assert data.train.ids[0] == "train/0.png"
    assert data.train.ids[24] == "validation/0.png"


def test_a_fold_is_a_view_of_the_images_and_misses_none():
    data = folded(in_memory(train=24, valid=20), 4, 0)
    rows = []
    for number in range(1, 5):
        fold = data.fold(number)
        assert fold.train.images.images is data.train.images
        assert len(fold.train.truth) + len(fold.valid.truth) == 44
        rows += fold.valid.images.rows.tolist()
        assert (fold.valid.images[:] == data.train.images[fold.valid.images.rows]).all()
        assert (fold.valid.images[2] == data.train.images[fold.valid.images.rows[2]]).all()
    assert sorted(rows) == list(range(44))


def test_a_class_with_fewer_images_than_folds_is_said():
    data = in_memory(train=12, valid=0)
    labels = np.array([0] * 6 + [1] * 4 + [2] * 2)
    notes = folded(with_train(data, labels=labels), 4, 0).notes
    assert any(note.startswith("Fewer images than folds in `2` (2)") for note in notes)


def test_the_data_s_own_folds_are_used():
    values = tuple(str(1 + row % 4) for row in range(12))
    data = folded(with_train(in_memory(train=12, valid=0), folds=values), 4, 0)
    assert data.folds.tolist() == [row % 4 for row in range(12)]
    assert "own 4 folds" in data.notes[0]
    with pytest.raises(DataError, match="the number of folds that the data has, 4, got 3; give --folds 4"):
        folded(with_train(in_memory(train=12, valid=0), folds=values), 3, 0)


def test_a_group_in_two_of_the_data_s_own_folds_is_said():
    values, groups = tuple(str(row % 2) for row in range(12)), ("p",) * 3 + ("",) * 9
    notes = folded(with_train(in_memory(train=12, valid=0), folds=values, groups=groups), 2, 0).notes
    assert any("1 group in more than one of them, first `p`" in note for note in notes)


def test_the_table_of_the_images_keeps_the_folds_and_a_change_is_named():
    data = folded(in_memory(train=24, valid=0), 3, 0)
    data = with_digests(data)
    table = data_table(data)
    assert parsed_folds(table) == (data.folds + 1).tolist()
    assert list(parsed_table(table)["train"]) == list(data.train.ids)
    other = folded(with_digests(in_memory(train=24, valid=0)), 3, 1)
    assert data.fingerprint != other.fingerprint
    assert "in another fold, first" in differences(table, other)[0]


def test_a_fold_column_is_found_and_a_split_column_keeps_the_test_split(tmp_path):
    write_images(tmp_path, 24)
    rows = [f"{row}.png,{row % 2},{'test' if row >= 20 else 'train'},{row % 4}" for row in range(24)]
    (tmp_path / "train.csv").write_text("\n".join(["image,label,split,fold", *rows]))
    data = load(tmp_path, DataOptions(folds=4))
    assert len(data.test.ids) == 4
    assert data.folds.tolist() == [row % 4 for row in range(20)]
    assert not any("aside" in note for note in data.notes)


def test_a_split_column_of_numbers_is_the_folds_where_they_are_asked_for_and_refused_with_the_flag_else(tmp_path):
    write_images(tmp_path, 20)
    rows = [f"{row}.png,{row % 2},{1 + row % 5}" for row in range(20)]
    (tmp_path / "train.csv").write_text("\n".join(["image,label,part", *rows]))
    data = load(tmp_path, DataOptions(folds=5, split_column="part", label_column="label"))
    assert data.folds.tolist() == [row % 5 for row in range(20)]
    with pytest.raises(DataError, match="give --folds 5, which takes its values as folds"):
        load(tmp_path, DataOptions(split_column="part", label_column="label"))


def test_groups_of_a_table_stay_together_from_the_cache_as_well(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "SETTLED_SECONDS", -60.0)
    (tmp_path / "data").mkdir()
    write_images(tmp_path / "data", 24)
    rows = [f"{row}.png,{row % 2},p{row // 3}" for row in range(24)]
    (tmp_path / "data" / "train.csv").write_text("\n".join(["image,label,patient", *rows]))
    for _ in range(2):
        folds = load(tmp_path / "data", DataOptions(folds=3)).folds
        monkeypatch.setattr(load_file, "_read", None)  # the second time nothing is read
        assert (folds.reshape(8, 3) == folds.reshape(8, 3)[:, :1]).all()


def with_train(data, **fields):
    return replace(data, train=replace(data.train, **fields))


def with_digests(data):
    return with_train(data, digests=tuple(f"{row:064x}" for row in range(len(data.train.ids))))


def write_images(folder, count):
    rng = np.random.default_rng(0)
    for row in range(count):
        cv2.imwrite(str(folder / f"{row}.png"), rng.integers(0, 255, (8, 8, 3), dtype=np.uint8))
