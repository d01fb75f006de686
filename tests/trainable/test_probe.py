"""Whether a step may be a graph is tried once; what stands in for a graph here does the step at each replay."""

import json
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import albumentations as A
import numpy as np
import pytest
import torch

from sweep.datasets.augment.pipeline import to_text
from sweep.storage import user_code
from sweep.trainable import precision, probe, step
from sweep.trainable.config import TrialConfig
from sweep.trainable.loop import train
from sweep.trainable.models import known
from sweep.trainable.saving import load, save
from sweep.trainable.state import new_state
from sweep.trainable.undo import StateCopy
from tests.trainable.test_loop import without_seconds
from tests.trials import in_memory

DATA = in_memory(train=40)
COMMON = dict(batch_size=8, epochs=3, seed=2)
CONFIGS = [
    TrialConfig(arch="cnn", width=1.0, depth=1, head=8, optimizer="adamw", lr=0.002, horizontal_flip=0.5, **COMMON),
    TrialConfig(arch="small_resnet", width=0.25, depth=1, optimizer="nesterov", lr=0.02, clip=1.0, **COMMON),
]
MINE = '''
"""Nets whose steps do something on the host."""
import random
import numpy as np
import torch
from torch import nn

CALLS = [0]


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.layer, self.steps = nn.Linear(3, classes), 0

    def forward(self, images):
        return self.layer(images.mean((2, 3))) * self.factor()

    def factor(self):
        return 1.0


class Draws(Net):
    def factor(self):
        return float(random.random() < 0.9)


class DrawsWithNumpy(Net):
    def factor(self):
        return np.random.rand()


class Counts(Net):
    def factor(self):
        self.steps += 1
        return 1.0


class CountsElsewhere(Net):
    def factor(self):
        CALLS[0] += 1
        return 1.0 + CALLS[0] % 3


def plain(config, classes, image_size):
    return Net(classes)


def draws(config, classes, image_size):
    return Draws(classes)


def draws_with_numpy(config, classes, image_size):
    return DrawsWithNumpy(classes)


def counts(config, classes, image_size):
    return Counts(classes)


def counts_elsewhere(config, classes, image_size):
    return CountsElsewhere(classes)
'''


class Replayed:
    """Stands in for a graph: a replay leaves gradients and losses in the memory of the capture, and no name on them."""

    made: ClassVar[list["Replayed"]] = []
    calls = 0

    def __init__(self, function, example):
        self.function, Replayed.made = function, [*Replayed.made, self]
        self.parameters = list(function.__self__.state.model.parameters())
        self.loss = function(example)  # as the stand-in has no way to capture without it, what is tried must undo it
        self.gradients = [parameter.grad for parameter in self.parameters]

    def __call__(self, value):
        Replayed.calls += 1
        named = [parameter.grad for parameter in self.parameters]
        self.loss.copy_(self.function(value))
        torch._foreach_copy_(self.gradients, [parameter.grad for parameter in self.parameters])
        for parameter, gradient in zip(self.parameters, named, strict=True):
            parameter.grad = gradient
        return self.loss


@pytest.fixture(autouse=True)
def graphs(monkeypatch, tmp_path):
    """Makes this machine one with graphs, of the class that the test gives, and an empty cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Replayed.made, Replayed.calls = [], 0

    def use(kind):
        monkeypatch.setattr(step, "has_graphs", lambda device: kind is not None)
        monkeypatch.setattr(probe, "Graphed", kind)

    use(Replayed)
    return use


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)

    def config(function, **more):
        reference = user_code.name(f"{path}:{function}", "--fix arch")
        return TrialConfig(arch=reference, lr=0.05, **{**COMMON, **more})

    return config


def trained(config, data=DATA):
    state = new_state(config, data)
    return list(train(config, data, state)), state


def answers(tmp_path):
    return [json.loads(path.read_text())["found"] for path in (tmp_path / "cache/sweep/nets").glob("*.json")]


def assert_same(state, expected):
    assert without_seconds(state.history) == without_seconds(expected.history)
    for name, tensor in expected.model.state_dict().items():
        assert torch.equal(tensor, state.model.state_dict()[name]), name
    found, wanted = (each.optimizer.state_dict()["state"] for each in (state, expected))
    assert found.keys() == wanted.keys()
    for index, values in wanted.items():
        for name, value in values.items():
            assert torch.equal(torch.as_tensor(found[index][name]), torch.as_tensor(value)), name


@pytest.mark.parametrize("format", [torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.arch)
def test_a_trial_with_a_graph_is_to_the_bit_the_trial_without_one(config, format, graphs, tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "format_of", lambda device: format)
    _, state = trained(config)
    replays = Replayed.calls - probe.STEPS
    graphs(None)
    _, expected = trained(config)

    assert replays == 3 * 5 - step.STEPS_BEFORE_GRAPH
    assert (state.scaler is not None) == (format is torch.float16)
    assert_same(state, expected)
    assert state.note == ""
    assert answers(tmp_path) == [""]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.arch)
def test_a_capture_that_fails_leaves_the_trial_as_it_was_and_is_not_tried_again(config, graphs, tmp_path):
    class Refused(Replayed):
        def __init__(self, function, example):
            super().__init__(function, example)
            random.random(), np.random.rand(), torch.rand(1)
            raise RuntimeError("operation not permitted when stream is capturing\nCompile with TORCH_USE_CUDA_DSA")

    graphs(Refused)
    drawn = random.getstate()
    _, state = trained(config)
    _, again = trained(replace(config, seed=3, lr=0.001))
    tried = len(Replayed.made)
    host = random.getstate()
    graphs(None)
    _, expected = trained(config)

    assert tried == 1
    assert host == drawn
    assert_same(state, expected)
    assert state.note == again.note == f"{step.NO_GRAPH}: operation not permitted when stream is capturing"
    assert answers(tmp_path) == ["operation not permitted when stream is capturing"]


@pytest.mark.parametrize(
    ("function", "why"),
    [
        ("draws", "each of its steps changes something on the host, Python's generator of random numbers"),
        ("draws_with_numpy", "each of its steps changes something on the host, numpy's generator of random numbers"),
        ("counts", "each of its steps changes something on the host, `steps` of its layer 1"),
    ],
)
def test_a_net_that_takes_part_of_its_step_on_the_host_is_no_graph(function, why, mine, graphs):
    config = mine(function)
    random.seed(5), np.random.seed(5)
    _, state = trained(config)
    graphs(None)
    random.seed(5), np.random.seed(5)
    _, expected = trained(config)

    assert Replayed.made == []
    assert state.note == f"{step.NO_GRAPH}: {why}"
    assert_same(state, expected)


def test_a_graph_that_replays_what_the_host_did_once_is_found_out_by_its_results(mine, graphs):
    """The capture fixes a number that the host counts where nobody looks."""
    config = mine("counts_elsewhere")
    counter = user_code.get(config.arch).__globals__["CALLS"]

    class AsCaptured(Replayed):
        def __init__(self, function, example):
            self.count = counter[0]
            super().__init__(function, example)

        def __call__(self, value):
            now, counter[0] = counter[0], self.count
            try:
                return super().__call__(value)
            finally:
                counter[0] = now

    graphs(AsCaptured)
    _, state = trained(config)

    assert len(Replayed.made) == 1
    assert state.note.startswith(f"{step.NO_GRAPH}: replayed, its steps have other ")
    assert Replayed.calls == probe.STEPS


@pytest.mark.parametrize("wrong", ["loss", "gradients", "weights"])
def test_whatever_a_replay_does_otherwise_is_seen(wrong, graphs):
    class Wrong(Replayed):
        def __call__(self, value):
            before = [parameter.detach().clone() for parameter in self.parameters]
            loss = super().__call__(value)
            with torch.no_grad():
                if wrong == "gradients":
                    self.gradients[0].mul_(1.3)
                if wrong == "weights":
                    torch._foreach_copy_(self.parameters, before)
            return loss * 1.1 if wrong == "loss" else loss

    graphs(Wrong)
    _, state = trained(CONFIGS[0])

    assert state.note.startswith(f"{step.NO_GRAPH}: replayed, its steps have other ")
    assert Replayed.calls == probe.STEPS


def test_roundings_that_come_in_another_order_are_no_other_results(graphs):
    class Rounded(Replayed):
        def __call__(self, value):
            loss = super().__call__(value)
            generator = torch.Generator().manual_seed(1)
            for gradient in self.gradients:
                gradient.mul_(1 + 2**-8 * torch.randn(gradient.shape, generator=generator))
            return loss * (1 + 2**-8)

    graphs(Rounded)
    _, state = trained(CONFIGS[0])

    assert state.note == ""
    assert Replayed.calls > probe.STEPS


def test_a_lack_of_memory_is_told_and_not_kept(graphs, tmp_path):
    class TooLarge(Replayed):
        def __init__(self, function, example):
            super().__init__(function, example)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    graphs(TooLarge)
    _, state = trained(CONFIGS[0])
    graphs(Replayed)
    _, next_one = trained(CONFIGS[0])

    assert state.note == f"{step.NO_GRAPH}: the GPU's memory is too short for one"
    assert next_one.note == ""
    assert answers(tmp_path) == [""]


def test_a_step_that_overflows_is_not_compared_and_tried_again_later(graphs, tmp_path):
    state, passes = new_state(CONFIGS[0], DATA), []

    def overflow(layer, inputs, output):
        passes.append(1)
        return output * math.inf if 3 < len(passes) < 6 else output

    state.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    state.model.register_forward_hook(overflow)
    list(train(CONFIGS[0], DATA, state))

    assert answers(tmp_path) == [""]
    assert len(Replayed.made) == 1
    assert state.note == ""


def test_an_answer_is_of_a_kind_of_step_a_device_and_versions(monkeypatch):
    def about(config=CONFIGS[0], batch=(8, 3, 16, 16)):
        return probe.identity(config, new_state(config, DATA).model, batch, torch.device("cpu"))

    first = about()

    others = [replace(CONFIGS[0], seed=9), replace(CONFIGS[0], lr=0.3, weight_decay=0.2, horizontal_flip=0.1, epochs=9)]
    assert all(about(config) == first for config in others)
    kinds = [
        about(batch=(16, 3, 16, 16)),
        about(batch=(8, 3, 32, 32)),
        about(replace(CONFIGS[0], width=2.0)),
        about(replace(CONFIGS[0], horizontal_flip=0.0)),
        about(replace(CONFIGS[0], optimizer="sgd")),
        about(replace(CONFIGS[0], clip=1.0)),
        about(CONFIGS[1]),
    ]
    for kind in kinds:
        assert kind != first
    asked = []
    for version in ("2.14.1", "2.15.0", "2.14.1"):
        monkeypatch.setattr(known, "versions", lambda version=version: {"torch": version})
        known.known(first, lambda version=version: asked.append(version) or "")
    assert asked == ["2.14.1", "2.15.0"]


def test_an_answer_of_the_users_net_is_of_its_file(mine, tmp_path):
    trained(mine("plain"))
    (tmp_path / "mine.py").write_text(MINE + "\n# changed\n")
    trained(mine("plain"))

    assert len(answers(tmp_path)) == 2


def test_a_cut_answer_is_asked_for_again(tmp_path):
    trained(CONFIGS[0])
    (path,) = (tmp_path / "cache/sweep/nets").glob("*.json")
    path.write_bytes(path.read_bytes()[:10])
    Replayed.made = []

    _, state = trained(CONFIGS[0])

    assert len(Replayed.made) == 1
    assert state.note == ""
    assert answers(tmp_path) == [""]


def test_a_pipeline_that_is_done_on_the_host_is_said_to_keep_steps_from_being_graphs():
    pipeline = to_text(A.Compose([A.MedianBlur(p=0.5)]))
    _, state = trained(replace(CONFIGS[0], horizontal_flip=0.0, pipeline=pipeline, epochs=1))

    assert state.note == f"{step.NO_GRAPH}: MedianBlur of its pipeline is done image by image, on the host"
    assert Replayed.made == []


def test_a_trial_continued_with_a_graph_ends_as_one_that_was_not_killed(tmp_path):
    config = CONFIGS[1]
    _, unbroken = trained(config)
    state = new_state(config, DATA)
    next(train(config, DATA, state))
    continued = load(save(state, config, Path(tmp_path / "trial")), config, DATA, "accuracy")
    list(train(config, DATA, continued))

    assert_same(continued, unbroken)


@pytest.mark.parametrize("scaled", [False, True], ids=["", "float16"])
def test_what_is_undone_is_undone_to_the_bit(scaled, monkeypatch):
    if scaled:
        monkeypatch.setattr(precision, "format_of", lambda device: torch.float16)
    config = CONFIGS[0]
    state = new_state(config, DATA)
    next(train(config, DATA, state))
    generator = torch.Generator().manual_seed(3)
    kept = StateCopy(state, generator)

    def everything():
        of_optimizer = state.optimizer.state_dict()["state"]
        values = [*state.model.state_dict().values(), *(v for its in of_optimizer.values() for v in its.values())]
        scale = state.scaler.state_dict() if scaled else {}
        host = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
        return [value.tolist() for value in values], scale, host, generator.get_state().tolist()

    before = everything()
    state.history.clear()
    next(train(config, DATA, state))
    torch.rand(3, generator=generator), random.random(), np.random.rand()
    assert all(one != other for one, other in zip(everything(), before, strict=True) if one != {})
    kept.restore()

    assert everything() == before
    assert all(parameter.grad is None for parameter in state.model.parameters())
