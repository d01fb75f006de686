"""A trained model that predicts, with what its own weights leave out."""

import numpy as np
import pytest
import torch
from safetensors.torch import save

from sweep.analysis.outputs.trained import Trained
from sweep.datasets.decoders.recipe import Decoding
from sweep.storage.errors import ConfigError
from sweep.trainable import weights
from sweep.trainable.config import TrialConfig
from sweep.trainable.loop import train
from sweep.trainable.state import new_state
from tests.trials import in_memory

HEAD = TrialConfig(
    arch="logistic_head", backbone="timm/tf_efficientnet_lite0", epochs=1, penalty=0.1, stages="3-4", input_size=32
)
FROZEN = TrialConfig(arch="timm/test_resnet", pretrained=False, frozen_stages=2, epochs=1, batch_size=8, lr=0.01)


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


def test_a_head_predicts_what_its_trial_measured():
    model, logits = trained(HEAD)

    found = model.log_probabilities(in_memory().valid.images, False)

    np.testing.assert_allclose(found - found.max(1, keepdims=True), logits - logits.max(1, keepdims=True), atol=2e-3)


def test_a_frozen_front_that_was_drawn_is_drawn_again():
    model, logits = trained(FROZEN)
    torch.manual_seed(7)

    found = model.log_probabilities(in_memory().valid.images, False)

    np.testing.assert_allclose(found - found.max(1, keepdims=True), logits - logits.max(1, keepdims=True), atol=2e-3)


def test_a_trials_head_needs_the_weights_that_its_file_leaves_out(nowhere):
    model, _ = trained(HEAD)

    nowhere()

    with pytest.raises(ConfigError, match="timm/tf_efficientnet_lite0: no weights here"):
        model.module_on("cpu")
