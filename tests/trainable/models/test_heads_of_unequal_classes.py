"""Heads on features of two classes that overlap, one of which has a tenth of the images of the other."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from sweep.trainable.class_weights import WEIGHTS
from sweep.trainable.config import TrialConfig
from sweep.trainable.losses import LOSSES
from sweep.trainable.models import logistic_head, mlp_head
from sweep.trainable.objective import Objective
from sweep.trainable.sampling import Sampling

COUNTS = torch.tensor([600, 60])
LABELS = torch.repeat_interleave(torch.arange(2), COUNTS)
FEATURES = torch.randn((660, 4), generator=torch.Generator().manual_seed(0)) + 0.8 * LABELS[:, None]
LOGISTIC = TrialConfig(arch="logistic_head", **logistic_head.FAMILY.shape | {"penalty": 1e-3}, epochs=1)
MLP = TrialConfig(arch="mlp_head", **mlp_head.FAMILY.shape, epochs=1, optimizer="adamw", lr=3e-3, batch_size=64)
FULL = [{"class_weights": "inverse"}, {"balanced": 1.0}, {"loss": "logit_adjusted"}]


class Matrix:
    """What a fit reads of `Features`."""

    count = len(FEATURES)

    def blocks(self):
        return FEATURES.split(256)

    def take(self, rows):
        return FEATURES[rows]


def head_of(config):
    torch.manual_seed(config.seed)
    if config.arch == "logistic_head":
        net = nn.Linear(4, 2)
        logistic_head.fit(config, net, Matrix(), LABELS)
    else:
        net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.0), nn.Linear(16, 2))
        mlp_head.fit(config, net, Matrix(), LABELS)
    return net.eval()


def recalls(config):
    answers = head_of(config)(FEATURES).argmax(1)
    return [float((answers == label)[label == LABELS].float().mean()) for label in (0, 1)]


@pytest.mark.parametrize("config", [LOGISTIC, MLP], ids=lambda config: config.arch)
class TestHead:
    @pytest.mark.parametrize("ways", FULL, ids=str)
    def test_what_makes_classes_equal_finds_the_rare_one_as_well_as_the_other(self, config, ways):
        before, after = recalls(config), recalls(replace(config, **ways))

        assert before[0] - before[1] > 0.3
        assert abs(after[0] - after[1]) < 0.12
        assert after[1] - before[1] > 0.25

    @pytest.mark.parametrize("ways", [{"class_weights": "sqrt_inverse"}, {"balanced": 0.5}], ids=str)
    def test_half_of_the_way_lies_between(self, config, ways):
        none, half, full = (recalls(replace(config, **each))[1] for each in ({}, ways, FULL[0]))

        assert none < half < full

    def test_it_is_the_same_each_time(self, config):
        ways = replace(config, class_weights="effective", balanced=0.4, loss="focal", label_smoothing=0.1)

        first, second = (head_of(ways).state_dict() for _ in range(2))

        assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_logistic_head_that_adjusts_is_one_that_does_not_with_another_bias():
    """The bias is not penalised, so the logarithms of the shares are all that the adjustment moves."""
    plain, adjusted = head_of(LOGISTIC), head_of(replace(LOGISTIC, loss="logit_adjusted"))

    torch.testing.assert_close(adjusted.weight, plain.weight, atol=1e-3, rtol=0)
    moved = plain.bias - adjusted.bias
    torch.testing.assert_close(moved.diff(), (COUNTS / 660).log().diff(), atol=2e-3, rtol=0)


def test_balanced_sampling_of_a_logistic_head_is_a_weight_of_each_image():
    weighted, sampled = (head_of(replace(LOGISTIC, **ways)) for ways in FULL[:2])

    torch.testing.assert_close(weighted.weight, sampled.weight)
    torch.testing.assert_close(weighted.bias, sampled.bias)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_logistic_head_ends_where_its_gradient_is_zero(loss, weights):
    config = replace(LOGISTIC, loss=loss, class_weights=weights, balanced=0.3, label_smoothing=0.1)
    head = head_of(config)
    objective = Objective(config, Sampling(LABELS, 2, 0.3), LABELS.device).of_each_image_once()

    head.zero_grad()
    (objective(head(FEATURES), LABELS) + config.penalty * head.weight.square().sum()).backward()

    assert max(float(each.grad.abs().max()) for each in head.parameters()) < 1e-4
