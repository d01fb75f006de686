"""The one reader of files of weights that others made: safetensors, and pickles of nothing but tensors.

torch.load with weights_only=True runs no code of a file: it builds tensors and plain containers, and refuses the rest.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainable.weights.contract import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

ENDINGS = (".safetensors", ".pth", ".pt", ".bin", ".tar")
WRAPPERS = ("state_dict_ema", "state_dict", "model", "model_state_dict")  # under which training scripts save weights


def read(path: Path) -> "dict[str, Tensor]":
    """Returns the tensors of a file by their names, on the CPU.

    Raises:
      WeightsError: it holds something else, or cannot be read.
    """
    try:
        content = _safetensors(path) if path.suffix == ".safetensors" else _pickle(path)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror or error}") from error
    except MemoryError:
        raise
    except Exception as error:  # parsers have more ways than can be listed to say that a file is none of theirs
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
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)


def _tensors(path: Path, content: Any) -> "dict[str, Tensor]":
    from torch import Tensor

    for name in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
            break
    if (
        not isinstance(content, Mapping)
        or not content
        or not all(isinstance(each, Tensor) for each in content.values())
    ):
        raise WeightsError(f"{path}: must hold the tensors of a net by their names, got {_kind(content)}")
    return {str(name): tensor.detach() for name, tensor in content.items()}


def _kind(content: Any) -> str:
    if isinstance(content, Mapping):
        other = next((f"{name}: {type(each).__name__}" for name, each in content.items()), "nothing")
        return f"a dict with {other}"
    return type(content).__name__
