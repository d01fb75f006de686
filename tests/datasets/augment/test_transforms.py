"""What every transform must keep to: its two forms do the same, as often and by the same distribution."""

import pytest
import torch

from sweep.datasets.augment import NAMES, transforms
from sweep.datasets.augment.pipeline import compose, from_text, per_image, to_text
from sweep.trainable.config import AUGMENTATIONS, TrialConfig
from tests.datasets.augment.images import (
    cdf_distance,
    chi_square,
    copies,
    generator,
    noise,
    on_all_three,
    on_both,
    photos,
    run_batched,
    run_on_all,
)


def same_distribution(probabilities: dict[str, float]) -> None:
    n = 2000
    images, pipeline = copies(n), compose(probabilities)
    sums = torch.randn(768, 30, generator=generator())

    def features(out: torch.Tensor) -> torch.Tensor:
        pixels = out.flatten(1).float()
        pixels[:, 0] = 0  # albumentations leaves it without noise
        return torch.cat([pixels[:, ::16], (pixels @ sums).round(), pixels.std(1, keepdim=True)], 1)

    slow = features(per_image(pipeline, images, 0))
    for run in (run_batched, run_on_all):
        # Two samples of 2,000 from one distribution are further apart than this once in a million features.
        assert cdf_distance(slow, features(run(pipeline, images))).max() < 0.085


@pytest.mark.parametrize("name", NAMES)
class TestTransform:
    def test_every_pixel_and_random_sums_of_pixels_are_distributed_as_albumentations_has_them(self, name):
        same_distribution({name: 0.6})

    @on_both
    def test_it_falls_as_often_as_its_probability_says(self, name, run):
        images = noise(1, 8, 8).expand(10_000, -1, -1, -1)

        def changed(probability: float) -> torch.Tensor:
            return (run(compose({name: probability}), images) != images).flatten(1).any(1)

        share = 0.7 * changed(1).double().mean()  # one that shuffles may leave all in its place
        assert share > 0.35
        assert chi_square(changed(0.7).long().bincount(minlength=2), torch.stack([1 - share, share])) < 1

    @on_all_three
    def test_the_same_seed_gives_the_same_images_and_another_one_others(self, name, run):
        images, pipeline = photos(32), compose({name: 0.5})
        before = images.clone()

        first = run(pipeline, images, 3)

        assert torch.equal(first, run(pipeline, images, 3))
        assert not torch.equal(first, run(pipeline, images, 4))
        assert torch.equal(images, before)
        assert first.dtype == torch.uint8
        assert first.is_contiguous()

    def test_the_text_of_its_pipeline_is_read_as_the_same(self, name):
        pipeline = compose({name: 0.5})

        read = from_text(to_text(pipeline))

        assert to_text(read) == to_text(pipeline)
        assert torch.equal(run_batched(read, photos(20)), run_batched(pipeline, photos(20)))

    def test_a_view_is_the_change_itself(self, name):
        view = transforms()[name].view
        if view is None:
            pytest.skip("something of it is drawn")
        assert torch.equal(view(photos(4)), per_image(compose({name: 1}), photos(4), 0))

    def test_images_that_are_not_square_keep_their_shape_or_are_left_as_they_are(self, name):
        wide = photos(8, 12, 20)

        out = run_batched(compose({name: 1}, square=False), wide)

        assert out.shape == wide.shape
        assert torch.equal(out, wide) == transforms()[name].needs_square


def test_all_together_are_distributed_as_albumentations_has_them():
    same_distribution(dict.fromkeys(NAMES, 0.5))


def test_the_hyperparameters_of_a_config_are_transforms_in_the_order_in_which_they_run():
    assert [name for name in NAMES if name in AUGMENTATIONS] == list(AUGMENTATIONS)
    half = dict.fromkeys(AUGMENTATIONS, 0.5)
    assert list(TrialConfig(arch="mlp", width=1.0, **half).augmentation) == list(AUGMENTATIONS)
