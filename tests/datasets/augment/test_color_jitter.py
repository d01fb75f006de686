import albumentations as A
import pytest
import torch

from sweep.datasets.augment.pipeline import compose
from tests.datasets.augment.images import assert_as_albumentations, on_both

NONE = {"brightness": (1, 1), "contrast": (1, 1), "saturation": (1, 1), "hue": (0, 0)}


@pytest.mark.parametrize("size", [(16, 16), (12, 20)], ids=["square", "wide"])
@pytest.mark.parametrize(
    "change",
    [
        {"brightness": (0.6, 0.6)},
        {"brightness": (1.7, 1.7)},
        {"contrast": (0.5, 0.5)},
        {"contrast": (1.6, 1.6)},
        {"saturation": (0.4, 0.4)},
        {"saturation": (2.1, 2.1)},
        {"hue": (0.1, 0.1)},
        {"hue": (-0.33, -0.33)},
        {},
    ],
    ids=str,
)
def test_each_of_its_changes_is_as_in_albumentations(change, size):
    assert_as_albumentations(A.ColorJitter(**NONE | change, p=1), 1, 0.06, *size)


@on_both
def test_the_brightness_and_the_contrast_come_in_either_order(run):
    images = torch.full((4000, 3, 2, 2), 150, dtype=torch.uint8)
    images[:, :, 0] = 50
    jitter = A.ColorJitter(brightness=(2, 2), contrast=(0, 0), saturation=(1, 1), hue=(0, 0), p=1)

    levels = run(A.Compose([jitter]), images)[:, 0, 0, 0].long()

    # Twice the mean of 100, or the mean of 100 and 255: twice 50, and twice 150 cut off.
    found, counts = levels.unique(return_counts=True)
    assert found.tolist() == [177, 200]
    assert abs(counts[0].item() - 2000) < 4 * 1000**0.5


@on_both
def test_grey_stays_grey(run):
    grey = torch.full((1000, 3, 4, 4), 128, dtype=torch.uint8)
    changed = run(compose({"color_jitter": 1}), grey)
    assert torch.equal(changed, changed[:, :1].expand(-1, 3, -1, -1))
