import pytest
import torch
import torchvision
from torch import nn

from sweep.trainable import weights
from sweep.trainable.config import ConfigError, TrialConfig
from sweep.trainable.loop import train
from sweep.trainable.models import check
from sweep.trainable.models.net import build
from sweep.trainable.models.torchvision_net import preprocessing
from sweep.trainable.precision import format_of
from sweep.trainable.size import size_of
from sweep.trainable.state import new_state
from tests.trials import in_memory

SIZE = (64, 64)


def config_of(name: str, **values) -> TrialConfig:
    return TrialConfig(arch=f"torchvision/{name}", **({"pretrained": False} | values))


@pytest.fixture
def stored(monkeypatch):
    """Random weights of a net of torchvision that stand in for those that it serves."""

    def store(name: str, **options) -> dict[str, torch.Tensor]:
        state = torchvision.models.get_model(name, weights=None, **options).state_dict()
        monkeypatch.setattr(weights, "state_dict", lambda arch: dict(state))
        return state

    return store


def test_names_that_torchvision_does_not_have_are_errors_with_the_nearest_one():
    with pytest.raises(ConfigError, match=r"got torchvision/resnet19 \(did you mean torchvision/resnet18\?\)"):
        check(config_of("resnet19"))
    with pytest.raises(ConfigError, match=r"the weights of torchvision/resnet50 are IMAGENET1K_V1, IMAGENET1K_V2"):
        check(config_of("resnet50.V3"))


def test_pixels_are_taken_as_the_weights_were_trained_but_as_ever_under_a_bare_name():
    large, bare = config_of("efficientnet_v2_l"), TrialConfig(arch="efficientnet_v2_l", pretrained=False)
    swag = preprocessing(config_of("vit_b_16.IMAGENET1K_SWAG_E2E_V1"))

    assert (preprocessing(large).mean, preprocessing(large).size) == ((0.5, 0.5, 0.5), 480)
    assert (preprocessing(bare).mean, preprocessing(bare).size) == ((0.485, 0.456, 0.406), None)
    assert (swag.size, swag.interpolation, swag.fixed) == (384, "bicubic", True)


@pytest.mark.parametrize(("name", "side"), [("googlenet", 32), ("inception_v3", 96)])
def test_a_net_with_auxiliary_heads_has_one_output_in_training(name, side):
    model = build(config_of(name, input_size=side), 3, SIZE).train()

    assert model(torch.zeros(2, 3, *SIZE)).shape == (2, 3)
    assert not any("aux" in parameter.lower() for parameter, _ in model.named_parameters())


@pytest.mark.parametrize("classes", [5, 1000])
def test_weights_are_loaded_but_for_a_last_layer_of_other_classes(stored, classes):
    state = stored("shufflenet_v2_x0_5")

    loaded = build(config_of("shufflenet_v2_x0_5", pretrained=True), classes, SIZE)[1].state_dict()

    same = {name for name, tensor in loaded.items() if torch.equal(tensor, state[name])}
    assert loaded.keys() - same == ({"fc.weight", "fc.bias"} if classes == 5 else set())


def test_a_net_that_counts_versions_of_its_weights_takes_them_without_a_version(stored):
    stored("mnasnet0_5")

    build(config_of("mnasnet0_5", pretrained=True), 5, SIZE)


def test_positions_are_fitted_to_another_size_of_images(stored):
    state = stored("vit_b_32")

    net = build(config_of("vit_b_32", pretrained=True, input_size=64), 5, SIZE)[1]

    assert net.encoder.pos_embedding.shape[1] == 1 + 4 < state["encoder.pos_embedding"].shape[1]


@pytest.mark.parametrize(
    ("other", "found"),
    [("mobilenet_v3_small", "they lack .*, and they hold "), ("shufflenet_v2_x1_0", "size mismatch")],
)
def test_weights_of_another_net_are_refused_with_what_does_not_fit(stored, other, found):
    stored(other)

    with pytest.raises(ConfigError, match=f"arch=torchvision/shufflenet_v2_x0_5 are those of another net: {found}"):
        build(config_of("shufflenet_v2_x0_5", pretrained=True), 5, SIZE)


@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5", "squeezenet1_1", "mobilenet_v3_small"])
def test_dropout_before_the_last_layer_is_there_under_the_same_names(name):
    plain, dropped = (build(config_of(name, dropout=rate), 3, SIZE) for rate in (None, 0.5))

    dropped.load_state_dict(plain.state_dict())
    torch.manual_seed(0)
    images = torch.randint(0, 256, (2, 3, *SIZE), dtype=torch.uint8)
    assert torch.equal(plain.eval()(images), dropped.eval()(images))
    for module in dropped.modules():  # batch norm changes in training as well
        if not isinstance(module, nn.BatchNorm2d):
            module.training = True
    assert not torch.equal(dropped(images), dropped(images))


def test_left_out_branches_rise_to_the_configs_share():
    net = build(config_of("efficientnet_b0", drop_path=0.2), 3, SIZE)[1]

    rates = [module.p for module in net.modules() if isinstance(module, torchvision.ops.StochasticDepth)]
    assert (rates[0], rates[-1]) == (0, 0.2)
    assert rates == sorted(rates)


def test_branches_cannot_be_left_out_of_a_net_that_has_none():
    config = config_of("alexnet", drop_path=0.1)

    for refuses in (build, size_of):  # whoever asks for the size is told before a trial starts
        with pytest.raises(ConfigError, match="`drop_path` must be left out for arch=torchvision/alexnet"):
            refuses(config, 3, SIZE)


ONCE = dict(pretrained=False, seed=3, batch_size=8, horizontal_flip=0.5, mixup=0.3, label_smoothing=0.1)


@pytest.mark.parametrize(
    ("values", "losses"),
    [
        (dict(arch="resnet50", lr=1e-4, epochs=1, weight_decay=0.5), [(1.446610, 1.094448)]),
        (
            dict(arch="resnet18", small_stem=True, optimizer="adamw", lr=1e-3, weight_decay=0.1, epochs=2),
            [(0.875048, 1.435603), (0.374638, 1.026017)],
        ),
        (
            dict(arch="mobilenet_v3_small", optimizer="adam", lr=1e-3, schedule="constant", epochs=2),
            [(1.039060, 1.098736), (0.908485, 1.098638)],
        ),
    ],
    ids=lambda values: values["arch"] if isinstance(values, dict) else "",
)
@pytest.mark.skipif(
    format_of(torch.device("cpu")) is not torch.bfloat16, reason="the losses are those of a processor with bf16"
)
def test_a_bare_name_trains_as_it_did_before_there_were_catalogues(values, losses):
    """The losses were written down before nets had prefixes, with one group of rates and weight decay on all of it."""
    config, data = TrialConfig(**ONCE, **values), in_memory(24, 6)
    state = new_state(config, data)

    trained = list(train(config, data, state))

    assert len(state.optimizer.param_groups) == 1
    assert [(its.train_loss, its.valid_loss) for its in trained] == [pytest.approx(each, abs=1e-3) for each in losses]
    assert state.model[0].resizes is False
