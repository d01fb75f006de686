import copy

import pytest
import torch

from sweep.trainable.config import TrialConfig
from sweep.trainable.loop import train
from sweep.trainable.models.calls import judged
from sweep.trainable.models.cut import cut
from sweep.trainable.models.net import build
from sweep.trainable.models.stage_maps import features
from sweep.trainable.models.staged import stages
from sweep.trainable.state import new_state
from tests.trainable.models.test_staged import IMAGES, NETS
from tests.trials import in_memory


@pytest.mark.parametrize("name", NETS)
def test_a_cut_net_classifies_the_mean_of_the_last_map_that_it_keeps(name):
    whole = NETS[name]().eval()
    net = cut(copy.deepcopy(whole), 2, 5, IMAGES, None).eval()

    with judged(net):
        (expected,) = features(whole, IMAGES, [2])
        assert torch.equal(net(IMAGES), net.head(expected.mean((2, 3))))
    assert len(list(net.parameters())) < len(list(whole.parameters()))


@pytest.mark.parametrize("name", NETS)
def test_the_stages_of_a_cut_net_are_those_that_it_keeps(name):
    net = cut(NETS[name](), 2, 5, IMAGES, None)

    parameters = stages(net, IMAGES).parameters
    assert sorted(name for stage in parameters for name in stage) == sorted(name for name, _ in net.named_parameters())
    assert (stages(net, IMAGES).count, parameters[-1]) == (3, ("head.weight", "head.bias"))


def test_more_stages_than_there_are_leave_the_net_whole():
    net = NETS["resnet10t"]()

    assert cut(net, 99, 5, IMAGES, None) is net


def test_a_config_that_keeps_some_stages_learns():
    config = TrialConfig(
        arch="timm/resnet10t", pretrained=False, kept_stages=2, dropout=0.1, epochs=3, batch_size=8, lr=0.02
    )
    data = in_memory(side=32)

    losses = [metrics.train_loss for metrics in train(config, data, new_state(config, data))]

    assert losses[-1] < losses[0]
    assert sum(p.numel() for p in build(config, 3, (32, 32)).parameters()) < 300_000


@pytest.mark.parametrize("name", ["lite0", "squeezenet1_1"])
def test_a_cut_net_can_be_exported(name):
    net = cut(NETS[name](), 2, 5, IMAGES, None).eval()

    exported = torch.export.export(net, (IMAGES,), strict=False).module()

    torch.testing.assert_close(exported(IMAGES), net(IMAGES))
