"""Three of the nets that `make reliability` follows from their first step to their exported file."""

import pytest

from tests.nets import KINDS, follow


@pytest.mark.parametrize(
    "arch", ["timm/resnet10t", "timm/deit_tiny_distilled_patch16_224", "torchvision/squeezenet1_1"]
)
def test_a_net_is_trained_continued_and_exported_to_the_same_numbers(arch, tmp_path):
    (kind,) = [kind for kind in KINDS if kind.arch == arch]

    assert follow(kind, tmp_path).problems == ()
