"""Caches of libraries that hold nothing, and a server to fetch from."""

import pytest

from sweep.trainable import weights
from sweep.trainable.options import CHOICES
from sweep.trainable.weights import given, lite0_package
from tests.trainable.weights.servers import serving

INSTALLED = lite0_package._path


@pytest.fixture(autouse=True)
def empty_machine(tmp_path, monkeypatch):
    """Nothing is at hand, and the command says nothing of weights."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(lite0_package, "_path", lambda: None)
    monkeypatch.setattr(CHOICES, "place", None)
    monkeypatch.setattr(CHOICES, "offline", False)
    given.assign([])
    weights.remember({})
    yield
    weights.remember({})


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture
def package(monkeypatch):
    """The package with the weights of EfficientNet-Lite0 is there."""
    pytest.importorskip(lite0_package.PACKAGE)
    monkeypatch.setattr(lite0_package, "_path", INSTALLED)
