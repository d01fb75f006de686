"""What the frozen stages of a net make of images: computed once, kept for every trial whose stages are the same.

The maps lie on the disk as the features of heads do, in chunks that workers share, and are read mapped. They are kept
in float16. A trial learns from what is kept, also where it has computed that itself, so its numbers do not depend on
whether the maps were found.
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
from sweep.trainable.features.store import Store
from sweep.trainable.images import together
from sweep.trainable.models import family_of, frozen
from sweep.trainable.models.calls import judged
from sweep.trainable.precision import autocast, numerics

VERSION = 1  # of the arithmetic: another number wherever the same images give other maps
NAME = "map"  # of the tensor in a chunk's file
LARGEST = torch.finfo(torch.float16).max


class Maps:
    """Maps by row, one view of all images after the other; what is asked for is read from the files of the chunks.

    Attributes:
      shape: (rows, ...) of all.
      dtype: of numpy's.
    """

    def __init__(self, chunks: Sequence[Tensor]) -> None:
        self.chunks = [chunk.numpy() for chunk in chunks]
        self.ends = np.cumsum([len(chunk) for chunk in chunks])
        self.shape: tuple[Any, ...] = (int(self.ends[-1]), *chunks[0].shape[1:])
        self.dtype = self.chunks[0].dtype

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape)) * self.dtype.itemsize

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: slice | int | Sequence[int] | np.ndarray, /) -> np.ndarray:
        """Returns the map of one row, or (n, ...) of these rows in their order."""
        if isinstance(rows, int):
            return self[[rows]][0]
        numbers = np.arange(len(self))[rows]
        which = np.searchsorted(self.ends, numbers, side="right")
        found = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        for place, (chunk, row) in enumerate(zip(which, numbers, strict=True)):
            found[place] = self.chunks[chunk][row - self.ends[chunk]]  # counted from the end of the chunk
        return found


def maps_of(
    config: TrialConfig, fingerprint: str, images: Pixels, views: Sequence[str], model: nn.Sequential, front: nn.Module
) -> Maps:
    """Returns the maps of images in each view; what is missing is computed, by this worker or by others.

    Args:
      fingerprint: of the data.
      views: names in `VIEWS`.
      front: of the model, from normalised images to maps.

    Raises:
      FeaturesError: there is no room for them.
      OSError: the disk is full, or fails.
    """
    stores = stores_of(config, fingerprint, images, views, model, front)
    return Maps([chunk[NAME] for store, compute in stores for chunk in chunks_of(store, {NAME}, compute)])


def stores_of(
    config: TrialConfig, fingerprint: str, images: Pixels, views: Sequence[str], model: nn.Sequential, front: nn.Module
) -> Iterator[tuple[Store, Compute]]:
    """Yields where the maps are kept, each with what computes them; takes and raises what `maps_of` does."""
    device = next(model.parameters()).device
    for view in views:
        for part in separate(images):

            def compute(rows: np.ndarray, view: str = view, part: Pixels = part) -> dict[str, Tensor]:
                batches = (VIEWS[view](batch) for batch in together(part, rows, device).split(BATCH[device.type]))
                return {NAME: torch.cat([map_of(config, model, front, batch) for batch in batches])}

            store = Store(_about(config, fingerprint, part, view, model, device), len(part))
            store.open(compute(np.arange(1))[NAME].numel())
            yield store, compute


@torch.no_grad()
def map_of(config: TrialConfig, model: nn.Sequential, front: nn.Module, batch: Tensor) -> Tensor:
    """Returns what the front makes of a batch of pixels, float32, within what float16 can hold."""
    with judged(model), autocast(config.arch, batch.device):
        made: Tensor = front(model[0](batch))
    return made.float().clamp_(-LARGEST, LARGEST)


def _about(
    config: TrialConfig, fingerprint: str, images: Pixels, view: str, model: nn.Sequential, device: torch.device
) -> dict[str, Any]:
    """Returns all that decides the maps of some images."""
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


def _digest(model: nn.Module) -> str:
    """Returns the sha256 of all that is frozen: whatever its weights are called, they are in the net by now."""
    names, trains = frozen.names(model), {name for name, its in model.named_parameters() if its.requires_grad}
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        if name in names or name not in trains:
            digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
