"""Rows of a file behave as those of an array."""

import pickle

import numpy as np
import pytest

from sweep.datasets.pixels.form import ARRAY, CACHE_LIMIT, JPEG, MAPPED, form_of
from sweep.datasets.pixels.pool import Pool
from sweep.datasets.pixels.rows import joined, take_rows
from sweep.datasets.pixels.stored import StoredPixels, decode_into, encoded

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 10, 12, 3), dtype=np.uint8)
EXPECTED = IMAGES.transpose(0, 3, 1, 2)


def smooth(side: int = 64) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    return np.stack([2 * x, 2 * y, x + y], axis=-1).astype(np.uint8)


def stored(folder, form=MAPPED, images=IMAGES) -> StoredPixels:
    with Pool(folder, "key", form) as pool:
        found = np.array([pool.put(image) for image in images], np.int64)
        return StoredPixels(pool.path, form, images.shape[1:3], found[:, :2], found[:, 2].astype(np.uint32))


@pytest.mark.parametrize(
    "rows",
    [slice(None), slice(2, 5), slice(0, 0), [3, 3, 0], np.array([6, 1]), np.array([], np.int64), 4, -1, np.int64(2)],
    ids=str,
)
def test_rows_are_chosen_as_in_an_array(tmp_path, rows):
    np.testing.assert_array_equal(stored(tmp_path)[rows], EXPECTED[rows])


def test_its_shape_and_bytes_are_those_of_the_array(tmp_path):
    pixels = stored(tmp_path)

    assert (pixels.shape, len(pixels), pixels.nbytes) == (EXPECTED.shape, 7, EXPECTED.nbytes)
    np.testing.assert_array_equal(list(pixels), EXPECTED)


def test_a_row_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(IndexError):
        stored(tmp_path)[[7]]


def test_another_process_opens_the_file_by_what_is_sent_to_it(tmp_path):
    pixels = stored(tmp_path)
    pixels.hold()

    sent = pickle.dumps(pixels)

    assert len(sent) < 1000
    np.testing.assert_array_equal(pickle.loads(sent)[:], EXPECTED)


@pytest.mark.parametrize("other", ["array", "file"])
def test_two_splits_are_joined_where_they_lie(tmp_path, other):
    first = stored(tmp_path)
    second = first if other == "file" else EXPECTED

    both = joined(first, second)

    expected = np.concatenate([EXPECTED, EXPECTED])
    assert (both.shape, both.nbytes, len(both)) == (expected.shape, expected.nbytes, len(expected))
    for rows in (slice(None), [13, 0, 7, 6], 9):
        np.testing.assert_array_equal(both[rows], expected[rows])


def test_some_rows_stay_in_the_file(tmp_path):
    some = take_rows(stored(tmp_path), np.array([5, 2]))

    assert isinstance(some, StoredPixels)
    np.testing.assert_array_equal(some[:], EXPECTED[[5, 2]])


@pytest.mark.parametrize(
    "image",
    [IMAGES[0], smooth(), *(np.zeros((height, width, 3), np.uint8) for height, width in ((1, 1), (1, 5), (5, 1)))],
    ids=["noise", "smooth", "dot", "row", "column"],
)
def test_an_image_as_jpeg_is_near_enough_whatever_it_shows(image):
    back = np.empty((3, *image.shape[:2]), np.uint8)
    decode_into(back, encoded(image, JPEG))

    assert np.abs(back.transpose(1, 2, 0).astype(int) - image).mean() <= 2


def test_a_smooth_image_is_much_smaller_as_jpeg(tmp_path):
    assert len(encoded(smooth(), JPEG)) < smooth().size / 4


def test_jpeg_rows_are_decoded_each_to_its_own(tmp_path):
    images = np.stack([smooth(), smooth()[::-1], 255 - smooth()])

    pixels = stored(tmp_path, JPEG, images)

    assert np.abs(pixels[[2, 0]].astype(int) - images.transpose(0, 3, 1, 2)[[2, 0]]).mean() <= 2


@pytest.mark.parametrize(
    ("nbytes", "limit", "recorded", "expected"),
    [
        (10**6, None, None, ARRAY),
        (10**9, None, None, MAPPED),
        (CACHE_LIMIT, None, None, MAPPED),
        (CACHE_LIMIT + 1, None, None, JPEG),
        (10**6, 10**5, None, JPEG),
        (10**6, None, JPEG, JPEG),
        (CACHE_LIMIT + 1, None, MAPPED, MAPPED),
        (10**9, None, ARRAY, MAPPED),
        (10**6, None, MAPPED, ARRAY),
    ],
)
def test_the_form_follows_from_the_size_and_from_what_a_sweep_began_with(nbytes, limit, recorded, expected):
    assert form_of(nbytes, limit, recorded) == expected
