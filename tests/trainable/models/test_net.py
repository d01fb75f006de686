import pytest
import torch
from torch.nn import functional as F
from torchvision.transforms.functional import center_crop

from sweep.trainable.models.family import Preprocessing
from sweep.trainable.models.net import Normalize

PIXELS = torch.randint(0, 256, (2, 3, 40, 33), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def plain(interpolation: str, size: tuple[int, int]) -> Normalize:
    """A layer that resizes alone."""
    zero, one = (0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)
    return Normalize(Preprocessing(zero, one, interpolation), (40, 33), size)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(128, 128), (24, 24), (56, 16)], ids=str)
def test_images_are_resized_as_torch_does_it_without_aliasing(interpolation, size):
    resized = plain(interpolation, size)(PIXELS)

    expected = F.interpolate(PIXELS.float(), size, mode=interpolation, antialias=True).clamp(0, 255)
    torch.testing.assert_close(resized, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("side", [35, 40, 224])
def test_the_middle_is_seen_as_weights_are_judged(side):
    images = torch.rand(2, 3, 40, 40) * 255
    about = Preprocessing((0.0,) * 3, (1 / 255,) * 3, "bicubic", crop=0.875)

    seen = Normalize(about, (40, 40), (side, side))(images)

    longer = F.interpolate(images, (round(side / 0.875),) * 2, mode="bicubic", antialias=True).clamp(0, 255)
    torch.testing.assert_close(seen, center_crop(longer, [side, side]), rtol=0, atol=1e-3)


def test_images_are_resized_in_float32_where_the_net_computes_in_bf16():
    layer = plain("bicubic", (64, 64))

    with torch.autocast("cpu", torch.bfloat16):
        resized = layer(PIXELS)

    assert torch.equal(resized, layer(PIXELS))


def test_how_images_are_resized_is_in_no_state_dict():
    assert plain("bicubic", (64, 64)).state_dict().keys() == plain("bicubic", (40, 33)).state_dict().keys()


def test_images_of_the_right_size_stay_as_they_are():
    assert torch.equal(plain("bicubic", (40, 33))(PIXELS), PIXELS.float() / torch.tensor(255 * (1 / 255)))


@pytest.mark.parametrize(
    ("input_size", "fixed", "expected"),
    [(None, False, (40, 33)), (96, False, (96, 96)), (None, True, (224, 224)), (96, True, (96, 96))],
)
def test_a_net_sees_images_as_they_are_kept_or_at_the_configs_size_or_at_its_own(input_size, fixed, expected):
    class Config:
        pass

    config = Config()
    config.input_size = input_size

    assert Preprocessing((0, 0, 0), (1, 1, 1), size=224, fixed=fixed).input_size(config, (40, 33)) == expected
