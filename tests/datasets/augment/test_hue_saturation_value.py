import itertools

import albumentations as A
import pytest
import torch

from sweep.datasets.augment.pipeline import compose, per_image
from tests.datasets.augment.images import assert_as_albumentations, chi_square, generator, on_both, run_batched

HSV_SHIFTS = (
    (20, 0, 0),
    (-20, 30, -20),
    (7.6, -25.5, 13.7),
    (0, 0, 40),
    (-0.5, 0.9, -0.9),
    (0, 0, 0),
    (179.5, -200, 90),
)


@pytest.mark.parametrize("size", [(16, 16), (12, 20)], ids=["square", "wide"])
@pytest.mark.parametrize("shifts", HSV_SHIFTS)
def test_a_shift_is_as_in_albumentations(shifts, size):
    shift = A.HueSaturationValue(*((shift, shift) for shift in shifts), p=1)
    assert_as_albumentations(shift, 1, 0.02, *size)


@pytest.mark.parametrize("shifts", HSV_SHIFTS)
def test_no_colour_comes_out_more_than_one_level_from_what_opencv_makes_of_it(shifts):
    extremes = torch.tensor(list(itertools.product([0, 1, 2, 127, 128, 253, 254, 255], repeat=3)), dtype=torch.uint8)
    any_colour = torch.randint(0, 256, (49_920, 3), generator=generator())
    nearly_grey = (any_colour[:, :1] + torch.randint(-3, 4, (49_920, 3), generator=generator())).clamp(0, 255)
    colours = torch.cat([extremes, any_colour.to(torch.uint8), nearly_grey.to(torch.uint8)]).T.reshape(1, 3, 256, -1)
    pipeline = A.Compose([A.HueSaturationValue(*((shift, shift) for shift in shifts), p=1)])
    # One level, because cv2 rounds the last pixels of a row, and cuts the fractions of those before them.
    assert (run_batched(pipeline, colours).int() - per_image(pipeline, colours, 0).int()).abs().max() <= 1


@on_both
def test_the_shifts_of_the_value_are_uniform_up_to_20_both_ways(run):
    grey = torch.full((10_000, 3, 2, 2), 128, dtype=torch.uint8)
    shift = run(compose({"hue_saturation_value": 1}), grey)[:, 0, 0, 0].long() - 128
    shares = torch.ones(39)
    shares[19] = 2  # -1 to 1 becomes 0
    assert chi_square((shift + 19).bincount(minlength=39), shares) < 1
