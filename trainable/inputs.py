"""The inputs that a trial learns from: images, or the maps that the frozen stages of its net computed from them."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from sweep.datasets.pixels import Pixels
from sweep.datasets.pixels.dataset import Dataset
from sweep.datasets.pixels.rows import ChosenPixels
from sweep.datasets.pixels.rows import parent_and_rows as rows_of
from sweep.trainable.batch import predict_batch
from sweep.trainable.config import TrialConfig
from sweep.trainable.features import Prepared
from sweep.trainable.features.computing import compute_missing
from sweep.trainable.features.maps import map_of, maps_of, stores_of
from sweep.trainable.images import on_device
from sweep.trainable.models import family_of
from sweep.trainable.models.calls import judged
from sweep.trainable.models.split import split

MOST_BYTES = 8 << 30  # for the maps of a split in one view; larger ones are not stored but computed at each step


@dataclass(frozen=True)
class Inputs:
    """The inputs of the part of a net that trains.

    Attributes:
      train, valid: images or maps, by row.
      labels: (rows,) int64, the labels of `train`.
      images: the number of images in the training split.
      flip: the probability with which an image's second row, the map of its mirror image, is used in place of its
        first. The second rows follow the first rows of all images. 0 if there are none.
      size: how many images go through a net at once when nothing is learned.
      part: returns the part of a model that takes these inputs.
      are_maps: whether they are maps, not images.
    """

    train: Pixels
    valid: Pixels
    labels: Tensor
    images: int
    flip: float
    size: int
    part: Callable[[nn.Module], nn.Module]
    are_maps: bool

    def rows(self, order: Tensor, generator: torch.Generator) -> Tensor:
        """Returns the row that is used for each image of an epoch.

        Args:
          order: (N,) int64, images.
        """
        if self.flip == 0:
            return order
        is_flipped = torch.rand(len(order), generator=generator, device=order.device) < self.flip
        return order + self.images * is_flipped


def inputs_of(config: TrialConfig, data: Dataset, model: nn.Module) -> Inputs:
    """Returns the inputs that a trial learns from.

    These are the maps of the frozen stages if no augmentation but left-right flips comes before them, the net can be
    split behind them, and the maps are not too large. All of this follows from the config and the data.
    """
    device = next(model.parameters()).device
    labels = torch.tensor(data.train.truth, device=device)  # a copy: the array may be read-only
    size = predict_batch(family_of(config.arch).preprocessing(config).input_size(config, data.image_size))
    inputs = Inputs(data.train.images, data.valid.images, labels, len(labels), 0.0, size, lambda model: model, False)
    front = _kept_front(config, data, model)
    if front is None:
        return inputs
    assert isinstance(model, nn.Sequential)
    train_views, valid_views = views_of(config)

    def maps(images: Pixels, views: list[str]) -> Pixels:
        parent_maps = maps_of(config, data.fingerprint, images, views, model, front)
        parent, rows = rows_of(images)
        if rows is None:
            return parent_maps
        return ChosenPixels(parent_maps, np.concatenate([rows + number * len(parent) for number in range(len(views))]))

    def trained_part(model: nn.Module) -> nn.Module:
        parts = _parts(config, model, data)
        assert parts is not None
        return parts[1]

    return Inputs(
        train=maps(data.train.images, train_views),
        valid=maps(data.valid.images, valid_views),
        labels=labels.repeat(len(train_views)),
        images=len(labels),
        flip=config.horizontal_flip,
        size=size,
        part=trained_part,
        are_maps=True,
    )


def prepare(config: TrialConfig, data: Dataset, model: nn.Module) -> Iterator[Prepared]:
    """Computes the maps that `inputs_of` needs, a chunk per step."""
    front = _kept_front(config, data, model)
    if front is None:
        return
    assert isinstance(model, nn.Sequential)
    for images, views in zip((data.train.images, data.valid.images), views_of(config), strict=True):
        for store, compute in stores_of(config, data.fingerprint, images, views, model, front):
            yield from compute_missing(store, compute)


def as_floats(maps: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Returns the maps as float32; the generator is not used, so that it can stand in for an augmentation."""
    return maps.float()


def may_keep_maps(config: TrialConfig) -> bool:
    """Returns whether the frozen stages see the same image in each epoch, except that it may be mirrored."""
    return bool(config.frozen_stages) and not config.pipeline and config.augmentation.keys() <= {"horizontal_flip"}


def views_of(config: TrialConfig) -> tuple[list[str], list[str]]:
    """Returns the views of the training images, and those of the validation images."""
    return ["plain", "flip"] if config.horizontal_flip else ["plain"], ["plain"]


def _kept_front(config: TrialConfig, data: Dataset, model: nn.Module) -> nn.Module | None:
    """Returns the frozen front of a model, or None if its maps are not stored."""
    if not may_keep_maps(config):
        return None
    parts = _parts(config, model, data)
    return parts[0] if parts and _can_be_kept(config, data, parts[0], model) else None


def _parts(config: TrialConfig, model: nn.Module, data: Dataset) -> tuple[nn.Module, nn.Module] | None:
    """Returns the frozen front of a model, which takes normalised images, and the rest; None if it cannot be split."""
    assert isinstance(model, nn.Sequential)
    assert config.frozen_stages
    with judged(model):
        normalised = model[0](on_device(data.train.images[:1], next(model.parameters()).device))
    return split(model[1], config.frozen_stages, normalised)


def _can_be_kept(config: TrialConfig, data: Dataset, front: nn.Module, model: nn.Module) -> bool:
    """Returns whether the front's maps are small enough to be stored, and can be cut if CutMix is used."""
    assert isinstance(model, nn.Sequential)
    example = on_device(data.train.images[:1], next(model.parameters()).device)
    shape = map_of(config, model, front, example).shape[1:]
    rows = max(len(rows_of(split.images)[0]) for split in (data.train, data.valid))
    bytes_of_view = 2 * math.prod(shape) * rows
    height, width = data.image_size
    # CutMix cuts boxes from (C, H, W) maps, which must have the proportions of the images.
    is_map = len(shape) == 3 and shape[1] * width == shape[2] * height
    return bytes_of_view <= MOST_BYTES and (is_map or not config.cutmix)
