"""A data set is decoded once; what is kept of it is never used for other files."""

import os
from dataclasses import fields, replace

import numpy as np
import pytest

from sweep.datasets.file_tree import FileTree
from sweep.datasets.load import load
from sweep.datasets.pixels import cache
from sweep.datasets.pixels.dataset import Dataset
from sweep.storage.sweep_file import DataOptions
from sweep.trainable.config import TrialConfig
from sweep.trainable.loop import train
from sweep.trainable.state import new_state
from tests.datasets.test_load import by_class, zipped


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "SETTLED_SECONDS", -60.0)


def kept() -> list:
    return sorted(cache.folder().glob("*"))


def assert_equal(a: Dataset, b: Dataset) -> None:
    for field in fields(Dataset):
        if field.name not in ("train", "valid", "test", "folds"):
            assert getattr(a, field.name) == getattr(b, field.name), field.name
    assert list(a.splits) == list(b.splits)
    for one, other in zip(a.splits.values(), b.splits.values(), strict=True):
        assert (one.ids, one.digests) == (other.ids, other.digests)
        np.testing.assert_array_equal(one.images, other.images)
        assert (one.labels is None) == (other.labels is None)
        if one.labels is not None:
            np.testing.assert_array_equal(one.labels, other.labels)


@pytest.fixture
def no_file_is_read(monkeypatch):
    def forbidden(*_):
        raise AssertionError("a file was read")

    return lambda: monkeypatch.setattr(FileTree, "read", forbidden)


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_the_second_start_reads_no_file_and_has_the_same_data(tiny_data, no_file_is_read, packed):
    path = zipped(tiny_data) if packed else tiny_data
    first = load(path, DataOptions(limit_train=30))
    no_file_is_read()

    second = load(path, DataOptions(limit_train=30))

    assert first.notes != ()
    assert_equal(first, second)
    assert not second.train.images.flags.owndata  # mapped


def test_data_without_test_split_or_submission_comes_back_as_such(tiny_data, no_file_is_read):
    for name in ("test.txt", "sample_submission.txt"):
        (tiny_data / name).unlink()
    first = load(tiny_data)
    no_file_is_read()

    assert_equal(first, load(tiny_data))


@pytest.mark.parametrize(
    "options", [{"options": DataOptions(8)}, {"options": DataOptions(limit_valid=9)}, {"seed": 1}], ids=str
)
def test_what_is_read_in_another_way_is_another_data_set(tiny_data, options):
    load(tiny_data)

    load(tiny_data, **options)

    assert len(kept()) == 2


def test_a_file_of_the_same_size_and_time_with_other_content_is_read_again(tiny_data):
    first = load(tiny_data)
    path, other = tiny_data / "train.txt", (tiny_data / "train.txt").read_text()
    before = path.stat()
    path.write_text(other.replace("train00.png,0", "train00.png,1"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size

    second = load(tiny_data)

    assert (first.train.labels[0], second.train.labels[0]) == (0, 1)


def test_files_that_changed_a_moment_ago_are_not_kept(tiny_data, monkeypatch):
    monkeypatch.setattr(cache, "SETTLED_SECONDS", 60.0)

    load(tiny_data)

    assert kept() == []


def test_a_damaged_file_is_not_used(tiny_data):
    first = load(tiny_data)
    (path,) = kept()
    whole = path.read_bytes()
    for place in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 8]) + whole[place + 1 :])
        assert_equal(first, load(tiny_data))
        path.write_bytes(whole[:place])
        assert_equal(first, load(tiny_data))


def test_a_cache_that_cannot_be_written_stops_nothing(tiny_data, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder would be")

    assert_equal(load(tiny_data), load(tiny_data))


def test_a_machine_without_a_home_stops_nothing(tiny_data, monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(cache.Path, "home", no_home)

    assert_equal(load(tiny_data), load(tiny_data))


def test_a_full_disk_keeps_nothing(tiny_data, monkeypatch):
    monkeypatch.setattr(cache, "FREE_TIMES", 1e15)

    load(tiny_data)

    assert kept() == []


def test_bad_data_is_never_kept(tiny_data):
    (tiny_data / "test" / "test03.png").write_bytes(b"no image")

    with pytest.raises(ValueError, match="test03"):
        load(tiny_data)

    assert kept() == []


def test_the_data_sets_used_last_are_kept_as_far_as_they_fit(tiny_data, monkeypatch):
    load(tiny_data, seed=0)
    (first,) = kept()
    monkeypatch.setattr(cache, "KEPT_BYTES", 2 * first.stat().st_size + 1000)
    load(tiny_data, seed=1)
    os.utime(first, ns=(0, 0))

    load(tiny_data, seed=2)

    assert len(kept()) == 2
    assert first not in kept()


def test_what_a_killed_start_left_half_written_is_removed(tiny_data):
    cache.folder().mkdir(parents=True)
    old, new = (cache.folder() / f"{name}.partial" for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, ns=(0, 0))

    load(tiny_data)

    assert [path.suffix for path in kept()].count(".partial") == 1
    assert new.exists()


def test_a_new_empty_class_folder_is_found_though_no_file_changed(tiny_data):
    classes = by_class(tiny_data)
    load(classes)
    (classes / "train" / "dog").mkdir()

    with pytest.raises(ValueError, match="dog"):
        load(classes)


def test_a_trial_on_cached_data_has_the_same_metrics(tiny_data):
    config = TrialConfig(arch="small_resnet", width=1.0, depth=1, epochs=2, batch_size=16, rotate=0.5, cutout=0.5)

    def metrics(data: Dataset) -> list:
        return [replace(epoch, seconds=0) for epoch in train(config, data, new_state(config, data))]

    decoded, cached = load(tiny_data), load(tiny_data)

    assert metrics(decoded) == metrics(cached)
