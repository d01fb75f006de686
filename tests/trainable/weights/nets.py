"""Small nets of both libraries with random weights, as the libraries serve theirs."""

import hashlib
from pathlib import Path

import timm
import torch
import torchvision
from safetensors.torch import save, save_file

TIMM = "timm/test_resnet"
REPOSITORY = "/timm/test_resnet.r160_in1k/resolve/main"
TORCHVISION = "torchvision/shufflenet_v2_x0_5"
OTHER = "timm/test_vit"


def net(arch: str) -> torch.nn.Module:
    torch.manual_seed(1)
    library, _, name = arch.partition("/")
    return timm.create_model(name) if library == "timm" else torchvision.models.get_model(name)


def saved(arch: str, path: Path) -> Path:
    """Writes the net's weights in the form that the file's ending names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        save_file(net(arch).state_dict(), path)
    else:
        torch.save(net(arch).state_dict(), path)
    return path


def safetensors_of(arch: str) -> bytes:
    return save(net(arch).state_dict())


def in_torch_hub(path: Path, monkeypatch, host: str = "http://127.0.0.1:9") -> tuple[Path, str]:
    """Renames a file to hold its own hash, and makes it what torchvision serves for shufflenet_v2_x0_5."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    named = path.with_name(f"shufflenet_v2_x0_5-{digest[:8]}.pth")
    path.rename(named)
    url = f"{host}/models/{named.name}"
    monkeypatch.setattr(torchvision.models.ShuffleNet_V2_X0_5_Weights.DEFAULT.value, "url", url)
    return named, url
