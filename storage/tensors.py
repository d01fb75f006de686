"""Safetensors files that hold tensors and metadata, with a checksum over both.

One of them is `best.safetensors` in a trial's folder, with the weights of the trial's best epoch.
"""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from sweep.storage.files import DamagedError, check_regular, written_whole

NO_METADATA = {"about": "{}"}


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Writes tensors with metadata into one file, whole or not at all.

    Raises:
      OSError: the disk is full, or fails.
    """
    with written_whole(path) as partial:
        try:
            # All metadata are in one entry, because safetensors writes several in any order and equal content shall
            # give equal bytes.
            save_file(tensors, partial, {"about": json.dumps({**metadata, "crc32": _checksum(metadata, tensors)})})
        except SafetensorError as error:  # safetensors raises this one for a full disk too
            raise OSError(f"{path}: {error}") from error


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Returns the metadata and the tensors that `save_tensors` wrote, equal to the bit; the tensors are mapped.

    Raises:
      FileNotFoundError: the file does not exist.
      DamagedError: `save_tensors` did not write the file, or it was altered since.
    """
    check_regular(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or NO_METADATA)["about"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        is_whole = metadata.pop("crc32", "") == _checksum(metadata, tensors)
    except MemoryError:
        raise
    except Exception as error:  # the parsers raise too many kinds of errors for a wrong file to list them
        raise DamagedError(path, f"damaged: {error}") from error
    if not is_whole:
        raise DamagedError(path, "damaged: its checksum differs")
    return metadata, tensors


def save_weights(path: Path, weights: dict[str, Tensor], config: Mapping[str, object], epoch: int) -> None:
    """Writes the weights of a trial, whole or not at all.

    Args:
      path: the file to write.
      weights: the tensors by name.
      config: the fields of the trial's config that are set.
      epoch: the epoch after which the model had these weights.
    """
    save_tensors(path, weights, {"config": json.dumps(config), "epoch": str(epoch)})


def check_weights(path: Path, config: Mapping[str, object], epoch: int) -> None:
    """Checks that a file holds, to the bit, what `save_weights` wrote for this config and epoch.

    Raises:
      FileNotFoundError: the file does not exist.
      DamagedError: the file is damaged, or belongs to another config or epoch.
    """
    metadata, _ = read_tensors(path)
    if metadata.get("config") != json.dumps(config) or metadata.get("epoch") != str(epoch):
        raise DamagedError(path, f"holds the weights of another trial, or not of its epoch {epoch}")


def _checksum(metadata: Mapping[str, str], tensors: dict[str, Tensor]) -> str:
    crc = zlib.crc32(json.dumps(dict(metadata), sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        crc = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), crc)
        if tensor.numel():  # torch cannot view an empty one as bytes
            crc = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, crc)
    return str(crc)
