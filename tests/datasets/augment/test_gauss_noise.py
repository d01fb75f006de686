import albumentations as A
import pytest
import torch

from sweep.datasets.augment.pipeline import compose
from tests.datasets.augment.images import assert_as_albumentations, chi_square, on_both, run_batched


@pytest.mark.parametrize("size", [(16, 16), (12, 20)], ids=["square", "wide"])
@pytest.mark.parametrize("mean", [0.05, -0.05])
def test_what_is_added_to_every_byte_is_as_in_albumentations(mean, size):
    assert_as_albumentations(A.GaussNoise(std_range=(0, 0), mean_range=(mean, mean), p=1), 0, 0, *size)


@on_both
def test_noise_is_normal(run):
    grey = torch.full((14, 3, 16, 16), 128, dtype=torch.uint8)  # 10,752 draws
    drawn = run(A.Compose([A.GaussNoise(std_range=(10 / 255, 10 / 255), p=1)]), grey).flatten().int() - 128
    # -k to -k - 1 becomes -k: what comes out as 0 is twice as wide as the rest.
    edges = torch.cat([torch.tensor([-1e9]), torch.arange(-24, 0), torch.arange(1, 25), torch.tensor([1e9])]) / 10
    shares = torch.special.ndtr(edges.double()).diff()
    assert chi_square((drawn.clamp(-24, 24) + 24).bincount(minlength=49), shares) < 1


def test_noise_has_a_variance_of_10_to_50_and_no_mean():
    grey = torch.full((2000, 3, 16, 16), 128, dtype=torch.uint8)
    noise = run_batched(compose({"gauss_noise": 1}), grey).float() - 128
    std = noise.flatten(1).std(1)
    assert noise.mean().item() == pytest.approx(0, abs=0.05)
    # 0.4 to 0.6 under the root, because fractions are cut.
    assert 2.4 < std.min() < 2.9
    assert 6.3 < std.max() < 7.1
    assert std.mean().item() == pytest.approx((10**0.5 + 50**0.5) / 2 - 0.5, abs=0.15)
