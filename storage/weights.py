"""`best.safetensors` in a trial's folder: the weights of its best epoch."""

import json
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from storage.files import DamagedError
from storage.tensors import read_tensors, save_tensors


def save_weights(path: Path, weights: dict[str, Tensor], config: Mapping[str, object], epoch: int) -> None:
    """Writes them whole or not at all.

    Args:
      config: of the trial, the fields that are set.
      epoch: the one that the weights are of.
    """
    save_tensors(path, weights, {"config": json.dumps(config), "epoch": str(epoch)})


def check_weights(path: Path, config: Mapping[str, object], epoch: int) -> None:
    """Raises:
    FileNotFoundError: it is not there.
    DamagedError: it is not, to the bit, what `save_weights` wrote of this config and epoch.
    """
    metadata, _ = read_tensors(path)
    if metadata.get("config") != json.dumps(config) or metadata.get("epoch") != str(epoch):
        raise DamagedError(path, f"holds the weights of another trial, or not of its epoch {epoch}")
