import os

import albumentations as A
import cv2
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from datasets.augment import TRANSFORMS, Shift, compose, per_image
from datasets.batched import batched, unsupported

REFLECT = cv2.BORDER_REFLECT_101


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def photos(n: int, height: int = 16, width: int = 16) -> Tensor:
    """Smooth colour images."""
    coarse = torch.rand(n, 3, 4, 4, generator=generator(1))
    return F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1).mul(255).to(torch.uint8)


def copies(n: int) -> Tensor:
    return photos(1).expand(n, -1, -1, -1).contiguous()


def run_batched(pipeline: A.Compose, images: Tensor, seed: int = 0) -> Tensor:
    change = batched(pipeline)
    assert change is not None
    return change(images, generator(seed))


def test_albumentations_asks_no_package_index():
    assert os.environ["NO_ALBUMENTATIONS_UPDATE"] == "1"


def test_transforms_run_in_the_order_given_with_their_probabilities():
    pipeline = compose({"rotate": 0.7, "cutout": 0.2, "horizontal_flip": 0.5})
    assert [(type(t), t.p) for t in pipeline] == [(A.Rotate, 0.7), (A.Erasing, 0.2), (A.HorizontalFlip, 0.5)]


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown augmentation `flip`; known: horizontal_flip, vertical_flip"):
        compose({"flip": 0.5})


@pytest.mark.parametrize("run", [per_image, run_batched])
def test_the_same_seed_gives_the_same_images_and_another_one_others(run):
    images, pipeline = photos(32), compose(dict.fromkeys(TRANSFORMS, 0.5))
    before = images.clone()
    first = run(pipeline, images, 3)
    assert torch.equal(first, run(pipeline, images, 3))
    assert not torch.equal(first, run(pipeline, images, 4))
    assert torch.equal(images, before)
    assert first.dtype == torch.uint8
    assert first.is_contiguous()


@pytest.mark.parametrize("run", [per_image, run_batched])
def test_an_empty_pipeline_changes_nothing(run):
    assert torch.equal(run(compose({}), photos(4), 0), photos(4))


@pytest.mark.parametrize("run", [per_image, run_batched])
def test_two_flips_fall_independently_of_each_other(run):  # with Compose.set_random_seed they always fall together
    image = photos(1)
    out = run(compose({"horizontal_flip": 0.5, "vertical_flip": 0.5}), copies(1000), 0)
    for flipped in (image, image.flip(3), image.flip(2), image.flip(2, 3)):
        share = (out == flipped).flatten(1).all(1).float().mean().item()
        assert share == pytest.approx(0.25, abs=0.06)


# Nothing left to chance: the largest difference from albumentations, and the largest share of bytes that differ.
EXACT = [
    (A.HorizontalFlip(p=1), 0, 0),
    (A.VerticalFlip(p=1), 0, 0),
    (A.Transpose(p=1), 0, 0),
    *[(A.Rotate(limit=(degrees, degrees), border_mode=REFLECT, p=1), 1, 0.01) for degrees in (-90, -37, 0, 10, 45)],
    (A.GaussNoise(std_range=(0, 0), mean_range=(0.05, 0.05), p=1), 0, 0),
    (A.GaussNoise(std_range=(0, 0), mean_range=(-0.05, -0.05), p=1), 0, 0),
    *[(A.Emboss(alpha=(a, a), strength=(s, s), p=1), 1, 0.02) for a, s in ((0.2, 0.2), (0.5, 0.7), (1, 1))],
    *[  # 9 is one step of cv2's hue, 2 degrees, where its table and a division round to different sides
        (A.HueSaturationValue((h, h), (s, s), (v, v), p=1), 9, 0.02)
        for h, s, v in ((20, 0, 0), (-20, 30, -20), (7.6, -25.5, 13.7), (0, 0, 40))
    ],
]


@pytest.mark.parametrize("size", [(16, 16), (12, 20)], ids=["square", "wide"])
@pytest.mark.parametrize(("transform", "largest", "share"), EXACT, ids=[type(case[0]).__name__ for case in EXACT])
def test_the_batched_form_does_what_albumentations_does(transform, largest, share, size):
    if isinstance(transform, A.Transpose):
        size = (16, 16)
    noise = torch.randint(0, 256, (20, 3, *size), dtype=torch.uint8, generator=generator())
    for images in (noise, photos(20, *size), noise[:, :1].expand(-1, 3, -1, -1).contiguous()):  # the last is grey
        pipeline = A.Compose([transform])
        difference = (run_batched(pipeline, images).int() - per_image(pipeline, images, 0).int()).abs()
        assert difference.max() <= largest
        assert (difference > 0).float().mean() <= share


def cdf_distance(a: Tensor, b: Tensor) -> Tensor:
    """(F,): the Kolmogorov-Smirnov distance of each feature of two samples, (N, F)."""
    a, b = a.T.sort(1).values.contiguous(), b.T.sort(1).values.contiguous()
    both = torch.cat([a, b], 1)
    below = [torch.searchsorted(sample, both, right=True) / sample.shape[1] for sample in (a, b)]
    return (below[0] - below[1]).abs().amax(1)


ALONE_AND_TOGETHER = [*[{name: 0.6} for name in TRANSFORMS], dict.fromkeys(TRANSFORMS, 0.5)]


@pytest.mark.parametrize("probabilities", ALONE_AND_TOGETHER, ids=[*TRANSFORMS, "together"])
def test_every_pixel_and_random_sums_of_pixels_are_distributed_as_albumentations_has_them(probabilities):
    n = 2000
    images, pipeline = copies(n), compose(probabilities)
    sums = torch.randn(768, 30, generator=generator())

    def features(out: Tensor) -> Tensor:
        pixels = out.flatten(1).float()
        pixels[:, 0] = 0  # albumentations leaves it without noise
        return torch.cat([pixels[:, ::16], (pixels @ sums).round(), pixels.std(1, keepdim=True)], 1)

    slow, fast = per_image(pipeline, images, 0), run_batched(pipeline, images)
    # Two samples of 2,000 from one distribution are further apart than this once in a million features.
    assert cdf_distance(features(slow), features(fast)).max() < 0.085
    if len(probabilities) == 1:
        may_change_nothing = {"channel_shuffle": 5 / 6, "shift": 8 / 9}
        expected = 0.6 * may_change_nothing.get(*probabilities, 1)
        for out in (slow, fast):
            assert (out != images).flatten(1).any(1).float().mean().item() == pytest.approx(expected, abs=0.05)


def test_noise_has_a_variance_of_10_to_50_and_no_mean():
    grey = torch.full((2000, 3, 16, 16), 128, dtype=torch.uint8)
    noise = run_batched(compose({"gauss_noise": 1}), grey).float() - 128
    std = noise.flatten(1).std(1)
    assert noise.mean().item() == pytest.approx(0, abs=0.05)
    # 0.4 to 0.6 under the root, because fractions are cut.
    assert 2.4 < std.min() < 2.9
    assert 6.3 < std.max() < 7.1
    assert std.mean().item() == pytest.approx((10**0.5 + 50**0.5) / 2 - 0.5, abs=0.15)


def test_the_six_orders_of_the_channels_are_equally_frequent():
    image = torch.tensor([1, 2, 4], dtype=torch.uint8).view(1, 3, 1, 1).expand(3000, -1, 2, 2)
    out = run_batched(compose({"channel_shuffle": 1}), image)
    orders, counts = out[:, :, 0, 0].unique(dim=0, return_counts=True)
    assert len(orders) == 6
    assert counts.min() > 400
    assert counts.max() < 600


def test_cutout_fills_one_grey_square_of_a_quarter_to_a_half_of_the_side():
    out = run_batched(compose({"cutout": 1}), torch.zeros(500, 3, 16, 16, dtype=torch.uint8))
    filled = (out == 128).all(1)
    rows, columns = filled.any(2).sum(1), filled.any(1).sum(1)
    assert torch.equal(out.any(1), filled)
    assert torch.equal(filled.flatten(1).sum(1), rows * columns)
    assert torch.equal(rows, columns)
    assert rows.unique().tolist() == [4, 5, 6, 7, 8]
    assert filled.any(0).all()  # it reaches every corner


@pytest.mark.parametrize("run", [per_image, run_batched])
@pytest.mark.parametrize(("side", "limit"), [(8, 1), (16, 1), (31, 1), (48, 3)])
def test_a_shift_is_a_sixteenth_of_the_side_in_whole_pixels_and_at_least_one(run, side, limit):
    image = photos(1, side, side)
    padded = F.pad(image.float(), (limit,) * 4, mode="reflect").to(torch.uint8)
    out = run(A.Compose([Shift(p=1)]), image.expand(600, -1, -1, -1).contiguous(), 0)
    places = [(y, x) for y in range(2 * limit + 1) for x in range(2 * limit + 1)]
    counts = [(out == padded[:, :, y : y + side, x : x + side]).flatten(1).all(1).sum().item() for y, x in places]
    assert sum(counts) == 600
    assert min(counts) > 0


@pytest.mark.parametrize(
    ("pipeline", "name"),
    [
        (A.Compose([A.HorizontalFlip(), A.Perspective()]), "Perspective("),
        (A.Compose([A.OneOf([A.HorizontalFlip(), A.VerticalFlip()])]), "OneOf("),
        (A.Compose([A.Rotate(border_mode=cv2.BORDER_CONSTANT)]), "Rotate("),
        (A.Compose([A.Rotate(border_mode=REFLECT, crop_border=True)]), "Rotate("),
        (A.Compose([A.GaussNoise(per_channel=False)]), "GaussNoise("),
        (A.Compose([A.Erasing(fill="random")]), "Erasing("),
        (A.Compose([A.HorizontalFlip()], p=0.5), "Compose(p=0.5)"),
    ],
    ids=lambda value: value.strip("(") if isinstance(value, str) else "",
)
def test_what_has_no_batched_form_is_named(pipeline, name):
    assert batched(pipeline) is None
    assert [found.startswith(name) for found in unsupported(pipeline)] == [True]


def test_everything_a_config_can_ask_for_has_a_batched_form():
    assert unsupported(compose(dict.fromkeys(TRANSFORMS, 0.5))) == []


def test_images_that_cannot_be_augmented_are_refused():
    with pytest.raises(ValueError, match=r"images must be uint8, got torch\.float32"):
        run_batched(compose({}), photos(1).float())
    with pytest.raises(ValueError, match="transpose needs square images, got 12x20"):
        run_batched(compose({"transpose": 1}), photos(1, 12, 20))
