import albumentations as A
import pytest

from tests.datasets.augment.images import assert_as_albumentations


@pytest.mark.parametrize("size", [(16, 16), (12, 20)], ids=["square", "wide"])
@pytest.mark.parametrize(("alpha", "strength"), [(0.2, 0.2), (0.5, 0.7), (1, 1)])
def test_a_light_falls_as_albumentations_has_it(alpha, strength, size):
    emboss = A.Emboss(alpha=(alpha, alpha), strength=(strength, strength), p=1)
    assert_as_albumentations(emboss, 1, 0.02, *size)
