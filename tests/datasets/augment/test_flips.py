import albumentations as A
import pytest

from sweep.datasets.augment.pipeline import compose
from tests.datasets.augment.images import assert_as_albumentations, copies, on_all_three, photos


@pytest.mark.parametrize("size", [(16, 16), (12, 20)], ids=["square", "wide"])
@pytest.mark.parametrize("transform", [A.HorizontalFlip(p=1), A.VerticalFlip(p=1), A.Transpose(p=1)], ids=str)
def test_a_flip_is_that_of_albumentations(transform, size):
    assert_as_albumentations(transform, 0, 0, *(size if not isinstance(transform, A.Transpose) else (16, 16)))


@on_all_three
def test_two_flips_fall_independently_of_each_other(run):  # with Compose.set_random_seed they always fall together
    image = photos(1)
    out = run(compose({"horizontal_flip": 0.5, "vertical_flip": 0.5}), copies(1000), 0)
    for flipped in (image, image.flip(3), image.flip(2), image.flip(2, 3)):
        share = (out == flipped).flatten(1).all(1).float().mean().item()
        assert share == pytest.approx(0.25, abs=0.06)
