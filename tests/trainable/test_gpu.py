"""On a GPU, where there is one: what a CPU trains, and nothing waits for the device that need not."""

import math
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sweep.trainable import images, step
from sweep.trainable.config import AUGMENTATIONS, TrialConfig
from sweep.trainable.graphed import Graphed
from sweep.trainable.images import on_device
from sweep.trainable.loop import predict_logits, train
from sweep.trainable.precision import numerics
from sweep.trainable.saving import load, save
from sweep.trainable.state import new_state
from tests.trainable.test_images import on_disk
from tests.trials import in_memory

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")

ROOT = Path(__file__).resolve().parents[2]
GPU = torch.device("cuda")
DATA = in_memory(train=260)  # 8 batches of 32 and one of 4
AUGMENTED = dict.fromkeys(AUGMENTATIONS, 0.5) | {"label_smoothing": 0.1}
CONFIGS = [
    TrialConfig(arch="mlp", width=1.0, epochs=4, batch_size=32, optimizer="adamw", lr=0.01, **AUGMENTED),
    TrialConfig(arch="cnn", width=1.0, depth=2, head=16, epochs=4, batch_size=32, lr=0.05, **AUGMENTED),
    TrialConfig(arch="small_vgg", width=1.0, epochs=4, batch_size=32, **AUGMENTED),
    TrialConfig(arch="small_resnet", width=1.0, depth=1, epochs=4, batch_size=32, optimizer="sgd", **AUGMENTED),
    TrialConfig(arch="resnet18", small_stem=False, pretrained=False, epochs=4, batch_size=32, lr=0.01, **AUGMENTED),
    TrialConfig(arch="mobilenet_v3_small", pretrained=False, epochs=4, batch_size=32, lr=0.01, **AUGMENTED),
]
each = pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.arch)
mixed_or_not = pytest.mark.parametrize("mixed", [{}, {"mixup": 0.25, "cutmix": 0.25}], ids=["", "mixed"])


def trained(config, device="cuda", data=DATA):
    state = new_state(config, data, device=device)
    return list(train(config, data, state)), state


def tolerance(config):
    """Of a mean loss: sums on a GPU are not always of one order, and bf16 has three digits."""
    return 1e-3 if numerics(config.arch, GPU).format is torch.float32 else 0.05


@pytest.fixture
def replays(monkeypatch):
    """A list with an entry for each replay of a graph."""
    seen = []
    real = Graphed.__call__
    monkeypatch.setattr(Graphed, "__call__", lambda self, value: seen.append(1) or real(self, value))
    return seen


@pytest.fixture
def little_memory():
    """Makes this process have so many bytes more than it has taken already, until the test's end."""

    def leave(size):
        torch.cuda.empty_cache()
        whole = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + size) / whole)

    yield leave
    torch.cuda.set_per_process_memory_fraction(1.0)


def test_a_graph_replayed_between_eager_calls_and_new_seeds_does_what_the_function_does_to_the_bit():
    """Draws of a generator and of torch's own, a rate that changes, and what is kept from call to call."""

    def run(graphed):
        generator, rate = torch.Generator(GPU), torch.zeros((), device=GPU)
        total = torch.zeros(64, device=GPU)

        def function(values):
            noise = torch.rand(64, generator=generator, device=GPU)
            return total.add_(rate * F.dropout(values + noise)).sum()

        seen = []
        for call in range(12):
            if call % 4 == 0:
                generator.manual_seed(call)
                torch.manual_seed(call)
            if graphed and call == 2:
                function_or_graph = Graphed(function, torch.ones(64, device=GPU))
            rate.fill_(0.1 * call)
            values = torch.full((64,), float(call), device=GPU)
            is_eager = not graphed or call < 2 or call % 3 == 0
            seen.append(float((function if is_eager else function_or_graph)(values)))
        return seen, total.tolist(), generator.get_state().tolist(), torch.cuda.get_rng_state().tolist()

    assert run(graphed=True) == run(graphed=False)


@each
@mixed_or_not
def test_an_epoch_waits_for_the_gpu_equally_often_however_many_its_steps(config, mixed):
    waits = []
    for batch_size in (32, 4):  # 9 steps and 65
        of_size = replace(config, batch_size=batch_size, **mixed)
        epochs = train(of_size, DATA, new_state(of_size, DATA, device="cuda"))
        next(epochs)
        next(epochs)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                next(epochs)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        waits.append([str(warning.message) for warning in seen if "called a synchronizing" in str(warning.message)])

    assert waits[0] == waits[1]
    assert 1 <= len(waits[0]) <= 10


@each
@mixed_or_not
def test_steps_replayed_as_a_graph_train_as_those_launched_one_by_one(config, mixed, monkeypatch, replays):
    config = replace(config, **mixed)
    trained(config)  # a step of its kind has been tried
    replays.clear()
    graphed, state = trained(config)
    count = len(replays)
    monkeypatch.setattr(step, "STEPS_BEFORE_GRAPH", math.inf)
    one_by_one, expected = trained(config)

    assert len(replays) == count
    assert 0 < count < 4 * 8 - 3 if mixed else count == 4 * 8 - 3
    assert state.note == ""
    for a, b in zip(graphed, one_by_one, strict=True):
        assert a.train_loss == pytest.approx(b.train_loss, rel=tolerance(config))
    assert batches_seen(state) == batches_seen(expected)
    assert state.optimizer.param_groups[0]["lr"].item() == pytest.approx(graphed[-1].lr)


@each
@mixed_or_not
def test_images_that_go_there_by_the_batch_train_as_those_that_lie_there(config, mixed, monkeypatch, replays, tmp_path):
    config = replace(config, **mixed)
    trained(config)  # a step of its kind has been tried
    replays.clear()
    whole, _ = trained(config)
    count = len(replays)
    monkeypatch.setattr(images, "GPU_SHARE", 0.0)

    for data in (DATA, on_disk(tmp_path, DATA)):
        replays.clear()
        by_batch, _ = trained(config, data=data)

        assert len(replays) == count
        for a, b in zip(by_batch, whole, strict=True):
            assert a.train_loss == pytest.approx(b.train_loss, rel=tolerance(config))
            assert a.valid_loss == pytest.approx(b.valid_loss, rel=max(tolerance(config), 0.05))


def batches_seen(state):
    """By each batch norm."""
    return [int(tensor) for name, tensor in state.model.state_dict().items() if name.endswith("num_batches_tracked")]


@each
def test_a_trial_stopped_and_continued_on_a_gpu_goes_on_as_an_unbroken_one(config, tmp_path):
    unbroken, _ = trained(config)

    state = new_state(config, DATA, device="cuda")
    next(train(config, DATA, state))
    torch.manual_seed(12345)
    continued = load(save(state, config, tmp_path), config, DATA, "accuracy", "cuda")
    list(train(config, DATA, continued))

    for metrics, expected in zip(continued.history, unbroken, strict=True):
        assert metrics.train_loss == pytest.approx(expected.train_loss, rel=tolerance(config))


@pytest.mark.parametrize("config", CONFIGS[:-1], ids=lambda config: config.arch)
def test_a_gpu_learns_an_easy_task_as_a_cpu_does(config):
    config = replace(config, epochs=6, **dict.fromkeys(AUGMENTATIONS, 0.0))
    for device in ("cpu", "cuda"):
        history, _ = trained(config, device)

        assert max(metrics.valid_accuracy for metrics in history) > 0.9, device


@each
def test_weights_trained_on_a_gpu_predict_on_a_cpu_as_there(config, tmp_path):
    state = new_state(config, DATA, device="cuda")
    next(train(config, DATA, state))
    there = predict_logits(config, state.model, on_device(DATA.valid.images, GPU))

    here = load(save(state, config, tmp_path), config, DATA, "accuracy", "cpu")
    logits = predict_logits(config, here.model, on_device(DATA.valid.images, torch.device("cpu")))

    assert np.abs(logits - there).max() <= 0.05 * max(1.0, np.abs(there).max())


@pytest.mark.parametrize("shape", [{"arch": "small_vgg"}, {"arch": "small_resnet", "depth": 1}], ids=str)
def test_a_batch_that_does_not_fit_goes_through_in_micro_batches(shape, little_memory):
    config = TrialConfig(**shape, width=4.0, epochs=1, batch_size=4096, lr=0.01)
    data = in_memory(train=4096)
    little_memory(2**29)

    [metrics], _ = trained(config, data=data)

    assert 2 <= metrics.micro_batch < config.batch_size
    assert np.isfinite(metrics.train_loss)


def test_where_a_graph_and_an_eager_step_do_not_fit_beside_each_other_batches_stay_whole(little_memory, replays):
    config = TrialConfig(arch="small_vgg", width=4.0, epochs=3, batch_size=1024, lr=0.01, mixup=0.5)
    data = in_memory(train=8192)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_reserved()
    trained(replace(config, epochs=1, mixup=1.0), data=data)  # without a graph
    little_memory(round(1.5 * (torch.cuda.max_memory_reserved() - before)))

    history, _ = trained(config, data=data)

    assert replays
    assert [metrics.micro_batch for metrics in history] == [1024] * 3


@pytest.mark.ray
def test_four_trials_share_a_gpu(tmp_path, tiny_data):
    log = tmp_path / "log"
    words = ["--data", tiny_data, "--sweep", tmp_path / "sweep", "--trials", 4, "--max-epochs", 2, "--no-baselines"]
    words += ["--gpus-per-trial", 0.25, "--concurrency", 4, "--fix", "arch=cnn", "--fix", "epochs=2"]
    words += ["--fix", "batch_size=8"]  # 7 steps of it an epoch, so that most are a graph's

    done = subprocess.run(
        [sys.executable, "-m", "tests.counted_run", *map(str, [log, *words])],
        cwd=ROOT,
        env={**os.environ, "RAY_ADDRESS": "local"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    epochs = [line.split() for line in log.read_text().splitlines()]
    assert len(epochs) == 4 * 2
    assert {device for *_, device in epochs} == {"cuda"}
    assert len({process for _, _, _, process, _ in epochs}) == 4
