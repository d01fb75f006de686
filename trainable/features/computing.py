"""Computes the features that a head needs and that nobody has computed yet."""

import zlib
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from datasets.pixels import Pixels
from datasets.pixels.dataset import Dataset
from datasets.pixels.rows import JoinedPixels
from datasets.pixels.stored import StoredPixels
from storage.errors import ConfigError
from trainable import weights
from trainable.config import TrialConfig
from trainable.features.matrix import Chunk, Features, layout, name_of
from trainable.features.pooling import parts
from trainable.features.store import FeaturesError, Store
from trainable.images import on_device
from trainable.models import staged
from trainable.models.head import HeadNet, all_stages, preprocessing
from trainable.precision import autocast, numerics

VERSION = 1  # of the arithmetic: another number wherever the same images give other features
LIBRARIES = ("torch", "timm", "torchvision")  # whose versions decide the last digits
BATCH = {"cpu": 16, "cuda": 128}  # images that go through the net at once; on a CPU so few stay in its caches
VIEWS: dict[str, Callable[[Tensor], Tensor]] = {"plain": lambda images: images, "flip": lambda images: images.flip(3)}


def features_of(config: TrialConfig, data: Dataset, split: str, model: nn.Sequential) -> Features:
    """Returns the features of a split that a head is trained or judged on; what is missing is computed.

    With `flip` those of the mirrored training images come after those of all images as they are.

    Args:
      model: of the config, with the weights of its backbone.

    Raises:
      FeaturesError: they would be too large.
      ConfigError: the weights of the backbone are not on this machine.
    """
    net = model[1]
    assert isinstance(net, HeadNet)

    def compute(images: Pixels, view: str) -> Callable[[np.ndarray], dict[str, Tensor]]:
        return lambda rows: _computed(config, model, VIEWS[view], images[rows])

    columns = layout(net.stages, net.shapes, net.pooling)
    names = {name_of(stage, part) for stage, part, _ in columns}
    chunks: list[Chunk] = []
    for view in ("plain", "flip") if config.flip and split == "train" else ("plain",):
        for images in separate(data.splits[split].images):
            store = Store(_about(config, data.fingerprint, images, view, net.mean.device), len(images))
            store.open(sum(sum(shape.widths.values()) for shape in net.all_shapes))
            chunks += chunks_of(store, names, compute(images, view))
    return Features(chunks, columns, net.mean.device)


def chunks_of(store: Store, names: set[str], compute: Callable[[np.ndarray], dict[str, Tensor]]) -> list[Chunk]:
    """Returns all chunks of a store, of which the missing ones are computed, by this process or by others.

    Args:
      names: of the parts that are read.
      compute: returns all parts of some rows.

    First it takes what nobody else has begun. Then it waits for the others: what one of them leaves undone, because it
    has ended, this process computes.
    """
    for wait in (False, True):
        for number in store.missing():
            with store.claim(number, wait) as is_mine:
                if is_mine:
                    store.write(number, compute(np.asarray(store.rows(number))))
    found = []
    for number in store.chunks:
        chunk = store.read(number, names)
        if not chunk:  # damaged
            store.write(number, compute(np.asarray(store.rows(number))))
            chunk = store.read(number, names)
        if not chunk:
            raise FeaturesError(f"{store.path(number)}: cannot be read back; see whether its disk is full or fails")
        found.append(chunk)
    return found


@torch.no_grad()
def _computed(
    config: TrialConfig, model: nn.Sequential, view: Callable[[Tensor], Tensor], images: np.ndarray
) -> dict[str, Tensor]:
    """Returns all parts of all stages of some images, by their names in a chunk."""
    normalise, net = model
    assert isinstance(net, HeadNet)
    device = net.mean.device
    made: list[dict[str, Tensor]] = []
    for batch in on_device(images, device).split(BATCH[device.type]):
        with autocast(config.arch, device):
            pixels = normalise(view(batch))
            maps = staged.features(net.backbone, pixels, all_stages(net.backbone, pixels))
        found = {stage: parts(each) for stage, each in enumerate(maps, start=1)}
        made.append({name_of(stage, part): value for stage, its in found.items() for part, value in its.items()})
    return {name: torch.cat([each[name] for each in made]) for name in made[0]}


def separate(images: Pixels) -> list[Pixels]:
    """Returns the images in the parts that they were joined of: features of each may be there already."""
    if isinstance(images, JoinedPixels):
        return [*separate(images.first), *separate(images.second)]
    return [images]


def _about(config: TrialConfig, fingerprint: str, images: Pixels, view: str, device: torch.device) -> dict[str, Any]:
    """Returns all that decides the features of some images."""
    assert config.backbone is not None
    found = weights.at_hand(config.backbone)
    if found is None or config.pretrained is False:
        raise ConfigError(f"`backbone` must be a net whose weights are at hand, got backbone={config.backbone}")
    return rows_about(fingerprint, images) | {
        "backbone": config.backbone,
        "weights": found.sha256,
        "input_size": preprocessing(config).input_size(config, images.shape[2:])[0],
        "preprocessing": asdict(preprocessing(config)),
        "view": view,
        "device": [device.type, numerics(config.arch, device).bf16],
    }


def rows_about(fingerprint: str, images: Pixels) -> dict[str, Any]:
    """Returns what says which images they are, and by which arithmetic something is made of them."""
    pixels = images.checksums if isinstance(images, StoredPixels) else np.ascontiguousarray(images[:])
    return {
        "version": VERSION,
        "libraries": {name: version(name) for name in LIBRARIES},
        "data": fingerprint,
        "rows": [len(images), zlib.crc32(pixels.data)],
    }
