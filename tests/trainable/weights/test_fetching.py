"""Weights are fetched whole and unaltered through the libraries' clients, or one line says why not."""

import hashlib
import json

import pytest
import torch

from sweep.trainable import weights
from sweep.trainable.options import CHOICES
from sweep.trainable.weights import WeightsError
from sweep.trainable.weights.prepare import prepare
from tests.trainable.weights import nets

WHOLE = f"{nets.REPOSITORY}/model.safetensors"


@pytest.fixture
def hub(server, monkeypatch):
    """A server with weights of a net of timm."""
    monkeypatch.setenv("HF_ENDPOINT", server.address)
    server.files[WHOLE] = nets.safetensors_of(nets.TIMM)
    return server


@pytest.fixture
def torch_hub(server, tmp_path, monkeypatch):
    """A server with weights of a net of torchvision; returns it and their path there."""
    path, _ = nets.in_torch_hub(nets.saved(nets.TORCHVISION, tmp_path / "new.pth"), monkeypatch, server.address)
    server.files[f"/models/{path.name}"] = path.read_bytes()
    path.unlink()
    return server, f"/models/{path.name}"


def kept_files(tmp_path):
    """All files that count: in the libraries' caches and in the project's own."""
    endings = (".safetensors", ".pth", ".bin")
    return [
        path for part in ("hf", "torch", "cache") for path in (tmp_path / part).rglob("*") if path.suffix in endings
    ]


class TestOfTimm:
    def test_they_are_fetched_once_with_a_line_that_says_what_from_where_and_how_large(self, hub, tmp_path):
        lines = []

        table = prepare([nets.TIMM], lines.append)
        hub.asked.clear()
        prepare([nets.TIMM], pytest.fail)

        size = len(hub.files[WHOLE]) / 1e6
        place = f"{hub.address}/timm/test_resnet.r160_in1k"
        what = f"Fetches the weights of {nets.TIMM} ({size:.1f} MB, licence apache-2.0)"
        assert lines == [f"{what} from {place} into {tmp_path}/hf/hub."]
        assert hub.asked == []
        assert table[nets.TIMM].sha256 == hashlib.sha256(hub.files[WHOLE]).hexdigest()
        assert table[nets.TIMM].licence == "apache-2.0"
        assert torch.equal(weights.state_dict(nets.TIMM)["fc.bias"], nets.net(nets.TIMM).fc.bias)

    def test_an_old_repository_has_a_pickle(self, hub, tmp_path):
        file = nets.saved(nets.TIMM, tmp_path / "old.bin")
        hub.files = {f"{nets.REPOSITORY}/pytorch_model.bin": file.read_bytes()}

        prepare([nets.TIMM], lambda line: None)

        assert torch.equal(weights.state_dict(nets.TIMM)["fc.bias"], nets.net(nets.TIMM).fc.bias)

    def test_an_interrupted_fetch_leaves_nothing_that_counts_and_the_next_one_is_whole(self, hub, tmp_path):
        hub.sent[WHOLE] = 1000
        with pytest.raises(WeightsError, match=r"test_resnet: its weights cannot be fetched from http://127"):
            prepare([nets.TIMM], lambda line: None)
        left = kept_files(tmp_path)

        hub.sent.clear()
        prepare([nets.TIMM], lambda line: None)

        assert left == []
        assert weights.state_dict(nets.TIMM)

    def test_other_bytes_than_the_server_promised_are_kept_nowhere(self, hub, tmp_path):
        hub.promised[WHOLE] = "0" * 64

        with pytest.raises(WeightsError, match=r"sent has the sha256 [0-9a-f]{64}, and not 0{64}"):
            prepare([nets.TIMM], lambda line: None)

        assert kept_files(tmp_path) == []
        assert weights.at_hand(nets.TIMM) is None

    @pytest.mark.parametrize(("status", "words"), [(401, "401, which asks for an account"), (500, "answered 500")])
    def test_a_server_that_refuses_is_told_with_its_answer_and_no_key(self, hub, status, words, monkeypatch):
        monkeypatch.setenv("HF_TOKEN", "hf_secretsecretsecret")
        hub.status[WHOLE] = status

        with pytest.raises(WeightsError, match=words) as refusal:
            prepare([nets.TIMM], lambda line: None)

        assert "secret" not in str(refusal.value)
        assert "\n" not in str(refusal.value)

    def test_no_network_is_one_line_with_the_ways_out(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HF_ENDPOINT", "http://ada:secret@127.0.0.1:9")

        with pytest.raises(WeightsError, match=r"from http://127.0.0.1:9/timm/.* --weights FILE or DIR") as refusal:
            prepare([nets.TIMM], lambda line: None)

        assert "secret" not in str(refusal.value)
        assert "\n" not in str(refusal.value)
        assert kept_files(tmp_path) == []

    def test_a_cache_folder_without_rights_is_named(self, hub, tmp_path, monkeypatch):
        (tmp_path / "hf").write_text("no folder")  # rights would not keep root out

        with pytest.raises(WeightsError, match=rf"{tmp_path}/hf.* cannot be written"):
            prepare([nets.TIMM], lambda line: None)


class TestOfTorchvision:
    def test_they_are_fetched_once_with_a_line_that_says_what_from_where_and_how_large(self, torch_hub, tmp_path):
        server, path = torch_hub
        lines = []

        table = prepare([nets.TORCHVISION], lines.append)
        server.asked.clear()
        prepare([nets.TORCHVISION], pytest.fail)

        size = len(server.files[path]) / 1e6
        what = f"Fetches the weights of {nets.TORCHVISION} ({size:.1f} MB, licence unknown)"
        assert lines == [f"{what} from {server.address}{path} into {tmp_path}/torch/hub/checkpoints."]
        assert server.asked == []
        assert table[nets.TORCHVISION].licence == "unknown"
        assert torch.equal(weights.state_dict(nets.TORCHVISION)["fc.bias"], nets.net(nets.TORCHVISION).fc.bias)

    def test_an_interrupted_fetch_leaves_nothing_that_counts_and_the_next_one_is_whole(self, torch_hub, tmp_path):
        server, path = torch_hub
        server.sent[path] = 1000
        with pytest.raises(WeightsError, match="run the same command again"):
            prepare([nets.TORCHVISION], lambda line: None)
        left = kept_files(tmp_path)

        server.sent.clear()
        prepare([nets.TORCHVISION], lambda line: None)

        assert left == []
        assert weights.state_dict(nets.TORCHVISION)

    def test_other_bytes_than_the_name_promises_are_kept_nowhere(self, torch_hub, tmp_path):
        server, path = torch_hub
        server.files[path] = server.files[path][:-1] + b"x"

        with pytest.raises(WeightsError, match="has another sha256 than its name promises"):
            prepare([nets.TORCHVISION], lambda line: None)

        assert kept_files(tmp_path) == []

    def test_a_file_that_was_altered_in_the_cache_is_refused_with_both(self, torch_hub, tmp_path):
        _, path = torch_hub
        file = tmp_path / "torch" / "hub" / "checkpoints" / path.rpartition("/")[2]
        file.parent.mkdir(parents=True)
        file.write_bytes(b"altered")
        promised, got = file.stem[-8:], hashlib.sha256(b"altered").hexdigest()

        with pytest.raises(
            WeightsError, match=rf"{file}: is damaged: its sha256 must begin with {promised}, got {got}"
        ):
            prepare([nets.TORCHVISION], pytest.fail)

    def test_no_network_is_one_line_with_the_ways_out(self, tmp_path, monkeypatch):
        path, _ = nets.in_torch_hub(nets.saved(nets.TORCHVISION, tmp_path / "new.pth"), monkeypatch)

        with pytest.raises(WeightsError, match=rf"127.0.0.1:9/models/{path.name}.*--weights FILE or DIR") as refusal:
            prepare([nets.TORCHVISION], lambda line: None)

        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("net", [nets.TIMM, nets.TORCHVISION])
def test_offline_forbids_it(net, server, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", server.address)
    monkeypatch.setattr(CHOICES, "offline", True)

    with pytest.raises(WeightsError, match=rf"{net}: its weights are not on this machine, and --offline forbids"):
        prepare([net], pytest.fail)

    assert server.asked == []


@pytest.mark.parametrize(
    ("net", "words"),
    [
        ("timm/nonsense", r"timm has no such net; timm.list_models\(\) lists them"),
        ("timm/resnet18d_", r"timm has no such net; did you mean timm/resnet18d"),
        ("timm/test_resnet.NONSENSE", "timm has no such net; did you mean timm/test_resnet"),
        ("torchvision/nonsense", "torchvision serves no such weights"),
        ("torchvision/resnet18.NONSENSE", "torchvision serves no such weights"),
        ("small_resnet", "is named timm/NAME or torchvision/NAME"),
    ],
)
def test_a_net_without_weights_is_told(net, words):
    with pytest.raises(WeightsError, match=words):
        prepare([net], pytest.fail)


def test_what_is_recorded_of_them_is_plain(hub):
    from sweep.storage.schema import parsed, to_json
    from sweep.storage.sweep_file import WeightsEntry
    from sweep.trainable.weights.prepare import entries

    table = entries(prepare([nets.TIMM], lambda line: None))

    assert parsed(dict[str, WeightsEntry], json.loads(json.dumps(to_json(table)))) == table
    assert table[nets.TIMM].file == "model.safetensors"
