"""The maps that the frozen stages of a net compute from images, kept for every trial whose frozen stages are the same.

The maps lie on disk as the features of heads do, in float16 and in chunks that workers share; they are read as mapped
files. A trial learns from the stored maps even if it has just computed them itself, so its numbers do not depend on
whether the maps existed before.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sweep.datasets.pixels import Pixels
from sweep.trainable.config import TrialConfig
from sweep.trainable.features.computing import BATCH, VIEWS, Compute, chunks_of, rows_about, separate
from sweep.trainable.features.store import FeatureStore
from sweep.trainable.images import together
from sweep.trainable.models import family_of, frozen
from sweep.trainable.models.calls import judged
from sweep.trainable.precision import autocast, numerics

VERSION = 1  # of the arithmetic: raise it whenever the same images get other maps
NAME = "map"  # the name of the tensor in a chunk's file
LARGEST = torch.finfo(torch.float16).max


class Maps:
    """Stored maps by row, read from the files on demand; if there are two views, all rows of the first come first.

    Attributes:
      shape: (rows, ...) of all maps together.
      dtype: numpy's.
    """

    def __init__(self, chunks: Sequence[Tensor]) -> None:
        self.chunks = [chunk.numpy() for chunk in chunks]
        self.ends = np.cumsum([len(chunk) for chunk in chunks])
        self.shape: tuple[Any, ...] = (int(self.ends[-1]), *chunks[0].shape[1:])
        self.dtype = self.chunks[0].dtype

    @property
    def nbytes(self) -> int:
        """The size of all maps in bytes."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: slice | int | Sequence[int] | np.ndarray, /) -> np.ndarray:
        """Returns the map of one row, or (n, ...) maps of several rows in their order."""
        if isinstance(rows, int):
            return self[[rows]][0]
        numbers = np.arange(len(self))[rows]
        owners = np.searchsorted(self.ends, numbers, side="right")
        maps = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        for place, (chunk, row) in enumerate(zip(owners, numbers, strict=True)):
            maps[place] = self.chunks[chunk][row - self.ends[chunk]]  # counted from the end of the chunk
        return maps


def maps_of(
    config: TrialConfig, fingerprint: str, images: Pixels, views: Sequence[str], model: nn.Sequential, front: nn.Module
) -> Maps:
    """Returns the maps of images in each view; missing ones are computed, by this worker or by others.

    Args:
      fingerprint: of the data.
      views: names in `VIEWS`.
      front: the front of the model, from normalised images to maps.

    Raises:
      FeaturesError: there is no room for them.
      OSError: the disk is full, or fails.
    """
    stores = stores_of(config, fingerprint, images, views, model, front)
    return Maps([chunk[NAME] for store, compute in stores for chunk in chunks_of(store, {NAME}, compute)])


def stores_of(
    config: TrialConfig, fingerprint: str, images: Pixels, views: Sequence[str], model: nn.Sequential, front: nn.Module
) -> Iterator[tuple[FeatureStore, Compute]]:
    """Yields the stores for the maps, each with the function that computes them.

    Its arguments and errors are those of `maps_of`.
    """
    device = next(model.parameters()).device
    for view in views:
        for part in separate(images):

            def compute(rows: np.ndarray, view: str = view, part: Pixels = part) -> dict[str, Tensor]:
                batches = (VIEWS[view](batch) for batch in together(part, rows, device).split(BATCH[device.type]))
                return {NAME: torch.cat([map_of(config, model, front, batch) for batch in batches])}

            store = FeatureStore(_key_of(config, fingerprint, part, view, model, device), len(part))
            store.open(compute(np.arange(1))[NAME].numel())
            yield store, compute


@torch.no_grad()
def map_of(config: TrialConfig, model: nn.Sequential, front: nn.Module, batch: Tensor) -> Tensor:
    """Returns the front's output for a batch of pixels, as float32 within the range of float16."""
    with judged(model), autocast(config.arch, batch.device):
        output: Tensor = front(model[0](batch))
    return output.float().clamp_(-LARGEST, LARGEST)


def _key_of(
    config: TrialConfig, fingerprint: str, images: Pixels, view: str, model: nn.Sequential, device: torch.device
) -> dict[str, Any]:
    """Returns everything that the maps of some images depend on, which names the folder where they are stored.

    Args:
      images: a whole set of images, never some rows of it.
      view: a name in `VIEWS`.
      model: the whole net, whose weights that do not train count.
    """
    preprocessing = family_of(config.arch).preprocessing(config)
    return {
        "maps": VERSION,
        **rows_about(fingerprint, images),
        "view": view,
        "backbone": config.arch,
        "stages": config.frozen_stages,
        "weights": _digest(model),
        "input_size": preprocessing.input_size(config, images.shape[2:])[0],
        "preprocessing": asdict(preprocessing),
        "device": [device.type, numerics(config.arch, device).in_names],
    }


def _digest(model: nn.Sequential) -> str:
    """Returns the sha256 of the normalisation and of all weights that do not train, by their content.

    Buffers outside of the frozen parts do not count. The running statistics of batch normalisation are among them, and
    a trial that continues has others than it began with, but the same maps.
    """
    parameters = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    names = frozen.names(model) | parameters | {f"0.{name}" for name in model[0].state_dict()}
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        if name in names:
            digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
