"""Heads on one frozen net, asked at once: they say what each says alone, and the frozen net runs once."""

import numpy as np
import pytest
import torch
from torch import nn

from sweep.analysis.estimates.views import Answering, by_batch, log_probabilities
from sweep.trainable.config import TrialConfig
from sweep.trainable.models import stage_maps
from sweep.trainable.models.heads_together import head_of, share_backbone
from sweep.trainable.models.net import build

BACKBONE = {"epochs": 1, "backbone": "timm/tf_efficientnet_lite0", "input_size": 32, "pooling": "mean_std"}
LOGISTIC = TrialConfig(arch="logistic_head", penalty=0.01, stages="2-4", flip=True, **BACKBONE)
LATE = TrialConfig(arch="logistic_head", penalty=0.01, stages="-1", **BACKBONE)
MLP = TrialConfig(arch="mlp_head", hidden=8, stages="3-4", flip=True, **BACKBONE)
NET = TrialConfig(arch="mlp", width=0.1)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (6, 3, 16, 16), dtype=np.uint8)


@pytest.fixture
def computed(monkeypatch):
    """Returns how many images went through a frozen net, and to which stages, one entry each time."""
    times = []
    features = stage_maps.features

    def noted(net, pixels, numbers=None):
        times.append((len(pixels), tuple(numbers)))
        return features(net, pixels, numbers)

    monkeypatch.setattr(stage_maps, "features", noted)
    return times


def model(config: TrialConfig, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    found = build(config, 3, (16, 16)).eval()
    if head := head_of(found):
        nn.init.normal_(next(head.head.parameters()), std=0.3)
    return found


def shared(configs):
    nets: list[Answering] = []
    for seed, config in enumerate(configs):
        made = model(config, seed)
        share_backbone(made, [net.model for net in nets])
        nets.append(Answering(config, made, is_averaged=True))
    return nets


def test_heads_asked_together_say_what_each_says_alone(images):
    nets = shared([LOGISTIC, NET, LATE, MLP])

    (together,) = by_batch(nets, images)

    for net, logs in zip(nets, together, strict=True):
        alone = log_probabilities(net.config, net.model, images, is_averaged=True)
        np.testing.assert_allclose(logs, alone, atol=1e-5)


def test_the_frozen_net_runs_once_an_image_and_view_for_all_of_them(images, computed):
    nets = shared([LOGISTIC, LATE, MLP])
    computed.clear()

    list(by_batch(nets, images))

    last = len(head_of(nets[0].model).all_shapes)
    assert computed == [(6, (2, 3, 4, last)), (6, (2, 3, 4))]  # the mirrored images only for those that learnt of them


def test_heads_on_the_same_weights_hold_one_net_and_those_on_others_do_not():
    first, same, other = model(LOGISTIC, 0), model(MLP, 1), model(LATE, 2)
    next(head_of(other).filled().parameters()).data += 1e-3

    for each in (same, other):
        share_backbone(each, [model(NET, 3), first])

    assert head_of(same).filled() is head_of(first).filled()
    assert head_of(other).filled() is not head_of(first).filled()


def test_heads_on_other_weights_or_at_another_size_are_not_asked_together(images, computed):
    larger = TrialConfig(**LATE.to_dict() | {"input_size": 64})
    nets = [Answering(LATE, model(LATE, 0), False), *shared([LATE, larger])]
    computed.clear()

    list(by_batch(nets, images))

    assert len(computed) == 3
