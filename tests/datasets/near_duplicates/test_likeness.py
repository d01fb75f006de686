"""How alike two images are by their pixels, and whether that can be chance."""

import cv2
import numpy as np
import pytest

from sweep.datasets.near_duplicates.likeness import LIKE, likeness
from tests.datasets.near_duplicates.pictures import encoded_again, pictures

SIDES = (16, 32, 64)


def upright(images):
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1), np.float32)


def noisy(images, amount, seed):
    """The images with so much noise of single pixels, by the spread of their own detail."""
    detail = images - np.stack([cv2.GaussianBlur(each, (0, 0), images.shape[1] / 16) for each in images])
    noise = np.random.default_rng(seed).normal(size=images.shape).astype(np.float32)
    return images + amount * detail.std(axis=(1, 2, 3), keepdims=True) * noise


def specks(side, seed):
    """Things of about one outline, with a pattern of their own, on a white ground."""
    rng = np.random.default_rng(seed)
    found = np.full((40, side, side, 3), 255, np.float32)
    for image in found:
        colour = rng.integers(0, 120, 3).tolist()
        size = tuple((side * rng.uniform(0.1, 0.14, 2)).round().astype(int).tolist())
        cv2.ellipse(image, (side // 2, side // 2), size, 0, 0, 360, colour, -1)
        image += rng.normal(0, 10, image.shape)
    return found


def test_one_likeness_can_be_chance_where_there_are_few_pixels_and_is_none_where_there_are_many():
    found = {}
    for side in SIDES:
        images = upright(pictures(40, side))
        like, is_near = likeness(images, noisy(images, 0.65, seed=1))
        found[side] = is_near[(like > LIKE) & (like < LIKE + 0.05)]
    assert min(map(len, found.values())) > 5
    assert found[16].mean() < 0.5
    assert found[32].all()
    assert found[64].all()


@pytest.mark.parametrize("side", [16, 24])
def test_small_things_of_one_outline_on_an_empty_ground_are_no_near_duplicates_of_each_other(side):
    things = specks(side, seed=0)

    like, is_near = likeness(things[:20], things[20:])

    assert (like > LIKE).any()
    assert not is_near.any()


@pytest.mark.parametrize("side", [32, 64])
def test_an_image_that_was_encoded_again_is_a_near_duplicate_from_32_px_on(side):
    images = pictures(40, side)
    _, is_near = likeness(upright(images), upright(np.stack([encoded_again(image) for image in images])))
    assert is_near.all()
