import albumentations as A
import pytest
import torch
import torch.nn.functional as F

from sweep.datasets.augment.pipeline import compose
from sweep.datasets.augment.shift import Shift
from tests.datasets.augment.images import chi_square, on_all_three, on_both, photos


@on_both
def test_the_nine_shifts_by_up_to_a_pixel_are_equally_frequent(run):
    images = torch.zeros(10_000, 3, 16, 16, dtype=torch.uint8)
    images[:, :, 8, 8] = 255
    places = run(compose({"shift": 1}), images)[:, 0].flatten(1).int().argmax(1)
    counts = places.bincount(minlength=256).view(16, 16)[7:10, 7:10].flatten()
    assert counts.sum() == 10_000
    assert chi_square(counts, torch.ones(9)) < 1


@on_all_three
@pytest.mark.parametrize(("side", "limit"), [(8, 1), (16, 1), (31, 1), (48, 3)])
def test_a_shift_is_a_sixteenth_of_the_side_in_whole_pixels_and_at_least_one(run, side, limit):
    image = photos(1, side, side)
    padded = F.pad(image.float(), (limit,) * 4, mode="reflect").to(torch.uint8)
    out = run(A.Compose([Shift(p=1)]), image.expand(600, -1, -1, -1).contiguous(), 0)
    places = [(y, x) for y in range(2 * limit + 1) for x in range(2 * limit + 1)]
    counts = [(out == padded[:, :, y : y + side, x : x + side]).flatten(1).all(1).sum().item() for y, x in places]
    assert sum(counts) == 600
    assert min(counts) > 0
