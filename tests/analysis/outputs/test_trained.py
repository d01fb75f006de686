"""A trained model that predicts: of a trial, and whole, as `best/` has it."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load, save

from analysis.outputs.trained import Trained
from datasets.decoders.recipe import Decoding
from storage.errors import ConfigError
from tests.trials import in_memory
from trainable import weights
from trainable.config import TrialConfig
from trainable.loop import train
from trainable.state import new_state

HEAD = TrialConfig(
    arch="logistic_head", backbone="timm/tf_efficientnet_lite0", epochs=1, penalty=0.1, stages="3-4", input_size=32
)
MLP = TrialConfig(arch="mlp", width=0.1, epochs=1, batch_size=8)


def trained(config: TrialConfig) -> tuple[Trained, np.ndarray]:
    """Returns the model of a trial, with what its best file has of the weights, and its validation logits."""
    data = in_memory()
    state = new_state(config, data)
    list(train(config, data, state))
    own = save({name: tensor.contiguous() for name, tensor in state.best_weights.items()})
    assert state.best_logits is not None
    return Trained(0, config, data.classes, data.image_size, own, Decoding()), state.best_logits


@pytest.fixture
def nowhere(monkeypatch):
    """Returns what takes all pretrained weights off this machine."""

    def refuse(arch):
        raise ConfigError(f"{arch}: no weights here")

    return lambda: monkeypatch.setattr(weights, "state_dict", refuse)


def test_a_whole_head_predicts_where_no_pretrained_weights_are(nowhere):
    model, logits = trained(HEAD)
    images = in_memory().valid.images
    expected = model.log_probabilities(images, False)

    whole = model.whole()
    nowhere()

    found = replace(whole, config=HEAD).log_probabilities(images, False)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(found - found.max(1, keepdims=True), logits - logits.max(1, keepdims=True), atol=2e-3)
    assert load(model.weights).keys() < load(whole.weights).keys()


def test_a_head_is_whole_in_the_same_bytes_each_time():
    model, _ = trained(HEAD)

    assert model.whole().weights == model.whole().weights


def test_a_head_takes_what_is_frozen_from_a_whole_one_under_another_seed(nowhere):
    model, _ = trained(HEAD)
    other, _ = trained(replace(HEAD, seed=1, penalty=1.0))
    images = in_memory().valid.images
    expected = other.log_probabilities(images, False)

    whole = model.whole()
    nowhere()

    completed = replace(other.completed(whole), config=HEAD)
    np.testing.assert_array_equal(completed.log_probabilities(images, False), expected)


def test_a_trials_head_needs_the_weights_that_its_file_leaves_out(nowhere):
    model, _ = trained(HEAD)

    nowhere()

    with pytest.raises(ConfigError, match="timm/tf_efficientnet_lite0: no weights here"):
        model.on("cpu")


def test_a_model_with_nothing_frozen_is_whole():
    model, _ = trained(MLP)

    assert model.whole() is model
