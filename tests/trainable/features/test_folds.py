"""Heads in folds: the features are computed once, and a fold takes rows of them."""

from dataclasses import replace

import numpy as np
import pytest

from sweep.datasets.folds import folded
from sweep.datasets.pixels.dataset import Split
from sweep.trainable.features import store
from tests.trainable.features.test_learning import LOGISTIC, MLP, computed, outcome, trained
from tests.trials import in_memory

__all__ = ["computed"]
DATA = folded(in_memory(), 4, 0)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "CHUNK_ROWS", 8)
    return lambda name: monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))


def copied(fold):
    """The same fold, its images an array of their own."""
    train, valid = (Split((), np.array(split.images[:]), split.labels) for split in (fold.train, fold.valid))
    return replace(fold, train=train, valid=valid)


@pytest.mark.parametrize("config", [replace(LOGISTIC, flip=True), MLP], ids=lambda config: config.arch)
@pytest.mark.parametrize("memory", [None, 0], ids=["in memory", "from its files"])
def test_a_fold_learns_what_it_would_learn_of_images_of_its_own(config, memory, cache, monkeypatch):
    if memory is not None:
        monkeypatch.setattr("sweep.trainable.features.matrix.MEMORY_BYTES", memory)
    cache("views")
    views = trained(config, DATA.fold(2))
    cache("copies")
    copies = trained(config, copied(DATA.fold(2)))
    assert outcome(views) == outcome(copies)


def test_the_features_of_all_folds_are_computed_once(cache, computed):
    cache("here")
    for fold in range(1, 5):
        trained(LOGISTIC, DATA.fold(fold))
    assert sum(computed) == 44
    computed.clear()
    other = folded(in_memory(), 3, 1)  # the same images in other folds
    trained(LOGISTIC, other.fold(1))
    assert not computed
