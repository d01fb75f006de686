"""Training in float16, whose gradients are scaled: on a CPU here, which computes the same, only slowly."""

import copy
import itertools
import math

import pytest
import torch

from sweep.trainable import precision
from sweep.trainable.config import TrialConfig
from sweep.trainable.loop import Diverged, train
from sweep.trainable.saving import load, save
from sweep.trainable.state import new_state
from tests.trainable.test_loop import without_seconds
from tests.trials import in_memory

DATA = in_memory(train=40)
OVERFLOWING = 2.0**45  # a scale at which gradients do not fit into float16
COMMON = dict(arch="cnn", width=1.0, depth=1, head=8, batch_size=8, epochs=3, seed=2)
CONFIGS = [
    TrialConfig(**COMMON, optimizer="sgd", lr=0.02),
    TrialConfig(**COMMON, optimizer="nesterov", lr=0.02, weight_decay=1e-2, clip=0.5, horizontal_flip=0.5),
    TrialConfig(**COMMON, optimizer="adamw", lr=0.002, ema=0.9, mixup=0.5),
]
each = pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.optimizer)


@pytest.fixture(autouse=True)
def computes_in(monkeypatch):
    """Makes this machine one that multiplies in a format: float16, until the test asks for another."""

    def choose(format):
        monkeypatch.setattr(precision, "format_of", lambda device: format)

    choose(torch.float16)
    return choose


def begun(config, scale=None):
    state = new_state(config, DATA)
    if scale is not None:
        state.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    return state


def tensors_of(state):
    """All that training changes, by name."""
    of_optimizer = {
        f"{index}.{name}": value
        for index, values in state.optimizer.state_dict()["state"].items()
        for name, value in values.items()
        if value is not None
    }
    return {**state.model.state_dict(), **of_optimizer, "scale": torch.tensor(state.scaler.get_scale())}


@each
def test_a_trial_in_float16_learns_what_it_learns_in_float32(config, computes_in):
    short = list(train(config, DATA, begun(config)))
    computes_in(torch.float32)
    assert begun(config).scaler is None
    full = list(train(config, DATA, begun(config)))

    for one, other in zip(short, full, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=0.02)
        assert one.train_loss != other.train_loss


@pytest.mark.parametrize("config", CONFIGS[:2], ids=lambda config: config.optimizer)
def test_gradients_so_small_that_float16_has_none_of_them_are_not_lost(config, computes_in):
    """The classifier is so small that what comes back through it is below the smallest number of float16."""
    one_step = {"batch_size": 40, "epochs": 1, "schedule": "constant", "clip": None, "weight_decay": 0, "lr": 100}
    config = TrialConfig(**{**config.to_dict(), **one_step})

    def first_layer_moves(scale=None):
        state = begun(config, scale)
        layers = [layer for layer in state.model.modules() if isinstance(layer, (torch.nn.Linear, torch.nn.Conv2d))]
        with torch.no_grad():
            layers[-1].weight.mul_(1e-6)
        before = layers[0].weight.detach().clone()
        next(train(config, DATA, state))
        return float((layers[0].weight.detach() - before).norm())

    scaled, unscaled = first_layer_moves(), first_layer_moves(1.0)
    computes_in(torch.float32)
    expected = first_layer_moves()

    assert scaled == pytest.approx(expected, rel=0.1)
    assert abs(unscaled - expected) > 0.3 * expected


@each
def test_a_step_whose_gradients_overflow_changes_nothing_but_the_scale(config):
    config = TrialConfig(**{**config.to_dict(), "batch_size": 40, "epochs": 1, "ema": None})
    state, before = begun(config, OVERFLOWING), copy.deepcopy(begun(config))

    [metrics] = train(config, DATA, state)

    found, expected = tensors_of(state), tensors_of(before)
    assert found.pop("scale") == OVERFLOWING / 2
    expected.pop("scale")
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name
    assert not any(tensor.any() for name, tensor in found.items() if name not in expected)  # made by the optimizer
    assert math.isfinite(metrics.train_loss)


@each
def test_a_trial_goes_on_after_steps_that_overflowed_and_its_first_steps_are_those_of_another(config):
    """Nothing of a skipped step is left: the optimizer's momentum begins with the first step that is taken."""
    config = TrialConfig(**{**config.to_dict(), "epochs": 12})
    state = begun(config, OVERFLOWING)

    history = list(train(config, DATA, state))

    assert state.scaler.get_scale() < OVERFLOWING
    assert history[-1].train_loss < history[0].train_loss
    assert all(tensor.isfinite().all() for tensor in tensors_of(state).values())


@each
@pytest.mark.parametrize("scale", [None, OVERFLOWING], ids=["", "overflowing"])
def test_a_trial_killed_after_any_epoch_ends_like_one_that_was_not(config, scale, tmp_path):
    unbroken = begun(config, scale)
    list(train(config, DATA, unbroken))

    for killed_after in (1, 2):
        state = begun(config, scale)
        for metrics in itertools.islice(train(config, DATA, state), killed_after):
            path = save(state, config, tmp_path / f"{metrics.epoch}")
        torch.manual_seed(12345)
        continued = load(path, config, DATA, "accuracy")
        list(train(config, DATA, continued))

        assert without_seconds(continued.history) == without_seconds(unbroken.history)
        found = tensors_of(continued)
        for name, tensor in tensors_of(unbroken).items():
            assert torch.equal(tensor, found[name]), name


def test_a_checkpoint_of_float16_is_continued_in_another_format_and_the_other_way_round(tmp_path, computes_in):
    config = CONFIGS[0]
    for first, then in ((torch.float16, torch.float32), (torch.float32, torch.float16)):
        computes_in(first)
        state = begun(config)
        next(train(config, DATA, state))
        path = save(state, config, tmp_path / str(first))
        computes_in(then)
        continued = load(path, config, DATA, "accuracy")

        assert len(list(train(config, DATA, continued))) == 2


def test_gradients_that_overflow_at_every_scale_have_diverged():
    config = CONFIGS[0]
    state = begun(config, 8.0)
    next(state.model.parameters()).register_hook(lambda gradient: gradient * math.inf)

    with pytest.raises(Diverged, match="epoch 1: gradients overflow float16 however small"):
        list(train(config, DATA, state))


def test_a_pass_that_overflows_once_is_skipped_and_its_loss_counts_nothing():
    config = CONFIGS[2]
    state, passes = begun(config, 2.0**10), []

    def overflow(layer, inputs, output):
        passes.append(layer.training)
        return output * math.inf if len(passes) == 2 else output

    state.model.register_forward_hook(overflow)
    history = list(train(config, DATA, state))

    assert state.scaler.get_scale() == 2.0**9
    assert all(math.isfinite(metrics.train_loss) for metrics in history)
