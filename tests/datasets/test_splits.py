import numpy as np
import pytest

from sweep.datasets.load import load
from sweep.datasets.problems import Findings
from sweep.datasets.sources.listing import Listing
from sweep.datasets.splits import cut_and_limit, stratified
from sweep.storage.sweep_file import DataOptions


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


def listing(labels, groups=None):
    names = tuple(f"{number}.png" for number in range(len(labels)))
    return Listing("data", names, tuple(labels), names, None, groups)


def test_a_group_is_whole_on_one_side_of_the_cut_and_each_label_on_both():
    labels, groups = ["ab"[number % 2] for number in range(400)], tuple(f"p{number // 10}" for number in range(400))
    findings = Findings()

    cut = cut_and_limit({"train": listing(labels, groups)}, None, None, 3, findings)

    assert not set(cut["train"].groups) & set(cut["validation"].groups)
    assert 0.12 <= len(cut["validation"].ids) / 400 <= 0.18
    assert set(cut["train"].labels) == set(cut["validation"].labels) == {"a", "b"}
    assert sorted([*cut["train"].ids, *cut["validation"].ids]) == sorted(listing(labels).ids)
    assert findings.notes[0].endswith("each whole.")
    assert cut == cut_and_limit({"train": listing(labels, groups)}, None, None, 3, Findings())


def test_an_image_without_a_group_is_one_by_itself_and_groups_of_a_whole_label_are_cut_through():
    alone = cut_and_limit({"train": listing("ab" * 50, ("",) * 100)}, None, None, 0, Findings())
    findings = Findings()
    of_labels = cut_and_limit({"train": listing("ab" * 50, tuple("xy" * 50))}, None, None, 0, findings)

    assert 13 <= len(alone["validation"].ids) <= 15
    assert len(of_labels["validation"].ids) == 15
    assert "across groups, for no group can be spared by its labels" in findings.notes[0]


def test_groups_in_both_of_two_given_splits_are_said():
    findings = Findings()
    splits = {"train": listing("abab", ("p", "p", "q", "q")), "validation": listing("ab", ("q", "r"))}

    cut_and_limit(splits, None, None, 0, findings)

    assert findings.notes == ["1 group of train in validation too, first `q`."]
