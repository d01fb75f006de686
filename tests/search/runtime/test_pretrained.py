"""The preflight's look at the weights that a sweep goes on with."""

import pytest

from sweep.search.runtime.pretrained import check_weights
from sweep.trainable.options import CHOICES
from sweep.trainable.weights import WeightsError, cache
from sweep.trainable.weights.prepare import entries, prepare
from tests.trainable.weights import nets
from tests.trainable.weights.fixtures import empty_machine
from tests.trials import open_bridge

__all__ = ["empty_machine"]


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    from sweep.storage.sweep_file import SweepFile

    folder = tmp_path / "sweep"
    open_bridge(folder, 1)
    monkeypatch.setattr(CHOICES, "place", nets.saved(nets.TIMM, tmp_path / "test_resnet.pth"))
    file = SweepFile.read(folder)
    file.weights = entries(prepare([nets.TIMM], pytest.fail))
    file.write(folder)
    monkeypatch.setattr(CHOICES, "place", None)
    return folder


def test_weights_that_are_there_are_told(sweep, tmp_path):
    assert check_weights(sweep) == [f"weights of {nets.TIMM}: {tmp_path}/test_resnet.pth"]


def test_weights_that_are_gone_are_refused_with_what_they_were(sweep):
    for path in cache.folder().glob("*.safetensors"):
        path.unlink()

    with pytest.raises(WeightsError, match=r"not on this machine \(those of this sweep: test_resnet.pth, sha256"):
        check_weights(sweep)


def test_without_a_sweep_the_nets_at_hand_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(CHOICES, "place", nets.saved(nets.TIMM, tmp_path / "test_resnet.pth"))

    assert check_weights(tmp_path / "new") == [f"weights at hand: {nets.TIMM}"]
