"""A head, from pixels to its epoch: whoever computes its features, and whenever."""

import gc
import signal
import threading
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sweep.datasets.pixels.rows import JoinedPixels
from sweep.trainable.config import ConfigError, TrialConfig
from sweep.trainable.features import computing, store
from sweep.trainable.loop import predict_logits, prepare, train
from sweep.trainable.models import frozen
from sweep.trainable.saving import load, save
from sweep.trainable.state import TrainState, new_state
from tests.copies import ROOT, run_in
from tests.trials import in_memory

LOGISTIC = TrialConfig(
    arch="logistic_head",
    backbone="timm/tf_efficientnet_lite0",
    epochs=1,
    penalty=0.01,
    stages="2-4",
    pooling="mean_std",
    input_size=32,
)
MLP = TrialConfig(
    arch="mlp_head",
    backbone="timm/tf_efficientnet_lite0",
    epochs=1,
    hidden=16,
    dropout=0.2,
    feature_mixup=0.5,
    input_size=32,
    optimizer="adamw",
    schedule="cosine",
    lr=1e-3,
    batch_size=8,
)
IMAGES = in_memory().valid.images
HEADS = pytest.mark.parametrize("config", [LOGISTIC, MLP], ids=lambda config: config.arch)

# Trains a head whose worker is gone once it has written two chunks.
KILLED = """
import os, signal, sys
from tests.trainable.features.test_learning import trained, LOGISTIC
from sweep.trainable.features import store

store.CHUNK_ROWS = 8
write = store.FeatureStore.write

def write_and_die(self, number, tensors):
    write(self, number, tensors)
    if number == 1:
        with self.claim(2):
            os.kill(os.getpid(), signal.SIGKILL)

store.FeatureStore.write = write_and_die
trained(LOGISTIC)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Gives each test a cache of its own in which chunks are small."""
    monkeypatch.setattr(store, "CHUNK_ROWS", 8)
    return lambda name: monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))


@pytest.fixture
def computed(monkeypatch):
    """Returns the rows that were computed so far, a list for each chunk."""
    chunks = []
    compute = computing._computed

    def noted(config, net, normalise, view, images):
        chunks.append(len(images))
        return compute(config, net, normalise, view, images)

    monkeypatch.setattr(computing, "_computed", noted)
    return chunks


def trained(config: TrialConfig, data=None) -> TrainState:
    torch.set_num_threads(1)
    data = data or in_memory()
    state = new_state(config, data)
    for _ in train(config, data, state):
        pass
    return state


def outcome(state: TrainState):
    assert state.best_logits is not None
    weights = {name: tensor.numpy().tobytes() for name, tensor in state.best_weights.items()}
    return state.best_logits.tobytes(), weights, replace(state.history[0], seconds=0.0)


@HEADS
class TestHead:
    def test_the_whole_net_says_what_the_head_says_of_the_features(self, config, cache):
        cache("here")
        state = trained(config)

        logits = predict_logits(config, state.model, in_memory().valid.images)

        np.testing.assert_allclose(logits, state.best_logits, atol=1e-3)
        assert state.history[0].valid_accuracy > 0.6  # by chance a third

    def test_features_that_are_found_give_what_features_just_computed_give(self, config, cache, computed):
        cache("here")
        first = outcome(trained(config))
        assert computed == [8, 8, 8, 8, 8, 4]

        assert outcome(trained(config)) == first
        assert len(computed) == 6

    def test_a_head_whose_features_are_found_needs_no_backbone(self, config, cache):
        cache("here")
        first = trained(config)

        again = trained(config)

        assert (first.model[1].backbone is None, again.model[1].backbone is None) == (False, True)
        np.testing.assert_array_equal(*(predict_logits(config, each.model, IMAGES) for each in (first, again)))

    def test_its_checkpoint_holds_the_head_alone_and_is_read_to_the_bit(self, config, cache, tmp_path):
        cache("here")
        state = trained(config)

        path = save(state, config, tmp_path)

        assert path.stat().st_size < 200_000  # the backbone has 13 MB
        again = load(path, config, in_memory(), state.metric.name)
        assert outcome(again) == outcome(state)
        learnt, read = frozen.own_weights(state.model), frozen.own_weights(again.model)
        assert all(torch.equal(learnt[name], read[name]) for name in learnt | read)
        assert list(train(config, in_memory(), again)) == []

    def test_it_is_one_epoch(self, config):
        with pytest.raises(ConfigError, match=r"`epochs = 1` must hold for arch=.*_head, got epochs=2"):
            new_state(replace(config, epochs=2), in_memory())

    def test_a_backbone_without_weights_is_named(self, config):
        with pytest.raises(Exception, match="timm/test_resnet"):
            trained(replace(config, backbone="timm/test_resnet"))


def test_a_worker_killed_amid_the_features_costs_one_chunk(cache, computed, tmp_path):
    cache("unbroken")
    unbroken = outcome(trained(LOGISTIC))
    del computed[:]
    cache("killed")

    died = run_in(ROOT, "-c", KILLED)
    after = outcome(trained(LOGISTIC))

    assert died.returncode == -signal.SIGKILL, died.stderr
    assert computed == [8, 8, 8, 4]  # of six chunks
    assert after == unbroken


def test_two_workers_compute_each_chunk_once_and_end_alike(cache, computed):
    cache("alone")
    alone = outcome(trained(LOGISTIC))
    del computed[:]
    cache("together")
    ends, together = [], threading.Barrier(2)

    def work() -> None:
        together.wait()
        ends.append(outcome(trained(LOGISTIC)))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert ends == [alone, alone]
    assert sorted(computed) == [4, 8, 8, 8, 8, 8]


def test_features_are_computed_a_chunk_a_step_and_found_by_the_training_that_follows(cache, computed):
    cache("whole")
    whole = outcome(trained(LOGISTIC))
    del computed[:]
    cache("by steps")
    state = new_state(LOGISTIC, in_memory())

    steps = [len(computed) for _ in prepare(LOGISTIC, in_memory(), state)]
    list(train(LOGISTIC, in_memory(), state))

    assert steps == [1, 2, 3, 4, 5, 6]
    assert len(computed) == 6
    assert outcome(state) == whole


def test_a_step_waits_for_what_another_worker_computes(cache, computed):
    cache("here")
    trained(LOGISTIC)
    state = new_state(LOGISTIC, in_memory())
    validation, _ = next(computing._stores(LOGISTIC, in_memory(), "validation", state.model[1], state.model[0]))
    validation.path(0).unlink()
    del computed[:]

    steps = prepare(LOGISTIC, in_memory(), state)
    with validation.claim(0):
        next(steps)
        next(steps)
        assert computed == []
    list(steps)

    assert computed == [8]


def test_a_damaged_chunk_is_computed_again(cache, computed, tmp_path):
    cache("here")
    first = outcome(trained(LOGISTIC))
    path = next((tmp_path / "here").rglob("000001.safetensors"))
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    del computed[:]

    assert outcome(trained(LOGISTIC)) == first
    assert len(computed) <= 1  # the last byte may belong to a part that this head does not read


def test_mirrored_images_are_computed_once_a_head_asks_for_them(cache, computed):
    cache("here")
    plain = trained(LOGISTIC)
    del computed[:]

    flipped = trained(replace(LOGISTIC, flip=True))

    assert computed == [8, 8, 8]  # of the training images alone
    assert outcome(flipped) != outcome(plain)


def test_a_refit_finds_the_features_of_both_splits(cache, computed):
    cache("here")
    data = in_memory()
    trained(LOGISTIC, data)
    del computed[:]
    both = replace(
        data.train,
        images=JoinedPixels(data.train.images, data.valid.images),
        labels=np.concatenate([data.train.truth, data.valid.truth]),
    )

    trained(LOGISTIC, replace(data, train=both))

    assert computed == []


def test_other_images_have_other_features(cache, computed):
    cache("here")
    trained(LOGISTIC)
    del computed[:]

    trained(LOGISTIC, in_memory(seed=1))

    assert len(computed) == 6


def test_the_penalty_keeps_the_weights_small(cache):
    cache("here")
    sizes = [
        float(trained(replace(LOGISTIC, penalty=penalty)).model[1].head.weight.detach().square().sum())
        for penalty in (0.001, 0.1, 10.0)
    ]

    assert sizes == sorted(sizes, reverse=True)


def test_what_a_seed_draws_decides_an_mlp_alone(cache):
    cache("here")
    same, other = (outcome(trained(replace(MLP, seed=seed))) for seed in (0, 1))

    assert same == outcome(trained(MLP))
    assert other != same
    assert outcome(trained(replace(LOGISTIC, seed=1)))[0] == outcome(trained(LOGISTIC))[0]


def test_the_backbone_is_what_is_frozen(cache):
    state = new_state(LOGISTIC, in_memory())

    learnt = frozen.own_weights(state.model)

    assert set(learnt) == {"0.mean", "0.std", "1.mean", "1.std", "1.head.weight", "1.head.bias"}


def test_a_worker_keeps_nothing_of_the_trials_before(cache, monkeypatch):
    made = []
    features = computing.Features.__init__

    def noted(self, *given):
        made.append(weakref.ref(self))
        features(self, *given)

    monkeypatch.setattr(computing.Features, "__init__", noted)
    cache("here")
    state = trained(LOGISTIC)

    gc.collect()

    assert state.best_epoch == 1
    assert len(made) == 2
    assert [reference() for reference in made] == [None, None]


def test_features_are_mapped_so_that_workers_share_them(cache):
    cache("here")
    state = new_state(LOGISTIC, in_memory())

    found = computing.features_of(LOGISTIC, in_memory(), "train", state.model[1], state.model[0])

    mapped = Path("/proc/self/maps").read_text()
    assert found.count == 24
    assert all(f"{number:06d}.safetensors" in mapped for number in range(3))  # the chunks
