"""Each operation of TrivialAugment, beside PIL's where PIL has it."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from sweep.datasets.augment.pipeline import compose
from sweep.datasets.augment.trivial_augment import (
    FILL,
    MOST_FACTOR,
    OPERATIONS,
    apply_by_group,
    apply_to_all,
)
from tests.datasets.augment.images import noise, photos, run_batched


def changed(images, name, strength):
    count = len(images)
    operation = torch.full((count,), OPERATIONS.index(name))
    return apply_by_group(images, operation, torch.full((count,), float(strength)))


def by_pil(images, change):
    pictures = (Image.fromarray(image.permute(1, 2, 0).numpy()) for image in images)
    return torch.stack([torch.from_numpy(np.array(change(picture))).permute(2, 0, 1) for picture in pictures])


IN_PIL = [
    ("posterize", 0.5, lambda picture: ImageOps.posterize(picture, 5)),
    ("posterize", 1.0, lambda picture: ImageOps.posterize(picture, 2)),
    ("solarize", 0.25, lambda picture: ImageOps.solarize(picture, 192)),
    ("autocontrast", 0.3, ImageOps.autocontrast),
    ("equalize", 0.3, ImageOps.equalize),
    ("brightness", -0.5, lambda picture: ImageEnhance.Brightness(picture).enhance(1 - MOST_FACTOR / 2)),
    ("brightness", 1.0, lambda picture: ImageEnhance.Brightness(picture).enhance(1 + MOST_FACTOR)),
    ("contrast", -1.0, lambda picture: ImageEnhance.Contrast(picture).enhance(1 - MOST_FACTOR)),
    ("contrast", 0.5, lambda picture: ImageEnhance.Contrast(picture).enhance(1 + MOST_FACTOR / 2)),
    ("colour", -1.0, lambda picture: ImageEnhance.Color(picture).enhance(1 - MOST_FACTOR)),
    ("colour", 0.5, lambda picture: ImageEnhance.Color(picture).enhance(1 + MOST_FACTOR / 2)),
    ("sharpness", -1.0, lambda picture: ImageEnhance.Sharpness(picture).enhance(1 - MOST_FACTOR)),
    ("sharpness", 1.0, lambda picture: ImageEnhance.Sharpness(picture).enhance(1 + MOST_FACTOR)),
]


@pytest.mark.parametrize(("name", "strength", "change"), IN_PIL, ids=lambda value: "" if callable(value) else value)
@pytest.mark.parametrize("images", [photos(12, 20, 24), noise(6, 20, 24)], ids=["photos", "noise"])
def test_an_operation_on_colours_is_that_of_pil(images, name, strength, change):
    difference = (changed(images, name, strength).int() - by_pil(images, change).int()).abs()

    assert difference.max() <= 2  # PIL cuts fractions, here they are rounded


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "equalize"])
def test_without_strength_an_operation_leaves_an_image_as_it_is(name):
    images = noise(4, 12, 20)
    images[:, :, 0, 0], images[:, :, 0, 1] = 0, 255

    assert torch.equal(changed(images, name, 0.0), images)


@pytest.mark.parametrize(
    ("name", "strength", "moved"),
    [
        ("shift_x", 1.0, lambda image: torch.nn.functional.pad(image[:, :, 2:], (0, 2), value=FILL)),
        ("shift_y", -1.0, lambda image: torch.nn.functional.pad(image[:, :-2, :], (0, 0, 2, 0), value=FILL)),
        ("rotate", 2 / 3, lambda image: image.rot90(-1, (1, 2))),
        ("rotate", -2 / 3, lambda image: image.rot90(1, (1, 2))),
    ],
    ids=["left", "down", "a quarter turn", "a quarter turn back"],
)
def test_a_picture_is_moved_by_shares_of_its_side_and_turned(name, strength, moved):
    images = noise(4, 15, 15)  # 32 of 224 are 2 of 14, the distance of the outermost pixels

    assert torch.equal(changed(images, name, strength), torch.stack([moved(image) for image in images]))


def test_a_shear_leaves_the_middle_row_where_it_is_and_fills_with_grey():
    images = noise(3, 15, 15)

    sheared = changed(images, "shear_x", 1.0)

    assert torch.equal(sheared[:, :, 7], images[:, :, 7])
    assert not torch.equal(sheared[:, :, 0], images[:, :, 0])
    assert (sheared[:, :, 0, :3] == FILL).all() or (sheared[:, :, 0, -3:] == FILL).all()


def test_all_groups_on_all_images_change_each_as_its_own_group_alone():
    images, count = noise(600, 9, 13), 600
    operation = torch.arange(count) % len(OPERATIONS)
    strength = torch.linspace(-1, 1, count)

    assert torch.equal(apply_to_all(images, operation, strength), apply_by_group(images, operation, strength))


def test_every_operation_falls():
    images = photos(1, 16, 16).expand(2000, -1, -1, -1)

    out = run_batched(compose({"trivial_augment": 1.0}), images)

    kinds = out.flatten(1).unique(dim=0)
    assert len(kinds) > 10 * 30  # most of the pairs of an operation and a strength are another image


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 5)])
def test_the_smallest_images_keep_their_shape(size):
    images = noise(200, *size)

    assert run_batched(compose({"trivial_augment": 1.0}), images).shape == images.shape
