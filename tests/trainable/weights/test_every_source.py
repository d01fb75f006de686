"""What holds for each place that weights come from."""

import shutil
from dataclasses import replace

import pytest
import torch

from sweep.trainable import weights
from sweep.trainable.config import TrialConfig
from sweep.trainable.options import CHOICES
from sweep.trainable.weights import cache, lite0_package, needed
from sweep.trainable.weights.prepare import prepare
from tests.trainable.weights import nets

PACKAGE_FILE = lite0_package._path()  # as it is before a test has an empty machine


def put_given(tmp_path, monkeypatch):
    path = nets.saved(nets.TIMM, tmp_path / "own" / "test_resnet.safetensors")
    monkeypatch.setattr(CHOICES, "place", path.parent)
    return nets.TIMM, path


def put_torchvision(tmp_path, monkeypatch):
    path = nets.saved(nets.TORCHVISION, tmp_path / "torch" / "hub" / "checkpoints" / "new.pth")
    return nets.TORCHVISION, nets.in_torch_hub(path, monkeypatch)[0]


def put_timm(tmp_path, monkeypatch):
    repository = tmp_path / "hf" / "hub" / "models--timm--test_resnet.r160_in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("1234")
    return nets.TIMM, nets.saved(nets.TIMM, repository / "snapshots" / "1234" / "model.safetensors")


def put_package(tmp_path, monkeypatch):
    if PACKAGE_FILE is None:
        pytest.skip("the package is not installed")
    path = tmp_path / PACKAGE_FILE.name
    shutil.copy(PACKAGE_FILE, path)
    monkeypatch.setattr(lite0_package, "_path", lambda: path if path.exists() else None)
    return lite0_package.ARCH, path


PUT = {"given": put_given, "torchvision": put_torchvision, "timm": put_timm, "package": put_package}


@pytest.mark.parametrize("source", weights.SOURCES, ids=lambda source: source.name)
class TestSource:
    def test_nothing_there_is_none(self, source):
        assert [source.find(net) for net in (nets.TIMM, nets.TORCHVISION, lite0_package.ARCH)] == [None] * 3
        assert list(source.nets()) == []

    def test_what_is_there_is_found_by_its_net_and_among_all(self, source, tmp_path, monkeypatch):
        net, path = PUT[source.name](tmp_path, monkeypatch)

        found = weights.at_hand(net)

        assert (found.arch, found.found_by, found.path) == (net, source.name, path)
        assert found.sha256 == cache.sha256_of(path)
        assert found.licence
        assert found.source
        assert [name for name in weights.all_at_hand() if name.startswith(net)] != []

    def test_its_tensors_are_kept_and_outlive_its_file(self, source, tmp_path, monkeypatch):
        net, path = PUT[source.name](tmp_path, monkeypatch)
        table = prepare([net], say=pytest.fail)
        path.unlink()

        tensors = weights.state_dict(net)

        assert {name: tensor.shape for name, tensor in tensors.items()} == {
            name: tensor.shape for name, tensor in nets.net(net).state_dict().items()
        }
        again = cache.find(net, table[net].sha256)
        assert (again.source, again.licence) == (table[net].source, table[net].licence)

    def test_two_readings_are_equal(self, source, tmp_path, monkeypatch):
        net, _ = PUT[source.name](tmp_path, monkeypatch)

        first, second = weights.state_dict(net), weights.state_dict(net)

        assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_a_head_needs_the_weights_of_its_backbone_alone_whatever_it_says_of_pretrained():
    head = TrialConfig(arch="logistic_head", backbone="timm/test_vit", penalty=0.1, epochs=1)

    assert [needed(config) for config in (head, replace(head, pretrained=True))] == [["timm/test_vit"]] * 2
