"""Weights in a file or a folder that the user names with `--weights`."""

import re
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.trainable.options import CHOICES
from sweep.trainable.weights import cache, lite0_package, reader
from sweep.trainable.weights.contract import UNKNOWN, Weights, WeightsError, WeightsSource

if TYPE_CHECKING:
    from torch import Tensor

WHOLE = ("model.safetensors", "pytorch_model.bin")  # names of files in a folder that has the net's name
HASH = re.compile(r"-[0-9a-f]{8,64}$")  # follows the name in files that torch.hub keeps
HUB = re.compile(r"models--.+?--(.+)")  # names of folders that huggingface_hub keeps

_assigned: dict[str, Path] = {}  # by net: a file whose name does not say that it is for this net


def assign(nets: Collection[str]) -> None:
    """Assigns a file whose name does not say its net to the only net that it can be for, if there is just one.

    Args:
      nets: the pretrained nets that are asked for.

    Raises:
      WeightsError: no such net is asked for, or several are, or a folder has no file for any of them.
    """
    _assigned.clear()
    place = CHOICES.place
    if place is None or any(map(_path_for, nets)):
        return
    if place.is_dir():
        names = ", ".join(f"{_name(net)}.safetensors" for net in sorted(nets)) or "NAME.safetensors or NAME.pth"
        raise WeightsError(
            f"--weights {place}: holds no file for a net that is asked for; such a file has the name of its net, "
            f"{names}, or the one that its library serves it under"
        )
    if len(nets) != 1:
        names = ", ".join(sorted(nets)) or "none"
        raise WeightsError(
            f"--weights {place}: must be for one of the pretrained nets that are asked for, got {names}; name its net "
            f"with --fix arch=timm/NAME --fix pretrained=true, or rename it to begin with the name of its net"
        )
    _assigned.update(dict.fromkeys(nets, place))


def find(arch: str) -> Weights | None:
    """Returns the weights of a net in the file or folder that the user named, or None."""
    path = _path_for(arch)
    if path is None:
        return None
    digest = cache.sha256_of(path)
    if (arch, digest) == (lite0_package.ARCH, lite0_package.SHA256):
        return lite0_package.weights_at(path, SOURCE.name)
    return Weights(arch, f"{path.resolve()}", digest, UNKNOWN, path, SOURCE.name)


def nets() -> Iterator[str]:
    """Yields the nets after which the files are named.

    A file name does not say which library the net is of, so each name comes with both, the likelier one first.
    """
    for name, paths in (_files(CHOICES.place) if CHOICES.place else {}).items():
        is_of_torchvision = HASH.search(paths[0].stem)
        yield from (f"{prefix}/{name}" for prefix in ("torchvision", "timm")[:: 1 if is_of_torchvision else -1])


def read(weights: Weights) -> "dict[str, Tensor]":
    """Returns the tensors of weights that `find` returned."""
    is_package = weights.sha256 == lite0_package.SHA256
    return lite0_package.read(weights) if is_package else reader.read(weights.path)


def _path_for(arch: str) -> Path | None:
    """Returns the file for a net, or None.

    It is the file with exactly the net's name, else one with the name and a tag, else one that begins with the name.

    Raises:
      WeightsError: there are several.
    """
    if CHOICES.place is None:
        return None
    if arch in _assigned:
        return _assigned[arch]
    name = _name(arch)
    files = _files(CHOICES.place)
    by_ending = {"": files.get(name, [])}
    for ending in (".", "-", "_"):
        by_ending[ending] = [path for stem, paths in files.items() if stem.startswith(name + ending) for path in paths]
    paths = next(filter(None, by_ending.values()), [])
    if len(paths) > 1:
        raise WeightsError(
            f"--weights {CHOICES.place}: must hold one file for {arch}, got {', '.join(map(str, paths))}; give one"
        )
    return paths[0] if paths else None


def _files(place: Path) -> dict[str, list[Path]]:
    """Returns the files of weights by the names of their nets, as file and folder names give them."""
    files: dict[str, list[Path]] = {}
    try:
        if stat.S_ISREG(place.stat().st_mode):
            return {_stem(place): [place]}
        for path in sorted(place.iterdir()):
            if path.is_file() and path.suffix in reader.ENDINGS:
                files.setdefault(_stem(path), []).append(path)
            elif path.is_dir():
                match = HUB.fullmatch(path.name)
                parts = [path / file for file in WHOLE] + [
                    each for file in WHOLE for each in sorted(path.glob(f"snapshots/*/{file}"))
                ]
                if weights_path := next((part for part in parts if part.is_file()), None):
                    files.setdefault(match[1] if match else path.name, []).append(weights_path)
    except OSError as error:
        raise WeightsError(f"--weights {place}: cannot be read: {error.strerror}") from error
    return files


def _stem(path: Path) -> str:
    """Returns the name of a file without its ending and its hash: `resnet18-f37072fd.pth` becomes `resnet18`."""
    name = path.name
    for ending in (".pth.tar", *reader.ENDINGS):
        if name.endswith(ending):
            return HASH.sub("", name.removesuffix(ending))
    return name


def _name(arch: str) -> str:
    return arch.partition("/")[2] or arch


SOURCE = WeightsSource("given", find, nets, read)
