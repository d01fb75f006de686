import albumentations as A
import cv2
import pytest
import torch
from torch import Tensor

from sweep.datasets.augment.pipeline import compose
from tests.datasets.augment.images import assert_as_albumentations, chi_square, on_both

REFLECT = cv2.BORDER_REFLECT_101


@pytest.mark.parametrize("size", [(16, 16), (12, 20)], ids=["square", "wide"])
@pytest.mark.parametrize("degrees", [-90, -37, 0, 10, 45])
def test_an_angle_turns_as_albumentations_does(degrees, size):
    rotate = A.Rotate(limit=(degrees, degrees), border_mode=REFLECT, p=1)
    assert_as_albumentations(rotate, 1, 0.01, *size)


def angles(images: Tensor) -> Tensor:
    """(N,): where the one bright spot in each image is, in degrees anticlockwise from the right."""
    side = images.shape[2]
    place = torch.arange(side) - (side - 1) / 2
    weight = images[:, 0].float()
    return torch.atan2(-(weight.sum(2) * place).sum(1), (weight.sum(1) * place).sum(1)).rad2deg()


@on_both
def test_the_angles_of_rotation_are_uniform_up_to_90_degrees_both_ways(run):
    place = torch.arange(21.0) - 10
    spot = 255 * (-((place - 3) ** 2 + place[:, None] ** 2) / 2).exp()  # so far inside that no mirror image comes in
    images = spot.to(torch.uint8).expand(10_000, 3, -1, -1)
    by_37 = A.Compose([A.Rotate(limit=(37, 37), border_mode=REFLECT, p=1)])
    assert angles(run(by_37, images[:1])).item() == pytest.approx(37, abs=0.3)
    drawn = angles(run(compose({"rotate": 1}), images))
    assert drawn.abs().max() < 91
    assert chi_square(torch.histc(drawn.clamp(-90, 90), 36, -90, 90), torch.ones(36)) < 1
