"""The file or the folder that a user names with `--weights`."""

import json
import os
import time
import zipfile

import pytest
import torch

from sweep.trainable import weights
from sweep.trainable.config import TrialConfig
from sweep.trainable.models.net import build
from sweep.trainable.options import CHOICES
from sweep.trainable.weights import WeightsError, cache
from sweep.trainable.weights.prepare import prepare
from tests.trainable.weights import nets


def give(monkeypatch, path):
    monkeypatch.setattr(CHOICES, "place", path)


@pytest.mark.parametrize(
    ("name", "net"),
    [
        ("test_resnet.safetensors", nets.TIMM),
        ("test_resnet.r160_in1k.safetensors", nets.TIMM),
        ("test_resnet-0123abcd.pth", nets.TIMM),
        ("test_resnet_mine.pt", nets.TIMM),
        ("test_resnet.pth.tar", nets.TIMM),
        ("shufflenet_v2_x0_5-f707e7126e.bin", nets.TORCHVISION),
    ],
)
class TestNames:
    def test_a_file_is_for_the_net_that_its_name_begins_with(self, name, net, tmp_path, monkeypatch):
        give(monkeypatch, nets.saved(net, tmp_path / "own" / name))

        assert weights.at_hand(net).path.name == name
        assert weights.at_hand(nets.OTHER) is None

    def test_a_folder_is_searched_for_it(self, name, net, tmp_path, monkeypatch):
        (tmp_path / "own").mkdir()
        (tmp_path / "own" / "README.md").write_text("not weights")
        (tmp_path / "own" / name).write_bytes(b"whatever it holds")
        give(monkeypatch, tmp_path / "own")

        assert weights.at_hand(net).path.name == name


@pytest.mark.parametrize(
    "name",
    [
        "test_resnet/model.safetensors",
        "test_resnet.r160_in1k/pytorch_model.bin",
        "models--timm--test_resnet.r160_in1k/snapshots/0123/model.safetensors",
    ],
)
def test_folders_as_hubs_have_them_are_searched_too(name, tmp_path, monkeypatch):
    file = tmp_path / "own" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"whatever it holds")
    give(monkeypatch, tmp_path / "own")

    assert weights.at_hand(nets.TIMM).path == file


def test_a_file_whose_name_says_nothing_is_for_the_only_net_that_is_asked_for(tmp_path, monkeypatch):
    give(monkeypatch, nets.saved(nets.TIMM, tmp_path / "epoch-12.pth"))

    prepare([nets.TIMM], say=pytest.fail)

    config = TrialConfig(arch=nets.TIMM, pretrained=True)
    loaded = build(config, 7, (160, 160))[1].state_dict()
    assert torch.equal(loaded["conv1.0.weight"], nets.net(nets.TIMM).state_dict()["conv1.0.weight"])


@pytest.mark.parametrize("asked", [[], [nets.TIMM, nets.OTHER]])
def test_a_file_whose_name_says_nothing_is_refused_where_several_nets_or_none_are_asked_for(
    asked, tmp_path, monkeypatch
):
    give(monkeypatch, nets.saved(nets.TIMM, tmp_path / "epoch-12.pth"))

    with pytest.raises(WeightsError, match=r"epoch-12.pth: must be for one of .*rename it to begin with the name"):
        prepare(asked, say=pytest.fail)


def test_weights_under_a_scripts_own_heading_are_read(tmp_path, monkeypatch):
    file = tmp_path / "test_resnet.pth"
    torch.save({"state_dict": nets.net(nets.TIMM).state_dict(), "epoch": 3, "arch": "test_resnet"}, file)
    give(monkeypatch, file)

    prepare([nets.TIMM], say=pytest.fail)

    assert torch.equal(weights.state_dict(nets.TIMM)["fc.bias"], nets.net(nets.TIMM).fc.bias)


def test_a_file_of_another_net_is_refused_and_not_kept(tmp_path, monkeypatch):
    give(monkeypatch, nets.saved(nets.OTHER, tmp_path / "test_resnet.safetensors"))

    with pytest.raises(
        WeightsError, match=r"test_resnet.safetensors: the weights .* are those of another net"
    ) as refusal:
        prepare([nets.TIMM], say=pytest.fail)

    assert "\n" not in str(refusal.value)
    assert list(cache.folder().glob("*.safetensors")) == []


class Planted:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_a_pickle_that_runs_code_is_refused_and_runs_nothing(ending, tmp_path, monkeypatch):
    file, mark = tmp_path / f"test_resnet{ending}", tmp_path / "code-ran"
    torch.save({"fc.bias": Planted(mark)}, file)
    give(monkeypatch, file)

    with pytest.raises(WeightsError, match="must hold tensors and nothing else") as refusal:
        prepare([nets.TIMM], say=pytest.fail)

    assert not mark.exists()
    assert "\n" not in str(refusal.value)
    assert list(cache.folder().glob("*.safetensors")) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "must hold tensors and nothing else"),
        (b"PK\x03\x04 cut", "must hold tensors and nothing else"),
        ("a text", "must hold the tensors of a net by their names, got str"),
        ({}, "got a dict with nothing"),
        ({"lr": 0.1}, "got a dict with lr: float"),
        ({"two\nlines": torch.zeros(1)}, r"got a dict with two\\nlines: Tensor"),
    ],
)
def test_a_file_that_is_no_weights_is_refused(content, words, tmp_path, monkeypatch):
    file = tmp_path / "test_resnet.pth"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(content, file)
    give(monkeypatch, file)

    with pytest.raises(WeightsError, match=rf"{file}: .*{words}") as refusal:
        prepare([nets.TIMM], say=pytest.fail)

    assert "\n" not in str(refusal.value)


def test_a_place_that_is_not_there_is_told(tmp_path, monkeypatch):
    give(monkeypatch, tmp_path / "nowhere")

    with pytest.raises(WeightsError, match=r"--weights .*/nowhere: cannot be read: No such file or directory"):
        prepare([nets.TIMM], say=pytest.fail)


def test_a_folder_without_a_file_for_any_net_that_is_asked_for_says_what_it_would_be_called(tmp_path, monkeypatch):
    give(monkeypatch, tmp_path)

    with pytest.raises(WeightsError, match=r"holds no file for a net that is asked for; .*test_resnet.safetensors"):
        prepare([nets.TIMM], say=pytest.fail)


def test_two_files_for_one_net_are_refused_with_both(tmp_path, monkeypatch):
    for name in ("test_resnet.pth", "test_resnet.safetensors"):
        (tmp_path / name).write_bytes(b"")
    give(monkeypatch, tmp_path)

    with pytest.raises(WeightsError, match=r"one file for .*, got .*test_resnet.pth, .*test_resnet.safetensors"):
        prepare([nets.TIMM], say=pytest.fail)


def test_a_cache_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    give(monkeypatch, nets.saved(nets.TIMM, tmp_path / "test_resnet.pth"))
    (tmp_path / "cache").write_text("no folder")  # rights would not keep root out

    with pytest.raises(WeightsError, match=rf"{tmp_path}/cache/.*: cannot be written: .*XDG_CACHE_HOME"):
        prepare([nets.TIMM], say=pytest.fail)


class TestOfASweepThatGoesOn:
    @pytest.fixture
    def begun(self, tmp_path, monkeypatch):
        from sweep.trainable.weights.prepare import entries

        give(monkeypatch, nets.saved(nets.TIMM, tmp_path / "test_resnet.pth"))
        return entries(prepare([nets.TIMM], say=pytest.fail))

    def test_what_was_kept_is_enough(self, begun, tmp_path, monkeypatch):
        (tmp_path / "test_resnet.pth").unlink()
        give(monkeypatch, None)

        table = prepare([nets.TIMM], pytest.fail, begun)

        assert table[nets.TIMM].sha256 == begun[nets.TIMM].sha256
        assert weights.state_dict(nets.TIMM)

    def test_a_changed_file_is_refused_with_both_and_the_way_out(self, begun, tmp_path, monkeypatch):
        other = {name: tensor + 1 for name, tensor in nets.net(nets.TIMM).state_dict().items()}
        torch.save(other, tmp_path / "test_resnet.pth")
        got = cache.sha256_of(tmp_path / "test_resnet.pth")

        with pytest.raises(WeightsError, match=rf"{begun[nets.TIMM].sha256} .*, got {got} .*or start another sweep"):
            prepare([nets.TIMM], pytest.fail, begun)

    def test_a_missing_file_is_refused_with_what_it_was(self, begun, tmp_path, monkeypatch):
        cache.path_of(nets.TIMM, begun[nets.TIMM].sha256).unlink()
        give(monkeypatch, None)
        monkeypatch.setattr(CHOICES, "offline", True)

        with pytest.raises(
            WeightsError, match=rf"those of this sweep: test_resnet.pth, sha256 {begun[nets.TIMM].sha256}"
        ):
            prepare([nets.TIMM], pytest.fail, begun)


def _compressed(path):
    plain = path.with_name("plain")
    torch.save(nets.net(nets.TIMM).state_dict(), plain)
    with zipfile.ZipFile(plain) as archive, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as smaller:
        for name in archive.namelist():
            smaller.writestr(name, archive.read(name))


def _with_lying_header(path):
    header = json.dumps({"fc.bias": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)


HOSTILE = {
    "compressed.pth": _compressed,
    "lies.safetensors": _with_lying_header,
    "one-number-as-many.pth": lambda path: torch.save({"fc.bias": torch.zeros(1).expand(2**40)}, path),
    "nowhere.pth": lambda path: torch.save({"fc.bias": torch.zeros(2**40, device="meta")}, path),
    "few-numbers.pth": lambda path: torch.save({"fc.bias": torch.zeros(1000).to_sparse()}, path),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_claims_more_than_it_holds_is_refused_in_one_line(name, tmp_path, monkeypatch):
    HOSTILE[name](tmp_path / name)
    give(monkeypatch, tmp_path / name)

    with pytest.raises(WeightsError, match=rf"{name}: must hold ") as refusal:
        prepare([nets.TIMM], say=pytest.fail)

    assert "\n" not in str(refusal.value)
    assert list(cache.folder().glob("*.safetensors")) == []


def test_weights_that_are_no_numbers_are_refused_and_not_kept(tmp_path, monkeypatch):
    state = nets.net(nets.TIMM).state_dict()
    state["conv1.0.weight"][0, 0, 0, 0] = torch.nan
    torch.save(state, tmp_path / "test_resnet.pth")
    give(monkeypatch, tmp_path / "test_resnet.pth")

    with pytest.raises(WeightsError, match=r"test_resnet.pth: must hold finite numbers, .*give another file of this"):
        prepare([nets.TIMM], say=pytest.fail)

    assert list(cache.folder().glob("*.safetensors")) == []


def test_weights_are_tried_before_they_are_kept(tmp_path, monkeypatch):
    give(monkeypatch, nets.saved(nets.TIMM, tmp_path / "test_resnet.pth"))
    tried = []
    monkeypatch.setattr("sweep.trainable.weights.prepare._check_fit", lambda each: tried.append(cache.tensors(each)))

    prepare([nets.TIMM], say=pytest.fail)

    assert tried == [None]


def test_weights_that_were_used_least_lately_go_where_all_together_are_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "KEPT_BYTES", 1)
    places = []
    for net, age in ((nets.TIMM, 2 * cache.UNUSED_SECONDS), (nets.OTHER, 60)):
        give(monkeypatch, nets.saved(net, tmp_path / f"{net.partition('/')[2]}.pth"))
        places.append(cache.path_of(net, prepare([net], say=pytest.fail)[net].sha256))
        os.utime(places[-1], (time.time() - age,) * 2)

    give(monkeypatch, nets.saved(nets.TORCHVISION, tmp_path / "shufflenet_v2_x0_5.pth"))
    prepare([nets.TORCHVISION], say=pytest.fail)

    assert [place.exists() for place in places] == [False, True]
