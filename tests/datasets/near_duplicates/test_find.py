"""Near duplicates are found whatever was done to them, and nothing else is."""

import numpy as np
import pytest

from sweep.datasets.near_duplicates import search
from sweep.datasets.near_duplicates.find import Pairs, connected, find
from tests.datasets.near_duplicates.pictures import COPIES, mirrored, pictures


def found_among(*parts: np.ndarray) -> Pairs:
    return find(parts, [np.arange(len(part)) for part in parts])


@pytest.mark.parametrize("side", [16, 48, 224])
@pytest.mark.parametrize("copy", COPIES, ids=lambda copy: copy.__name__)
def test_a_copy_is_found_with_its_original_and_with_no_other(copy, side):
    originals = pictures(40, side)
    copies = np.stack([copy(image) for image in originals[:10]])

    found = found_among(originals, copies)

    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert pairs <= {(number, 40 + number) for number in range(10)}
    assert len(pairs) >= (6 if side == 16 else 10)  # at 16 px, JPEG leaves little of the detail
    assert all(found.mirrored == (copy is mirrored))


def test_different_pictures_are_no_near_duplicates():
    assert len(found_among(pictures(300, 16)).first) == 0
    assert len(found_among(pictures(300, 64)).first) == 0


def test_two_images_are_enough_and_none_is_none():
    [original] = pictures(1, 32)
    found = found_among(original[None], original[None])

    assert (found.first.tolist(), found.second.tolist(), found.mirrored.tolist()) == ([0], [1], [False])
    assert found.likeness[0] == pytest.approx(1, abs=1e-3)
    assert len(found_among(np.empty((0, 3, 32, 32), np.uint8)).first) == 0


def test_images_with_next_to_nothing_on_them_are_compared_with_none():
    rng = np.random.default_rng(0)
    white = np.full((30, 3, 32, 32), 255, np.uint8)
    nearly_white = white - rng.integers(0, 4, white.shape, np.uint8)
    specks = white.copy()
    specks[:, :, 3:5, 7:9] = 0

    found = found_among(white, nearly_white, specks, pictures(10, 32))

    assert len(found.first) == 0
    assert found.blank.tolist() == [True] * 90 + [False] * 10


def test_the_same_shape_in_another_colour_and_another_print_on_it_are_no_near_duplicates():
    rng = np.random.default_rng(0)
    shirts = np.full((2, 3, 64, 64), 200, np.uint8)
    shirts[:, :, 12:56, 18:46] = 60
    shirts[:, :, 14:28, 8:56] = 60
    shirts[:, :, 32:46, 24:40] += rng.integers(0, 120, (2, 3, 14, 16), np.uint8)

    assert len(found_among(shirts, pictures(20, 64)).first) == 0


def test_many_copies_are_one_set_though_each_is_compared_with_few():
    [frame] = pictures(1, 16)
    frames = np.concatenate([np.repeat(frame[None], 150, axis=0), pictures(20, 16, seed=1)])

    found = found_among(frames, frames[:30])

    assert len(found.first) < 2 * search.NEAREST * 200
    of_frames = connected(200, found.first, found.second)[[*range(150), *range(170, 200)]]
    assert len(set(of_frames.tolist())) == 1


def test_only_the_rows_that_are_named_are_compared():
    images = pictures(6, 32)
    images[5] = images[0]

    assert find([images], [np.array([0, 5])]).first.tolist() == [0]
    assert find([images], [np.array([0, 1, 2])]).first.tolist() == []
