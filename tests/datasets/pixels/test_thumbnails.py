import numpy as np
import pytest

from sweep.datasets.pixels import thumbnails as module
from sweep.datasets.pixels.thumbnails import thumbnails


def test_small_images_stay_as_they_are():
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 16, 20), dtype=np.uint8)
    np.testing.assert_array_equal(thumbnails(images), images.transpose(0, 2, 3, 1))


def test_large_images_are_averaged_down_in_their_proportions():
    images = np.zeros((2, 3, 128, 64), np.uint8)
    images[:, 0, ::2] = 200
    made = thumbnails(images)
    assert made.shape == (2, 64, 32, 3)
    assert (made[..., 0] == 100).all()
    assert not made[..., 1:].any()


@pytest.mark.parametrize(("count", "side"), [(100, 20), (10_000, 8)])
def test_many_images_are_made_smaller_and_never_too_small_to_see(monkeypatch, count, side):
    monkeypatch.setattr(module, "MOST_BYTES", 3 * 100 * 20**2)
    assert thumbnails(np.zeros((count, 3, 24, 24), np.uint8)).shape == (count, side, side, 3)
