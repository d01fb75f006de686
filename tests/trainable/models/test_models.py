import pytest
import torch
from torch import nn

from sweep.trainable.config import ConfigError, TrialConfig
from sweep.trainable.models.net import build

EVERY = [
    TrialConfig(arch="mlp", width=1.0),
    TrialConfig(arch="cnn", width=1.0, depth=1, head=32),
    TrialConfig(arch="cnn", width=2.0, depth=3, head=32),
    TrialConfig(arch="small_resnet", width=1.0, depth=2),
    TrialConfig(arch="small_vgg", width=0.5),
    TrialConfig(arch="resnet18", small_stem=False, pretrained=False),
    TrialConfig(arch="resnet18", small_stem=True, pretrained=False),
    TrialConfig(arch="squeezenet1_1", pretrained=False),
    TrialConfig(arch="mobilenet_v3_small", pretrained=False),
]


def name(config: TrialConfig) -> str:
    return f"{config.arch}-{config.small_stem or config.depth or ''}"


@pytest.mark.parametrize("config", EVERY, ids=name)
@pytest.mark.parametrize("size", [(16, 16), (40, 40)], ids=str)
def test_every_architecture_maps_pixels_to_one_logit_a_class(config, size):
    if config.arch == "squeezenet1_1" and size == (16, 16):
        pytest.skip("squeezenet pools 16 px away")
    model = build(config, classes=5, image_size=size).eval()

    logits = model(torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8))

    assert logits.shape == (2, 5)
    assert logits.isfinite().all()


def parameters(config: TrialConfig) -> int:
    return sum(p.numel() for p in build(config, 7, (16, 16)).parameters())


def test_the_published_nets_have_the_published_layers():
    assert parameters(TrialConfig(arch="mlp", width=1.0)) == 768 * 50 + 50 + 50 * 20 + 20 + 20 * 7 + 7
    convolutions = 3 * 16 * 9 + 16 + 16 * 10 * 9 + 10
    head = 40 * 128 + 128 + 128 * 84 + 84 + 84 * 7 + 7
    assert parameters(TrialConfig(arch="cnn", width=1.0, depth=2, head=128)) == convolutions + head


def test_a_resnet18_ends_in_a_layer_of_our_classes_and_may_have_a_small_stem():
    net = build(TrialConfig(arch="resnet18", small_stem=True, pretrained=False), 7, (16, 16))[1]

    assert net.fc.out_features == 7
    assert net.conv1.kernel_size == (3, 3)
    assert isinstance(net.maxpool, nn.Identity)


def test_an_unknown_architecture_is_an_error_that_lists_the_known():
    with pytest.raises(
        ConfigError, match=r"got resnet19 .*must be one of mlp, cnn, small_resnet, small_vgg, .*resnet18"
    ):
        build(TrialConfig(arch="resnet19", pretrained=False), 7, (16, 16))


@pytest.mark.parametrize("side", [1, 3, 5, 8])
def test_a_cnn_on_tiny_images_leaves_the_pooling_out_that_would_leave_nothing(side):
    model = build(TrialConfig(arch="cnn", width=1.0, depth=2, head=32), 7, (side, side))

    assert model(torch.zeros(2, 3, side, side)).shape == (2, 7)
