"""A node that does not see the driver's file gets a copy, once, and goes on with a copy that was broken off."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from sweep.datasets import far_files
from sweep.datasets.far_files import block_of
from sweep.datasets.pixels import cache
from sweep.datasets.pixels.copies import readable_here
from sweep.datasets.pixels.rows import joined
from tests.datasets.pixels.test_stored import stored
from tests.trials import in_memory

DATA = in_memory()


@pytest.fixture(autouse=True)
def small_blocks(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "node"))
    monkeypatch.setattr(far_files, "BLOCK_BYTES", 1000)


@pytest.fixture
def driver(tmp_path):
    """The driver's data, train and validation in one pool."""
    (tmp_path / "driver").mkdir()
    every = np.concatenate([DATA.train.images, DATA.valid.images])
    images = stored(tmp_path / "driver", images=every.transpose(0, 2, 3, 1))
    count = len(DATA.train.images)
    train, valid = images.take(np.arange(count)), images.take(np.arange(count, len(every)))
    return replace(DATA, train=replace(DATA.train, images=train), valid=replace(DATA.valid, images=valid))


@pytest.fixture
def moved(driver, tmp_path):
    """The same as a node has it that does not see the driver's folder; and that folder."""
    shutil.move(tmp_path / "driver", tmp_path / "far")

    def gone(split):
        return replace(split, images=split.images.in_copy(tmp_path / "driver" / "key.pixels"))

    return replace(driver, train=gone(driver.train), valid=gone(driver.valid)), tmp_path / "far" / "key.pixels"


def assert_same(data):
    np.testing.assert_array_equal(data.train.images[:], DATA.train.images)
    np.testing.assert_array_equal(data.valid.images[:], DATA.valid.images)


def counted(path, most=None):
    asked = []

    def block(number):
        if most is not None and len(asked) >= most:
            raise ConnectionError("the driver's node is gone")
        asked.append(number)
        return block_of(path, number)

    return asked, block


def test_where_the_file_is_seen_it_is_used(driver):
    asked, block = counted(driver.train.images.path)

    found = readable_here(driver, block)

    assert found.train.images.path == driver.train.images.path
    assert asked == []


def test_where_it_is_not_seen_it_is_copied_once(moved):
    data, path = moved
    asked, block = counted(path)

    first = readable_here(data, block)
    second = readable_here(data, block)

    assert_same(first)
    assert_same(second)
    assert first.train.images.path.parent == cache.folder()
    assert sorted(asked) == list(range(-(-path.stat().st_size // 1000)))


def test_train_and_validation_joined_are_copied_too(moved):
    data, path = moved
    data = replace(data, train=replace(data.train, images=joined(data.train.images, data.valid.images)))

    found = readable_here(data, counted(path)[1])

    np.testing.assert_array_equal(found.train.images[:], np.concatenate([DATA.train.images, DATA.valid.images]))


def test_a_copy_that_was_broken_off_goes_on(moved, monkeypatch):
    data, path = moved
    monkeypatch.setattr(far_files, "AT_ONCE", 1)
    with pytest.raises(ConnectionError):
        readable_here(data, counted(path, most=5)[1])
    (lines,) = cache.folder().glob("*.blocks")
    lines.write_bytes(lines.read_bytes() + b"5 12")  # torn
    asked, block = counted(path)

    found = readable_here(data, block)

    assert_same(found)
    assert asked == list(range(5, -(-path.stat().st_size // 1000)))


def test_a_block_that_was_damaged_meanwhile_comes_again(moved, monkeypatch):
    data, path = moved
    monkeypatch.setattr(far_files, "AT_ONCE", 1)
    with pytest.raises(ConnectionError):
        readable_here(data, counted(path, most=5)[1])
    (partial,) = cache.folder().glob("*.copying")
    whole = bytearray(partial.read_bytes())
    whole[2500] ^= 1
    partial.write_bytes(whole)
    asked, block = counted(path)

    assert_same(readable_here(data, block))

    assert asked[0] == 2


def test_another_file_under_the_drivers_path_is_not_taken_for_it(moved, tmp_path):
    data, path = moved
    (tmp_path / "driver").mkdir()
    (tmp_path / "driver" / "key.pixels").write_bytes(bytes(path.stat().st_size))

    assert_same(readable_here(data, counted(path)[1]))


def test_a_block_that_comes_short_is_an_error(moved):
    data, _ = moved

    with pytest.raises(ValueError, match="block 0 came with 3 of 1000 bytes"):
        readable_here(data, lambda number: b"abc")


def test_data_in_an_array_stays_as_it_is():
    assert readable_here(DATA, lambda number: pytest.fail("a block was asked for")) is DATA
