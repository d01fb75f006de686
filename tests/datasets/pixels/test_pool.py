"""Pixels on a disk: read once, whatever is asked for later and wherever reading was broken off."""

import os
from dataclasses import replace

import numpy as np
import pytest

from sweep.datasets import decoders
from sweep.datasets.file_tree import FileTree
from sweep.datasets.load import load, load_images
from sweep.datasets.pixels import cache, form, pool, target
from sweep.datasets.pixels.pool import Pool
from sweep.datasets.pixels.read import BLOCK
from sweep.datasets.pixels.stored import StoredPixels
from sweep.datasets.problems import DataError
from sweep.storage.files import DamagedError
from sweep.storage.sweep_file import DataOptions
from tests.datasets.pixels.test_cache import assert_equal
from tests.datasets.test_load import zipped

SMALL = DataOptions(image_size=12)
JPEG = DataOptions(image_size=12, cache_limit=1)


@pytest.fixture(autouse=True)
def on_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "SETTLED_SECONDS", -60.0)
    monkeypatch.setattr(form, "ARRAY_BYTES", 0)


@pytest.fixture
def decoded(monkeypatch):
    """The number of images that were decoded, in a list."""
    count, newest = [0], decoders.recipe(decoders.NEWEST)

    def counted(*arguments):
        count[0] += 1
        return newest.decode_to(*arguments)

    monkeypatch.setattr(decoders, "recipe", lambda number: replace(newest, decode_to=counted))
    return count


def in_array(path, options, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(form, "ARRAY_BYTES", 1 << 40)
        patched.setenv("XDG_CACHE_HOME", str(path.parent / "other"))
        return load(path, replace(options, cache_limit=None))


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_a_mapped_file_has_the_pixels_of_an_array(tiny_data, monkeypatch, packed):
    path = zipped(tiny_data) if packed else tiny_data
    array = in_array(path, SMALL, monkeypatch)

    mapped = load(path, SMALL)

    assert (array.form, mapped.form) == ("array", "mapped")
    assert isinstance(mapped.train.images, StoredPixels)
    assert mapped.train.images.shape == array.train.images.shape
    assert_equal(array, mapped)


def test_jpeg_is_within_two_grey_levels_of_an_array(tiny_data, monkeypatch):
    array = in_array(tiny_data, SMALL, monkeypatch)

    jpeg = load(tiny_data, JPEG)

    assert jpeg.form == "jpeg"
    assert jpeg.fingerprint == array.fingerprint
    for one, other in zip(jpeg.splits.values(), array.splits.values(), strict=True):
        assert (one.ids, one.digests) == (other.ids, other.digests)
        assert np.abs(one.images[:].astype(int) - other.images).mean(axis=(1, 2, 3)).max() <= 2


@pytest.mark.parametrize("options", [SMALL, JPEG], ids=["mapped", "jpeg"])
def test_a_second_start_reads_no_image(tiny_data, monkeypatch, options):
    first = load(tiny_data, options)

    def forbidden(*_):
        raise AssertionError("a file was read")

    monkeypatch.setattr(FileTree, "read", forbidden)

    second = load(tiny_data, options)

    assert_equal(first, second)


def test_another_cut_decodes_nothing_again(tiny_data, decoded):
    first = load(tiny_data, replace(SMALL, limit_train=30))
    count = decoded[0]

    second = load(tiny_data, replace(SMALL, limit_train=30), seed=1)

    assert first.train.ids != second.train.ids
    assert decoded[0] - count == len(set(second.train.ids) - set(first.train.ids))


def test_a_file_that_changed_is_decoded_again_and_no_other(tiny_data, decoded):
    first = load(tiny_data, SMALL)
    count = decoded[0]
    changed = tiny_data / "test" / first.test.ids[0]
    changed.write_bytes((tiny_data / "test" / first.test.ids[1]).read_bytes())

    second = load(tiny_data, SMALL)

    assert decoded[0] == count + 1
    np.testing.assert_array_equal(second.test.images[0], first.test.images[1])


def test_a_start_after_a_kill_decodes_what_is_missing(tiny_data, decoded, monkeypatch):
    whole = load(tiny_data, SMALL)
    every = decoded[0]
    for path in cache.folder().iterdir():
        path.unlink()
    add = Pool.add

    def killed(self, rows):
        add(self, rows)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pool, "COMMIT_SECONDS", 0.0)
        patched.setattr(Pool, "add", killed)
        patched.setattr(Pool, "__exit__", lambda self, *_: self.close())  # a kill runs no handler
        with pytest.raises(KeyboardInterrupt):
            load(tiny_data, SMALL)
    decoded[0] = 0
    again = load(tiny_data, SMALL)

    assert_equal(whole, again)
    assert decoded[0] == every - BLOCK


@pytest.mark.parametrize("cut", [1, 40, 400])
def test_a_torn_last_line_costs_its_images_alone(tiny_data, cut):
    first = load(tiny_data, SMALL)
    (rows,) = cache.folder().glob("*.rows")
    os.truncate(rows, rows.stat().st_size - cut)
    for path in cache.folder().glob("*.arrow"):
        path.unlink()

    assert_equal(first, load(tiny_data, SMALL))


def test_damaged_pixels_are_an_error_that_names_their_file(tiny_data):
    data = load(tiny_data, SMALL)
    (path,) = cache.folder().glob("*.pixels")
    place = int(data.valid.images.places[3, 0])
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 8]))

    again = load(tiny_data, SMALL)

    with pytest.raises(DamagedError, match=f"{path.name}.*checksum.*remove it"):
        again.valid.images[:]
    again.valid.images[:3]


def test_a_pool_that_was_cut_is_read_again(tiny_data):
    first = load(tiny_data, SMALL)
    expected = first.train.images[:]
    (path,) = cache.folder().glob("*.pixels")
    os.truncate(path, 1000)

    np.testing.assert_array_equal(load(tiny_data, SMALL).train.images[:], expected)


def test_a_cache_that_cannot_be_written_leaves_the_pixels_in_memory(tiny_data, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder would be")

    assert load(tiny_data, SMALL).form == "array"


def test_pixels_for_which_neither_disk_nor_memory_has_room_are_refused(tiny_data, tmp_path, monkeypatch):
    monkeypatch.setattr(target, "SPARE_BYTES", 1 << 60)

    with pytest.raises(DataError, match=r"there must be room for the pixels of .* free; make room, name a folder"):
        load(tiny_data, SMALL)

    (tmp_path / "cache" / "sweep").rmdir() if not any((tmp_path / "cache" / "sweep").iterdir()) else None
    monkeypatch.setenv("XDG_CACHE_HOME", str(tiny_data / "train.txt"))
    monkeypatch.setattr(target, "MEMORY_SHARE", 0.0)
    with pytest.raises(DataError, match=r"there must be a folder for .* of pixels"):
        load(tiny_data, SMALL)


def test_files_that_changed_a_moment_ago_are_not_known_to_the_next_start(tiny_data, monkeypatch, decoded):
    monkeypatch.setattr(cache, "SETTLED_SECONDS", 3600.0)
    load(tiny_data, SMALL)
    count = decoded[0]

    load(tiny_data, SMALL)

    assert decoded[0] == 2 * count


def test_new_images_to_predict_come_from_a_pool_too(tiny_data):
    split = load_images(tiny_data / "test", (8, 8))

    assert isinstance(split.images, StoredPixels)
    assert split.images.shape == (len(split.ids), 3, 8, 8)


def test_a_pool_that_is_open_is_not_tidied_away(tiny_data, monkeypatch):
    held = load(tiny_data, SMALL)
    held.train.images.hold()
    monkeypatch.setattr(cache, "KEPT_BYTES", 0)

    for side in (9, 10, 11):
        load(tiny_data, DataOptions(image_size=side))

    sizes = {path.stat().st_size for path in cache.folder().glob("*.pixels")}
    assert sum(split.images.nbytes for split in held.splits.values()) in sizes
    assert len(sizes) == 2  # that one, and the newest
