"""How much a net computes for an image."""

import pytest
import torch
from torch import nn

from sweep.trainable.config import TrialConfig
from sweep.trainable.models.net import build
from sweep.trainable.work import counted, front_seconds


def test_multiplications_and_outputs_of_an_image_are_those_of_its_layers_whatever_the_batch():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.Flatten(),
        nn.Linear(128, 5),
    )
    for batch in (0, 2):
        with counted(net) as work:
            net(torch.zeros(batch, 3, 4, 4))

        assert work.multiplications == 16 * (8 * 27 + 8 * 9) + 128 * 5
        assert work.outputs == 2 * 16 * 8 + 5


def test_nothing_is_counted_behind_the_block():
    net = nn.Linear(4, 2)
    with counted(net) as work:
        pass
    net(torch.zeros(1, 4))

    assert work.outputs == 0
    assert not net._forward_hooks


def test_the_fronts_of_a_net_take_more_and_more_and_the_last_all_but_the_classifier():
    config = TrialConfig(arch="timm/test_resnet", pretrained=False)
    net, image = build(config, 5, (32, 32))[1].eval(), torch.zeros(1, 3, 32, 32)
    with counted(net) as work:
        net(image)
    with counted(net.get_classifier()) as classifier:
        net(image)

    fronts = front_seconds(net, image)

    assert list(fronts) == sorted(fronts)
    assert fronts[0] > 0
    assert fronts[-1] == pytest.approx(work.training_seconds - classifier.training_seconds)
