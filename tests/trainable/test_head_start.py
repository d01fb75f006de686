"""Fine-tuning that begins from the solution of a logistic head."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sweep.trainable.config import ConfigError
from sweep.trainable.head_start import start_head
from sweep.trainable.images import on_device
from sweep.trainable.inputs import inputs_of
from sweep.trainable.loop import predict_logits, train
from sweep.trainable.objective import Objective
from sweep.trainable.sampling import Sampling
from sweep.trainable.saving import load, save
from sweep.trainable.state import new_state
from tests.trainable.test_inputs import CONFIG, DATA, assert_same, trained

STARTED = replace(CONFIG, head_start=True)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def objective_of(config, inputs):
    labels = inputs.labels[: inputs.images]
    return Objective(config, Sampling(labels, len(DATA.classes), config.balanced), labels.device)


@pytest.mark.parametrize(
    "config",
    [STARTED, replace(STARTED, vertical_flip=0.5), replace(STARTED, arch="timm/test_vit", cutmix=0.0, dropout=None)],
    ids=["maps", "images", "a transformer"],
)
def test_the_net_tells_the_training_images_apart_before_its_first_step(config):
    state = new_state(config, DATA)
    inputs = inputs_of(config, DATA, state.model)

    start_head(config, inputs, state, objective_of(config, inputs))

    for model in (state.model, state.predictor):
        logits = predict_logits(config, model, on_device(DATA.train.images, torch.device("cpu")))
        assert (logits.argmax(1) == DATA.train.labels).mean() > 0.9


def test_the_solution_is_the_minimum_on_features_of_mean_0_and_deviation_1():
    config = replace(STARTED, vertical_flip=0.5, label_smoothing=0.1)
    state = new_state(config, DATA)
    start_head(config, inputs := inputs_of(config, DATA, state.model), state, objective_of(config, inputs))
    layer, seen = state.model[1].classifier, []
    layer.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0].detach()))
    predict_logits(config, state.model, on_device(DATA.train.images, torch.device("cpu")))
    features = torch.cat(seen)
    weight = (layer.weight.detach() * features.std(0)).requires_grad_()
    standardised = (features - features.mean(0)) / features.std(0)
    bias = (layer.bias + layer.weight @ features.mean(0)).detach()

    loss = torch.nn.functional.cross_entropy(
        standardised @ weight.T + bias, torch.from_numpy(DATA.train.labels), label_smoothing=0.1
    )
    (loss + 0.1 * weight.square().sum()).backward()

    assert weight.grad.abs().max() < 1e-4


def test_a_trial_killed_and_continued_ends_as_an_unbroken_one(tmp_path):
    unbroken = trained(STARTED)

    state = new_state(STARTED, DATA)
    next(train(STARTED, DATA, state))
    continued = load(save(state, STARTED, tmp_path), STARTED, DATA, "accuracy")
    list(train(STARTED, DATA, continued))

    assert_same(continued, unbroken)
    assert not np.array_equal(unbroken.best_logits, trained(CONFIG).best_logits)


def test_a_net_whose_last_layer_is_a_convolution_is_refused_by_name():
    config = replace(STARTED, arch="torchvision/squeezenet1_1", cutmix=0.0, dropout=None)
    state = new_state(config, DATA)

    with pytest.raises(
        ConfigError, match="`head_start` needs a net whose last layer is linear, got arch=torchvision/sq"
    ):
        start_head(config, inputs := inputs_of(config, DATA, state.model), state, objective_of(config, inputs))
