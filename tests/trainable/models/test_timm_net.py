import re

import pytest
import timm
import torch

from sweep.trainable import weights
from sweep.trainable.config import ConfigError, TrialConfig
from sweep.trainable.models import check, family_of
from sweep.trainable.models.net import build
from sweep.trainable.models.timm_net import preprocessing

SIZE = (64, 64)


def config_of(name: str, **values) -> TrialConfig:
    return TrialConfig(arch=f"timm/{name}", **({"pretrained": False} | values))


@pytest.fixture
def stored(monkeypatch):
    """Random weights of a net of timm that stand in for those that it has elsewhere."""

    def store(name: str, **options) -> dict[str, torch.Tensor]:
        state = timm.create_model(name, **options).state_dict()
        monkeypatch.setattr(weights, "state_dict", lambda arch: dict(state))
        return state

    return store


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("resnet19", r"no classifier of timm \d.*; did you mean timm/resnet18"),
        ("vit_base_resnet50_384", "did you mean timm/vit_base_r50_s16_384"),  # as it was called before
        ("zzz", r"timm.list_models\(\) lists them"),
        ("resnet50.a1", "timm/resnet50 has timm/resnet50.a1_in1k, "),
    ],
)
def test_a_name_that_timm_does_not_have_is_an_error_with_the_nearest_ones(name, hint):
    with pytest.raises(ConfigError, match=rf"unknown `arch`, got timm/{re.escape(name)}: .*{hint}"):
        check(config_of(name))


def test_pixels_are_taken_as_the_weights_of_each_name_were_trained():
    lite0, vit = preprocessing(config_of("tf_efficientnet_lite0")), preprocessing(config_of("vit_tiny_patch16_224"))
    other = preprocessing(config_of("convnext_tiny.fb_in22k_ft_in1k_384"))

    assert (lite0.mean, lite0.std, lite0.interpolation, lite0.size) == ((0.5,) * 3, (0.5,) * 3, "bicubic", 224)
    assert (lite0.fixed, vit.fixed) == (False, True)
    assert (other.size, other.crop) == (384, 1.0)


def test_all_of_an_image_is_seen_unless_the_config_asks_for_the_crop_of_the_weights():
    all_of_it, middle = (config_of("tf_efficientnet_lite0", center_crop=asked) for asked in (None, True))
    head = TrialConfig(
        arch="logistic_head", backbone=all_of_it.arch, stages="-1", pooling="mean", penalty=0.1, center_crop=True
    )

    assert (preprocessing(all_of_it).crop, preprocessing(middle).crop) == (1.0, 0.875)
    assert family_of(head.arch).preprocessing(head).crop == 0.875


def test_a_net_of_one_size_has_images_resized_to_it_or_is_built_for_another_one():
    model, small = (build(config_of("vit_tiny_patch16_224", input_size=side), 3, (20, 20)) for side in (None, 64))

    pixels = torch.zeros(2, 3, 20, 20, dtype=torch.uint8)
    assert model[0](pixels).shape == (2, 3, 224, 224)
    assert small[0](pixels).shape == (2, 3, 64, 64)
    assert small(pixels).shape == (2, 3)


def test_a_distilled_net_has_one_output_in_training():
    model = build(config_of("deit_tiny_distilled_patch16_224", input_size=32), 3, SIZE).train()

    assert model(torch.zeros(2, 3, *SIZE)).shape == (2, 3)


@pytest.mark.parametrize("classes", [5, 1000])
def test_weights_are_loaded_but_for_a_last_layer_of_other_classes(stored, classes):
    state = stored("test_resnet")

    loaded = build(config_of("test_resnet", pretrained=True), classes, SIZE)[1].state_dict()

    same = {name for name, tensor in loaded.items() if torch.equal(tensor, state[name])}
    assert loaded.keys() - same == ({"fc.weight", "fc.bias"} if classes == 5 else set())


def test_positions_are_fitted_to_another_size_of_images(stored):
    state = stored("test_vit")

    net = build(config_of("test_vit", pretrained=True, input_size=32), 5, SIZE)[1]

    assert net.pos_embed.shape[1] < state["pos_embed"].shape[1]
    assert torch.equal(net.blocks[5].mlp.fc1.weight, state["blocks.5.mlp.fc1.weight"])


def test_weights_without_a_last_layer_are_enough(stored):
    state = stored("test_resnet", num_classes=0)

    net = build(config_of("test_resnet", pretrained=True), 5, SIZE)[1]

    assert torch.equal(net.layer1[0].conv1.weight, state["layer1.0.conv1.weight"])
    assert net.fc.out_features == 5


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ("test_vit", "they lack .* and .* more, and they hold .* and .* more"),
        ("test_efficientnet", "size mismatch for .*"),
    ],
)
def test_weights_of_another_net_are_refused_with_what_does_not_fit(stored, other, found):
    stored(other)

    with pytest.raises(ConfigError, match=f"the weights for arch=timm/resnet14t are those of another net: {found}"):
        build(config_of("resnet14t", pretrained=True), 5, SIZE)


def test_dropout_and_left_out_branches_are_the_nets_own():
    net = build(config_of("resnet10t", dropout=0.3, drop_path=0.2), 5, SIZE)[1]

    rates = [module.drop_prob for module in net.modules() if isinstance(module, timm.layers.DropPath)]
    assert net.drop_rate == 0.3
    assert rates[-1] == pytest.approx(0.2)


def test_branches_cannot_be_left_out_of_a_net_that_has_none():
    with pytest.raises(ConfigError, match=r"`drop_path` must be left out for arch=timm/vgg11"):
        build(config_of("vgg11", drop_path=0.1), 5, SIZE)


def test_lite0_says_of_a_picture_what_timms_own_net_says():
    """With its ImageNet weights, from pixels to the logits of the 1,000 classes."""
    arch = "timm/tf_efficientnet_lite0"
    theirs = timm.create_model("tf_efficientnet_lite0").eval()
    theirs.load_state_dict(weights.state_dict(arch), strict=True)
    ours = build(TrialConfig(arch=arch, pretrained=True), 1000, (224, 224)).eval()
    rows, columns = torch.meshgrid(torch.arange(224), torch.arange(224), indexing="ij")
    picture = torch.stack([rows, columns, (rows * columns) // 7 % 256])[None].to(torch.uint8)

    with torch.no_grad():
        expected, found = theirs((picture / 255 - 0.5) / 0.5), ours(picture)

    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    assert expected.std() > 0.5
