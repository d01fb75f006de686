"""The mean of a net's weights."""

import torch
from torch import nn

from sweep.trainable.averaged import Averaged


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def set_all(model, value):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)


def test_the_weights_before_training_are_soon_forgotten():
    model = net()
    set_all(model, 100.0)
    averaged = Averaged(model, decay=0.99)
    set_all(model, 1.0)

    for step in range(20):
        averaged.update(step)

    assert torch.allclose(averaged.model[0].weight, torch.ones(4, 3), atol=1e-2)


def test_late_in_a_trial_the_decay_is_the_one_asked_for():
    model = net()
    set_all(model, 0.0)
    averaged = Averaged(model, decay=0.9)
    set_all(model, 1.0)

    averaged.update(step=1000)

    assert torch.allclose(averaged.model[0].weight, torch.full((4, 3), 0.1))


def test_statistics_are_averaged_and_counts_are_those_of_the_net():
    model = net()
    averaged = Averaged(model, decay=0.9)
    model(torch.randn(8, 3))

    averaged.update(step=1000)

    expected = 0.1 * model[1].running_mean
    assert torch.allclose(averaged.model[1].running_mean, expected)
    assert averaged.model[1].num_batches_tracked == 1


def test_what_does_not_train_is_not_copied():
    model = net()
    model[0].requires_grad_(False)

    averaged = Averaged(model, decay=0.9)
    averaged.update(step=0)

    assert averaged.model[0].weight is model[0].weight
    assert averaged.model[2].weight is not model[2].weight
    assert not any(parameter.requires_grad for parameter in averaged.model[2].parameters())
