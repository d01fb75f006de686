import itertools
import json
import math
import os

import albumentations as A
import cv2
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from datasets.augment.batched import batched, take, unsupported
from datasets.augment.pipeline import TRANSFORMS, Shift, compose, from_text, per_image, to_text

REFLECT = cv2.BORDER_REFLECT_101
ALL = dict.fromkeys(TRANSFORMS, 0.5)


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


def run_on_all(pipeline: A.Compose, images: Tensor, seed: int = 0) -> Tensor:
    """As on a GPU, and on one where there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    change = batched(pipeline, on_all=True)
    assert change is not None
    return change(images.to(device), torch.Generator(device).manual_seed(seed)).cpu()


def noise(n: int, height: int = 16, width: int = 16) -> Tensor:
    return torch.randint(0, 256, (n, 3, height, width), dtype=torch.uint8, generator=generator())


def test_albumentations_asks_no_package_index():
    assert os.environ["NO_ALBUMENTATIONS_UPDATE"] == "1"


def test_transforms_run_in_the_order_given_with_their_probabilities():
    pipeline = compose({"rotate": 0.7, "cutout": 0.2, "horizontal_flip": 0.5})
    assert [(type(t), t.p) for t in pipeline] == [(A.Rotate, 0.7), (A.Erasing, 0.2), (A.HorizontalFlip, 0.5)]


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown augmentation `flip`; known: horizontal_flip, vertical_flip"):
        compose({"flip": 0.5})


@pytest.mark.parametrize("run", [per_image, run_batched, run_on_all])
def test_the_same_seed_gives_the_same_images_and_another_one_others(run):
    images, pipeline = photos(32), compose(ALL)
    before = images.clone()
    first = run(pipeline, images, 3)
    assert torch.equal(first, run(pipeline, images, 3))
    assert not torch.equal(first, run(pipeline, images, 4))
    assert torch.equal(images, before)
    assert first.dtype == torch.uint8
    assert first.is_contiguous()


@pytest.mark.parametrize("run", [per_image, run_batched, run_on_all])
def test_an_empty_pipeline_changes_nothing(run):
    assert torch.equal(run(compose({}), photos(4), 0), photos(4))


@pytest.mark.parametrize("run", [per_image, run_batched, run_on_all])
def test_two_flips_fall_independently_of_each_other(run):  # with Compose.set_random_seed they always fall together
    image = photos(1)
    out = run(compose({"horizontal_flip": 0.5, "vertical_flip": 0.5}), copies(1000), 0)
    for flipped in (image, image.flip(3), image.flip(2), image.flip(2, 3)):
        share = (out == flipped).flatten(1).all(1).float().mean().item()
        assert share == pytest.approx(0.25, abs=0.06)


HSV_SHIFTS = (
    (20, 0, 0),
    (-20, 30, -20),
    (7.6, -25.5, 13.7),
    (0, 0, 40),
    (-0.5, 0.9, -0.9),
    (0, 0, 0),
    (179.5, -200, 90),
)
# Nothing left to chance: the largest difference from albumentations, and the largest share of bytes that differ.
EXACT = [
    (A.HorizontalFlip(p=1), 0, 0),
    (A.VerticalFlip(p=1), 0, 0),
    (A.Transpose(p=1), 0, 0),
    *[(A.Rotate(limit=(degrees, degrees), border_mode=REFLECT, p=1), 1, 0.01) for degrees in (-90, -37, 0, 10, 45)],
    (A.GaussNoise(std_range=(0, 0), mean_range=(0.05, 0.05), p=1), 0, 0),
    (A.GaussNoise(std_range=(0, 0), mean_range=(-0.05, -0.05), p=1), 0, 0),
    *[(A.Emboss(alpha=(a, a), strength=(s, s), p=1), 1, 0.02) for a, s in ((0.2, 0.2), (0.5, 0.7), (1, 1))],
    *[(A.HueSaturationValue(*((shift, shift) for shift in shifts), p=1), 1, 0.02) for shifts in HSV_SHIFTS],
]


@pytest.mark.parametrize("size", [(16, 16), (12, 20)], ids=["square", "wide"])
@pytest.mark.parametrize(("transform", "largest", "share"), EXACT, ids=[type(case[0]).__name__ for case in EXACT])
def test_the_batched_form_does_what_albumentations_does(transform, largest, share, size):
    if isinstance(transform, A.Transpose):
        size = (16, 16)
    grey = noise(20, *size)[:, :1].expand(-1, 3, -1, -1).contiguous()
    for run, images in itertools.product((run_batched, run_on_all), (noise(20, *size), photos(20, *size), grey)):
        pipeline = A.Compose([transform])
        difference = (run(pipeline, images).int() - per_image(pipeline, images, 0).int()).abs()
        assert difference.max() <= largest
        assert (difference > 0).float().mean() <= share


@pytest.mark.parametrize("shifts", HSV_SHIFTS)
def test_no_colour_comes_out_more_than_one_level_from_what_opencv_makes_of_it(shifts):
    extremes = torch.tensor(list(itertools.product([0, 1, 2, 127, 128, 253, 254, 255], repeat=3)), dtype=torch.uint8)
    any_colour = torch.randint(0, 256, (49_920, 3), generator=generator())
    nearly_grey = (any_colour[:, :1] + torch.randint(-3, 4, (49_920, 3), generator=generator())).clamp(0, 255)
    colours = torch.cat([extremes, any_colour.to(torch.uint8), nearly_grey.to(torch.uint8)]).T.reshape(1, 3, 256, -1)
    pipeline = A.Compose([A.HueSaturationValue(*((shift, shift) for shift in shifts), p=1)])
    # One level, because cv2 rounds the last pixels of a row, and cuts the fractions of those before them.
    assert (run_batched(pipeline, colours).int() - per_image(pipeline, colours, 0).int()).abs().max() <= 1


def cdf_distance(a: Tensor, b: Tensor) -> Tensor:
    """(F,): the Kolmogorov-Smirnov distance of each feature of two samples, (N, F)."""
    a, b = a.T.sort(1).values.contiguous(), b.T.sort(1).values.contiguous()
    both = torch.cat([a, b], 1)
    below = [torch.searchsorted(sample, both, right=True) / sample.shape[1] for sample in (a, b)]
    return (below[0] - below[1]).abs().amax(1)


ALONE_AND_TOGETHER = [*[{name: 0.6} for name in TRANSFORMS], ALL]


@pytest.mark.parametrize("probabilities", ALONE_AND_TOGETHER, ids=[*TRANSFORMS, "together"])
def test_every_pixel_and_random_sums_of_pixels_are_distributed_as_albumentations_has_them(probabilities):
    n = 2000
    images, pipeline = copies(n), compose(probabilities)
    sums = torch.randn(768, 30, generator=generator())

    def features(out: Tensor) -> Tensor:
        pixels = out.flatten(1).float()
        pixels[:, 0] = 0  # albumentations leaves it without noise
        return torch.cat([pixels[:, ::16], (pixels @ sums).round(), pixels.std(1, keepdim=True)], 1)

    slow = features(per_image(pipeline, images, 0))
    for run in (run_batched, run_on_all):
        # Two samples of 2,000 from one distribution are further apart than this once in a million features.
        assert cdf_distance(slow, features(run(pipeline, images))).max() < 0.085


def chi_square(counts: Tensor, shares: Tensor) -> float:
    """How far the counts are from the shares: over 1 once in 1,000 times if those are the probabilities."""
    expected = counts.sum() * shares.double() / shares.sum()
    freedom = len(counts) - 1
    limit = freedom * (1 - 2 / (9 * freedom) + 3.09 * math.sqrt(2 / (9 * freedom))) ** 3  # Wilson and Hilferty, 1931
    return (((counts - expected) ** 2 / expected).sum() / limit).item()


on_both = pytest.mark.parametrize("run", [run_batched, run_on_all])


@on_both
@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_falls_as_often_as_its_probability_says(run, name):
    images = noise(1, 8, 8).expand(10_000, -1, -1, -1)
    changed = (run(compose({name: 0.7}), images) != images).flatten(1).any(1)
    share = 0.7 * {"channel_shuffle": 5 / 6, "shift": 8 / 9}.get(name, 1)  # these two may leave all in its place
    assert chi_square(changed.long().bincount(minlength=2), torch.tensor([1 - share, share])) < 1


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


@on_both
def test_the_nine_shifts_by_up_to_a_pixel_are_equally_frequent(run):
    images = torch.zeros(10_000, 3, 16, 16, dtype=torch.uint8)
    images[:, :, 8, 8] = 255
    places = run(compose({"shift": 1}), images)[:, 0].flatten(1).int().argmax(1)
    counts = places.bincount(minlength=256).view(16, 16)[7:10, 7:10].flatten()
    assert counts.sum() == 10_000
    assert chi_square(counts, torch.ones(9)) < 1


@on_both
def test_the_six_orders_of_the_channels_are_equally_frequent(run):
    image = torch.tensor([1, 2, 4], dtype=torch.uint8).view(1, 3, 1, 1).expand(10_000, -1, 2, 2)
    orders, counts = run(compose({"channel_shuffle": 1}), image)[:, :, 0, 0].unique(dim=0, return_counts=True)
    assert len(orders) == 6
    assert chi_square(counts, torch.ones(6)) < 1


@on_both
def test_cutout_is_a_square_of_a_sixteenth_to_a_quarter_of_the_area_anywhere(run):
    out = run(compose({"cutout": 1}), torch.zeros(10_000, 3, 16, 16, dtype=torch.uint8))
    filled = (out == 128).all(1)
    rows, columns = filled.any(2), filled.any(1)
    side = rows.sum(1)
    assert torch.equal(out.any(1), filled)
    assert torch.equal(columns.sum(1), side)
    assert torch.equal(filled.flatten(1).sum(1), side**2)
    # A side of k is what the roots from k - 1/2 to k + 1/2 are rounded to; the area is uniform from 16 to 64.
    edges = torch.tensor([4, 4.5, 5.5, 6.5, 7.5, 8]) ** 2
    shares = torch.zeros(9, 16)
    for k, share in zip(range(4, 9), edges.diff(), strict=True):
        shares[k, : 17 - k] = share / (17 - k)
    for inside in (rows, columns):
        counts = (side * 16 + inside.int().argmax(1)).bincount(minlength=144)
        assert counts[shares.flatten() == 0].sum() == 0
        assert chi_square(counts[shares.flatten() > 0], shares[shares > 0]) < 1


@on_both
def test_noise_is_normal(run):
    grey = torch.full((14, 3, 16, 16), 128, dtype=torch.uint8)  # 10,752 draws
    drawn = run(A.Compose([A.GaussNoise(std_range=(10 / 255, 10 / 255), p=1)]), grey).flatten().int() - 128
    # -k to -k - 1 becomes -k: what comes out as 0 is twice as wide as the rest.
    edges = torch.cat([torch.tensor([-1e9]), torch.arange(-24, 0), torch.arange(1, 25), torch.tensor([1e9])]) / 10
    shares = torch.special.ndtr(edges.double()).diff()
    assert chi_square((drawn.clamp(-24, 24) + 24).bincount(minlength=49), shares) < 1


@on_both
def test_the_shifts_of_the_value_are_uniform_up_to_20_both_ways(run):
    grey = torch.full((10_000, 3, 2, 2), 128, dtype=torch.uint8)
    shift = run(compose({"hue_saturation_value": 1}), grey)[:, 0, 0, 0].long() - 128
    shares = torch.ones(39)
    shares[19] = 2  # -1 to 1 becomes 0
    assert chi_square((shift + 19).bincount(minlength=39), shares) < 1


def test_noise_has_a_variance_of_10_to_50_and_no_mean():
    grey = torch.full((2000, 3, 16, 16), 128, dtype=torch.uint8)
    noise = run_batched(compose({"gauss_noise": 1}), grey).float() - 128
    std = noise.flatten(1).std(1)
    assert noise.mean().item() == pytest.approx(0, abs=0.05)
    # 0.4 to 0.6 under the root, because fractions are cut.
    assert 2.4 < std.min() < 2.9
    assert 6.3 < std.max() < 7.1
    assert std.mean().item() == pytest.approx((10**0.5 + 50**0.5) / 2 - 0.5, abs=0.15)


@pytest.mark.parametrize("run", [per_image, run_batched, run_on_all])
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
    assert unsupported(compose(ALL)) == []


def test_images_that_cannot_be_augmented_are_refused():
    with pytest.raises(ValueError, match=r"images must be uint8, got torch\.float32"):
        run_batched(compose({}), photos(1).float())
    with pytest.raises(ValueError, match="transpose needs square images, got 12x20"):
        run_batched(compose({"transpose": 1}), photos(1, 12, 20))


def test_on_all_images_nothing_waits_for_a_gpu(monkeypatch):
    def refuse(*_):
        raise AssertionError("the host would wait for the GPU")

    for name in ("nonzero", "item", "tolist", "__bool__", "__int__", "__float__", "__index__"):
        monkeypatch.setattr(torch.Tensor, name, refuse)
    monkeypatch.setattr(torch, "tensor", refuse)  # a copy from the host
    images = noise(20)
    assert run_on_all(compose(ALL), images).shape == images.shape
    with pytest.raises(AssertionError, match="would wait"):
        run_batched(compose(ALL), images)


@pytest.mark.parametrize("size", [(16, 16), (2, 2), (2, 1), (5, 5)], ids=["8", "4", "2", "1"])  # the widest integer
def test_images_are_taken_as_by_indexing(size):
    images = noise(20, *size)[1:]
    index = torch.tensor([3, 0, 18, 3])
    assert torch.equal(take(images, index), images[index])
    assert take(images, index[:0]).shape == (0, 3, *size)
    pipeline = compose({"channel_shuffle": 0.5})
    assert set(map(bytes, run_batched(pipeline, images).sort(1)[0].numpy())) == set(
        map(bytes, images.sort(1)[0].numpy())
    )


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (A.Resize(8, 12), r"must leave images \(16, 16, 3\) uint8, height x width x 3; got \(8, 12, 3\) uint8"),
        (A.ToFloat(), r"got \(16, 16, 3\) float32"),
    ],
)
def test_a_pipeline_that_changes_size_or_type_of_the_images_is_refused(transform, message):
    with pytest.raises(ValueError, match=message):
        per_image(A.Compose([transform]), photos(2), 0)


WRITTEN = [
    compose(ALL),
    A.Compose([A.OneOf([A.Blur(p=0.3), A.SafeRotate(limit=20), A.Affine(scale=(0.8, 1))], p=0.9), Shift(p=0.4)], p=0.7),
]


@pytest.mark.parametrize("pipeline", WRITTEN, ids=["batched", "per image"])
def test_a_pipeline_read_back_from_its_text_does_the_same(pipeline):
    text = to_text(pipeline)
    read = from_text(text)
    assert to_text(read) == text
    assert "\n" not in text
    assert A.__version__ not in text
    assert str(read) == str(from_text(json.dumps(A.to_dict(pipeline), indent=2)))  # what A.save writes
    assert (batched(read) is None) == (batched(pipeline) is None)
    assert torch.equal(per_image(read, photos(20), 0), per_image(pipeline, photos(20), 0))
    if batched(pipeline):
        assert torch.equal(run_batched(read, photos(20)), run_batched(pipeline, photos(20)))


def one(name: str, /, **arguments: object) -> str:
    transforms = [{"__class_fullname__": name, **arguments}]
    return json.dumps({"transform": {"__class_fullname__": "Compose", "transforms": transforms}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the pipeline is not JSON: "),
        ("[" * 100_000, "the pipeline is nested too deeply"),
        ("[1]", r"a transform must be an object with `__class_fullname__`, got \[1\]"),
        ('{"transform": {"__class_fullname__": "HorizontalFlip"}}', "the outermost transform must be Compose, got Hor"),
        (one("Flop"), "unknown transform `Flop`: it must be datasets.augment.pipeline.Shift or one of albumentations"),
        (one("os.system"), "unknown transform `os.system`"),
        (one("cv2"), "unknown transform `cv2`"),
        (one("Lambda", name="f"), "unknown transform `Lambda`"),
        (one("ImageOnlyTransform"), "unknown transform `ImageOnlyTransform`"),
        (one("Rotate", limits=10), "Rotate has no argument `limits`; it has: limit, interpolation"),
        (one("Rotate", limit="far"), "Rotate: .*valid number"),
        (one("GaussNoise", std_range=[0.1, 7]), "GaussNoise: .*std_range"),
        (one("Resize", height=8), "Resize: .*width Field required"),
        (one("Rotate", p=1.5), "Rotate: `0 <= p <= 1` must hold, got p=1.5"),
        (one("Rotate", p=float("nan")), "NaN is no number"),
        (one("OneOf", transforms=3), "OneOf: `transforms` must be a list, got 3"),
        (
            one("datasets.augment.pipeline.Shift", fraction=1),
            "datasets.augment.pipeline.Shift: `0 <= fraction < 1` must hold, got fract",
        ),
    ],
    ids=lambda value: value[:12] if value[0] not in "[{" else "",
)
def test_a_text_that_is_no_pipeline_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        from_text(text)


class Own(A.NoOp):
    pass


def unchanged(image, **_):
    return image


@pytest.mark.parametrize("transform", [Own(), A.Lambda(image=unchanged, name="f"), A.FDA()])
def test_a_pipeline_that_could_not_be_read_back_is_not_written(transform):
    with pytest.raises(ValueError, match=r"unknown transform `\S*(Own|Lambda)`|cannot be written as text: FDA"):
        to_text(A.Compose([transform]))
