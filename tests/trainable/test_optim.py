from dataclasses import replace

import pytest
import torch
from torch import nn

from sweep.trainable.config import TrialConfig
from sweep.trainable.models.net import build
from sweep.trainable.optim import lr_at, new_optimizer, set_lr


@pytest.mark.parametrize(
    ("schedule", "warmup", "step", "expected"),
    [
        ("onecycle", None, 0, 0.0),
        ("onecycle", None, 25, 1.0),
        ("onecycle", None, 100, 0.0),
        ("onecycle", None, 62.5, 0.5),
        ("cosine", None, 0, 1.0),
        ("cosine", None, 50, 0.5),
        ("cosine", None, 100, 0.0),
        ("constant", None, 99, 1.0),
        ("step", None, 69, 1.0),
        ("step", None, 70, 0.1),
        ("onecycle", 0.5, 25, 0.5),
        ("onecycle", 0.5, 75, 0.5),
        ("onecycle", 0.0, 0, 1.0),
        ("cosine", 0.2, 10, 0.5),
        ("cosine", 0.2, 20, 1.0),
        ("cosine", 0.2, 60, 0.5),
        ("cosine", 0.2, 100, 0.0),
        ("constant", 0.5, 25, 0.5),
        ("step", 0.1, 5, 0.5),
        ("step", 0.1, 70, 0.1),
    ],
)
def test_the_rate_is_a_function_of_the_step(schedule, warmup, step, expected):
    config = TrialConfig(arch="mlp", width=1.0, schedule=schedule, warmup=warmup, lr=1.0, epochs=10)

    assert lr_at(config, step, steps_per_epoch=10) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "kind", "nesterov"),
    [
        ("sgd", torch.optim.SGD, False),
        ("nesterov", torch.optim.SGD, True),
        ("adam", torch.optim.Adam, None),
        ("adamw", torch.optim.AdamW, None),
    ],
)
def test_an_optimizer_is_the_one_named(name, kind, nesterov):
    optimizer = new_optimizer(TrialConfig(arch="mlp", width=1.0, optimizer=name, weight_decay=0.25), nn.Linear(2, 2))

    assert type(optimizer).__mro__[1] is kind
    assert optimizer.defaults["weight_decay"] == 0.25
    assert optimizer.defaults.get("nesterov") == nesterov


STAGED = TrialConfig(
    arch="timm/test_efficientnet", pretrained=False, optimizer="adamw", lr=1.0, weight_decay=0.5, layer_decay=0.5
)


def rates(config):
    """Returns the factor of the rate and the weight decay of each parameter that trains, by its name."""
    torch.manual_seed(0)
    model = build(config, 3, (32, 32))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = new_optimizer(config, model).param_groups
    return {names[id(its)]: (group["factor"], group["weight_decay"]) for group in groups for its in group["params"]}


def test_each_stage_has_the_rate_of_the_one_behind_it_times_the_decay():
    found = rates(STAGED)

    assert found["1.classifier.weight"] == (1.0, 0.5)
    assert found["1.conv_head.weight"] == (0.5, 0.5)
    by_block = {name.split(".")[2]: factor for name, (factor, _) in found.items() if name.startswith("1.blocks")}
    assert by_block == {"4": 0.25, "3": 0.125, "2": 0.0625, "1": 0.03125, "0": 0.015625}


def test_norms_and_biases_have_no_weight_decay():
    found = rates(replace(STAGED, layer_decay=None))

    assert {factor for factor, _ in found.values()} == {1.0}
    for name, (_, weight_decay) in found.items():
        assert weight_decay == (0.0 if "bn" in name or name.endswith("bias") else 0.5), name


def test_positions_and_tokens_have_no_weight_decay_where_their_net_says_so():
    found = rates(TrialConfig(arch="timm/test_vit", pretrained=False, input_size=32, weight_decay=0.5))

    assert {name for name in ("1.pos_embed", "1.cls_token") if found[name] == (1.0, 0.0)} == {
        "1.pos_embed",
        "1.cls_token",
    }
    assert found["1.head.weight"] == (1.0, 0.5)


def test_a_net_of_torchvision_by_its_bare_name_is_one_group_as_ever():
    config = TrialConfig(arch="mobilenet_v3_small", pretrained=False, weight_decay=0.5)
    staged = replace(config, layer_decay=0.5)

    assert set(rates(config).values()) == {(1.0, 0.5)}
    assert {factor for factor, _ in rates(staged).values()} > {1.0, 0.5, 0.25}


def test_what_is_frozen_is_in_no_optimizer():
    found = rates(replace(STAGED, frozen_stages=3))

    assert {name.split(".")[2] for name in found if name.startswith("1.blocks")} == {"3", "4"}
    assert not any(name.startswith(("1.conv_stem", "1.bn1")) for name in found)


def test_a_rate_is_set_times_the_factor_of_each_group():
    model = build(STAGED, 3, (32, 32))
    optimizer = new_optimizer(STAGED, model)

    set_lr(optimizer, 0.1)

    for group in optimizer.param_groups:
        assert group["lr"] == pytest.approx(0.1 * group["factor"])
