import numpy as np
import pytest

from datasets.load import load
from datasets.splits import stratified
from storage.sweep_file import DataOptions


def test_a_missing_validation_split_is_cut_from_train_and_said(tiny_data):
    (tiny_data / "validation.txt").unlink()
    data = load(tiny_data)
    assert (len(data.train.ids), len(data.valid.ids)) == (51, 9)
    assert np.bincount(data.valid.labels).tolist() == [3, 3, 3]
    assert not set(data.train.ids) & set(data.valid.ids)
    assert data.notes == (
        "Left out: 30 images that no table names (30 in `train+validation/`).",
        "No validation split: 9 of 60 train images were set aside (seed 0).",
    )
    assert load(tiny_data).fingerprint == data.fingerprint
    assert load(tiny_data, seed=1).fingerprint != data.fingerprint


def test_limits_keep_the_share_of_each_class_and_larger_ones_only_add(tiny_data):
    small, large = (load(tiny_data, options) for options in (DataOptions(None, 12, 6), DataOptions(None, 30)))
    assert np.bincount(small.train.labels).tolist() == [4, 4, 4]
    assert len(small.valid.ids) == 6
    assert set(small.train.ids) < set(large.train.ids)
    assert list(small.train.ids) == sorted(small.train.ids)
    assert len(small.test.ids) == 10
    assert small.fingerprint != large.fingerprint
    assert load(tiny_data, DataOptions(limit_train=1000)).fingerprint == load(tiny_data).fingerprint


@pytest.mark.parametrize("count", [3, 10, 40])
def test_a_stratified_draw_has_every_class_and_its_share(count):
    labels = np.array([0] * 40 + [1] * 8 + [2] * 2)
    rows = stratified(labels, count, np.random.default_rng(0))
    counts = np.bincount(labels[rows], minlength=3)
    assert len(rows) == count
    assert counts.min() >= 1
    assert np.abs(counts - count * np.array([0.8, 0.16, 0.04])).max() < 2
