"""Reads files of weights that others have made: safetensors, and pickles that contain nothing but tensors.

No other module reads such files. torch.load with weights_only=True runs no code from a file: it builds tensors and
plain containers and refuses the rest. The sizes that a file claims for its tensors are compared with its own size
before anything uses them.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.trainable.weights.contract import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

ENDINGS = (".safetensors", ".pth", ".pt", ".bin", ".tar")
# Keys under which training scripts save weights beside other things; the first one that is there counts.
WRAPPERS = ("state_dict_ema", "state_dict", "model", "model_state_dict")

# All tensors together may claim this many times the bytes of the file, because some nets use a tensor several times.
MOST_TIMES = 4


def read(path: Path) -> "dict[str, Tensor]":
    """Returns the tensors of a file by name, on the CPU.

    Raises:
      WeightsError: it holds something else, or cannot be read.
    """
    try:
        content = _safetensors(path) if path.suffix == ".safetensors" else _pickle(path)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror or error}") from error
    except MemoryError:
        raise
    except Exception as error:  # parsers raise many kinds of errors for a file that is not theirs
        words = " ".join(str(error).split())[:200]
        raise WeightsError(
            f"{path}: must hold tensors and nothing else, as torch.load(weights_only=True) or safetensors read them; "
            f"it does not ({type(error).__name__}: {words})"
        ) from error
    return _tensors(path, content)


def _safetensors(path: Path) -> Any:
    from safetensors.torch import load_file

    return load_file(path)


def _pickle(path: Path) -> Any:
    """Returns what a pickle holds; a compressed archive is refused, because torch.save never writes one."""
    import torch

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("its parts are compressed, which torch.save never does")
    return torch.load(path, map_location="cpu", weights_only=True)


def _tensors(path: Path, content: Any) -> "dict[str, Tensor]":
    """Returns the tensors by name, without the wrapper of a training script.

    Raises:
      WeightsError: there is anything else than tensors, or they claim far more memory than the file has bytes.
    """
    from torch import Tensor

    for name in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
            break
    if (
        not isinstance(content, Mapping)
        or not content
        or not all(isinstance(each, Tensor) for each in content.values())
        or not all(isinstance(name, str) and name.isprintable() for name in content)
    ):
        raise WeightsError(f"{path}: must hold the tensors of a net by their names, got {_kind(content)}")
    size, claimed_bytes = path.stat().st_size, sum(each.numel() * each.element_size() for each in content.values())
    if claimed_bytes > MOST_TIMES * size or any(map(_is_odd, content.values())):
        raise WeightsError(
            f"{path}: must hold every number of its tensors, got {claimed_bytes:,} bytes of tensors in a file of "
            f"{size:,}; give a file as torch.save or safetensors writes the state dict of a net"
        )
    return {name: tensor.detach() for name, tensor in content.items()}


def _is_odd(tensor: "Tensor") -> bool:
    """Returns whether a tensor is anything but plain numbers in memory."""
    import torch

    return tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized


def _kind(content: Any) -> str:
    """Returns words that say what a file holds instead of tensors."""
    if isinstance(content, Mapping):
        entry = next(
            (f"{ascii(str(name))[1:-1]:.80}: {type(each).__name__}" for name, each in content.items()), "nothing"
        )
        return f"a dict with {entry}"
    return type(content).__name__
