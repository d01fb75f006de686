"""Computes the features that a head needs and that nobody has computed yet."""

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sweep.datasets.folds import of_images
from sweep.datasets.pixels import Pixels
from sweep.datasets.pixels.dataset import Dataset
from sweep.datasets.pixels.rows import JoinedPixels, parent_and_rows
from sweep.datasets.pixels.stored import StoredPixels
from sweep.storage.errors import ConfigError
from sweep.trainable import weights
from sweep.trainable.config import TrialConfig
from sweep.trainable.features import Prepared
from sweep.trainable.features.matrix import Chunk, Features, layout, name_of
from sweep.trainable.features.pooling import parts
from sweep.trainable.features.store import FeaturesError, FeatureStore
from sweep.trainable.images import together
from sweep.trainable.models import stage_maps
from sweep.trainable.models.head import HeadNet, all_stages, preprocessing
from sweep.trainable.models.known import versions
from sweep.trainable.precision import autocast, numerics

VERSION = 1  # of the arithmetic: raise it whenever the same images get other features
BATCH = {"cpu": 16, "cuda": 128, "mps": 128}  # images that go through the net at once; 16 fit into a CPU's caches
WAIT_SECONDS = 0.1  # between two checks for chunks that other workers have computed
Compute = Callable[[np.ndarray], dict[str, Tensor]]  # from rows to the tensors that are stored for them
VIEWS: dict[str, Callable[[Tensor], Tensor]] = {"plain": lambda images: images, "flip": lambda images: images.flip(3)}


def features_of(config: TrialConfig, data: Dataset, split: str, net: HeadNet, normalise: nn.Module) -> Features:
    """Returns the features of a split, on which a head is trained or judged; computes those that are missing.

    If the config has `flip`, the features of all mirrored training images follow those of all images as they are.

    Args:
      normalise: the layer in front of the net.

    Raises:
      FeaturesError: the features would be too large.
      ConfigError: the weights of the backbone are not on this machine.
    """
    columns = layout(net.stages, net.shapes, net.pooling)
    names = {name_of(stage, part) for stage, part, _ in columns}
    chunks: list[Chunk] = []
    for store, compute in _stores(config, data, split, net, normalise):
        chunks += chunks_of(store, names, compute)
    parent, rows = parent_and_rows(data.splits[split].images)
    if rows is not None:
        rows = np.concatenate([rows + number * len(parent) for number in range(len(_views(config, split)))])
    return Features(chunks, columns, net.mean.device, None if rows is None else torch.from_numpy(rows))


def prepare(
    config: TrialConfig, data: Dataset, splits: Sequence[str], net: HeadNet, normalise: nn.Module
) -> Iterator[Prepared]:
    """Computes the missing features, a chunk per step; its arguments and errors are those of `features_of`."""
    for split in splits:
        for store, compute in _stores(config, data, split, net, normalise):
            yield from compute_missing(store, compute)


def _stores(
    config: TrialConfig, data: Dataset, split: str, net: HeadNet, normalise: nn.Module
) -> Iterator[tuple[FeatureStore, Compute]]:
    """Yields the stores for the features of a split, each with the function that computes them."""

    def compute(images: Pixels, view: str) -> Compute:
        return lambda rows: _computed(config, net, normalise, VIEWS[view], together(images, rows, net.mean.device))

    for view in _views(config, split):
        for images in separate(data.splits[split].images):
            store = FeatureStore(_about(config, data.fingerprint, images, view, net.mean.device), len(images))
            store.open(net.numbers)
            yield store, compute(images, view)


def _views(config: TrialConfig, split: str) -> tuple[str, ...]:
    """Returns the names of the views in which a split's images are used."""
    return ("plain", "flip") if config.flip and split == "train" else ("plain",)


def compute_missing(store: FeatureStore, compute: Compute) -> Iterator[Prepared]:
    """Computes the missing chunks of a store, one per step, until all are there.

    It takes chunks that nobody else has begun; a chunk whose worker has ended becomes free again. While others compute
    all that is missing, a step is a short wait.
    """
    while missing := store.missing():
        is_idle = True
        for number in missing:
            with store.claim(number) as is_mine:
                if is_mine:
                    store.write(number, compute(np.asarray(store.rows(number))))
            if is_mine:
                is_idle = False
                yield store.prepared
        if is_idle:
            time.sleep(WAIT_SECONDS)
            yield store.prepared


def chunks_of(store: FeatureStore, names: set[str], compute: Compute) -> list[Chunk]:
    """Returns all chunks of a store; missing ones are computed first, by this process or by others.

    Args:
      names: the parts that are read.
      compute: returns all parts of some rows.

    Raises:
      FeaturesError: a chunk cannot be read back after it was written.
    """
    for _ in compute_missing(store, compute):
        pass
    chunks = []
    for number in store.chunks:
        chunk = store.read(number, names)
        if not chunk:  # damaged
            store.write(number, compute(np.asarray(store.rows(number))))
            chunk = store.read(number, names)
        if not chunk:
            raise FeaturesError(f"{store.path(number)}: cannot be read back; see whether its disk is full or fails")
        chunks.append(chunk)
    return chunks


@torch.no_grad()
def _computed(
    config: TrialConfig, net: HeadNet, normalise: nn.Module, view: Callable[[Tensor], Tensor], images: Tensor
) -> dict[str, Tensor]:
    """Returns all parts of all stages for some images, by their names in a chunk."""
    device, backbone = net.mean.device, net.filled()
    batches: list[dict[str, Tensor]] = []
    for batch in images.split(BATCH[device.type]):
        with autocast(config.arch, device):
            pixels = normalise(view(batch))
            maps = stage_maps.features(backbone, pixels, all_stages(backbone, pixels))
        by_stage = {stage: parts(each) for stage, each in enumerate(maps, start=1)}
        batches.append(
            {name_of(stage, part): value for stage, values in by_stage.items() for part, value in values.items()}
        )
    return {name: torch.cat([each[name] for each in batches]) for name in batches[0]}


def separate(images: Pixels) -> list[Pixels]:
    """Returns the sets of images from which these were joined or chosen: their features may already be stored.

    If the images are chosen rows of a larger set, as in a fold, it returns the whole set: every fold takes its rows
    from the same features.
    """
    images, _ = parent_and_rows(images)
    if isinstance(images, JoinedPixels):
        return [*separate(images.first), *separate(images.second)]
    return [images]


def _about(config: TrialConfig, fingerprint: str, images: Pixels, view: str, device: torch.device) -> dict[str, Any]:
    """Returns everything that determines the features of some images."""
    assert config.backbone is not None
    pretrained = weights.at_hand(config.backbone)
    if pretrained is None or config.pretrained is False:
        raise ConfigError(f"`backbone` must be a net whose weights are at hand, got backbone={config.backbone}")
    return rows_about(fingerprint, images) | {
        "backbone": config.backbone,
        "weights": pretrained.sha256,
        "input_size": preprocessing(config).input_size(config, images.shape[2:])[0],
        "preprocessing": asdict(preprocessing(config)),
        "view": view,
        "device": [device.type, numerics(config.arch, device).in_names],
    }


def rows_about(fingerprint: str, images: Pixels) -> dict[str, Any]:
    """Returns values that identify the images, and the version of the arithmetic that computes something from them."""
    pixels = images.checksums if isinstance(images, StoredPixels) else np.ascontiguousarray(images[:])
    return {
        "version": VERSION,
        "libraries": versions(),
        "data": of_images(fingerprint),
        "rows": [len(images), zlib.crc32(pixels.data)],
    }
