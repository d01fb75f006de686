"""Test-time averaging: the mean of the probabilities over the flips and transposes that a config trained with.

Each view counts as often as training showed it: a net that saw one image in five flipped is worse on flipped ones, and
to count all views the same would cost it more than the averaging brings. Counted so, upside down views do no harm where
images have an up and a down: 43 nets from scratch gained 0.4 points with all their views, as with left and right alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress, product
from math import prod

import numpy as np
from torch import Tensor, nn

from sweep.datasets.augment import transforms
from sweep.datasets.pixels import Pixels
from sweep.trainable.batch import predict_batch
from sweep.trainable.config import TrialConfig
from sweep.trainable.images import parts, placed
from sweep.trainable.loop import predict_logits
from sweep.trainable.metrics.contract import softmax
from sweep.trainable.models import family_of
from sweep.trainable.precision import numerics
from sweep.trainable.step import pipeline


def views(config: TrialConfig, image_size: tuple[int, int]) -> dict[tuple[str, ...], float]:
    """What leads from an image to each of its views, and how often training showed it, adding up to 1.

    Args:
      image_size: height and width; images that are not square are not transposed.

    Returns:
      the image itself first, and alone where the config trained with no flip.
    """
    is_square = image_size[0] == image_size[1]
    shares = {type(transform).__name__: transform.p for transform in pipeline(config, is_square) if transform.p > 0}
    if config.flip:  # a head learns from each image and its mirror image alike
        shares["HorizontalFlip"] = 0.5
    names = [name for name, (_, needs_square) in _forms().items() if name in shares and (is_square or not needs_square)]
    choices = [tuple(compress(names, are_on)) for are_on in product((False, True), repeat=len(names))]
    shown = {on: prod(shares[name] if name in on else 1 - shares[name] for name in names) for on in choices}
    return {on: share for on, share in shown.items() if share > 0}


@dataclass(frozen=True, eq=False)
class Answering:
    """A net that is asked for predictions.

    Attributes:
      model: from (N, 3, H, W) pixels to (N, classes) logits.
      is_averaged: over its views; else it sees the images as they are.
    """

    config: TrialConfig
    model: nn.Module
    is_averaged: bool

    def views(self, image_size: tuple[int, int]) -> dict[tuple[str, ...], float]:
        return views(self.config, image_size) if self.is_averaged else {(): 1.0}


def log_probabilities(config: TrialConfig, model: nn.Module, images: Pixels, is_averaged: bool) -> np.ndarray:
    """(N, classes) float32, of (N, 3, H, W) uint8 pixels.

    Args:
      is_averaged: of the mean of the probabilities over the views; else of the images as they are.
    """
    return np.concatenate([found for (found,) in by_batch([Answering(config, model, is_averaged)], images)])


def by_batch(nets: Sequence[Answering], images: Pixels) -> Iterator[list[np.ndarray]]:
    """Yields what all nets say of one batch of the images after the other, so that no more are held at once.

    Args:
      nets: on one device.
      images: (N, 3, H, W) uint8.

    Yields:
      (n, classes) float32 log probabilities of each net, for the n images of the batch.
    """
    device = next(nets[0].model.parameters()).device
    height, width = images.shape[2:]
    groups = _groups(nets)
    for batch in parts(placed(images, device), predict_batch((height, width)), device):
        found = {net: logs for group in groups for net, logs in _of_batch(group, batch).items()}
        yield [found[net] for net in nets]


def _groups(nets: Sequence[Answering]) -> list[list[Answering]]:
    """Returns the nets, heads on one frozen net together."""
    groups: dict[object, list[Answering]] = {}
    for net in nets:
        alone = net.config.backbone is None
        groups.setdefault(net if alone else _front(net), []).append(net)
    return list(groups.values())


def _front(net: Answering) -> object:
    """Returns what is equal where two heads can be asked at once: the net before them, and how it takes pixels."""
    from sweep.trainable.models.heads_together import head_of

    head, arch, device = head_of(net.model), net.config.arch, next(net.model.parameters()).device
    takes = family_of(arch).preprocessing(net.config), net.config.input_size, numerics(arch, device)
    return id(head.filled()) if head else net, takes


def _of_batch(group: list[Answering], batch: Tensor) -> dict[Answering, np.ndarray]:
    """The log probabilities of each net of a group, for the images of a batch."""
    height, width = batch.shape[2:]
    shown = {net: net.views((height, width)) for net in group}
    means: dict[Answering, np.ndarray | float] = dict.fromkeys(group, 0.0)
    for view in dict.fromkeys(view for views in shown.values() for view in views):
        asked = [net for net in group if view in shown[net]]
        for net, logits in zip(asked, _logits(asked, batch, view), strict=True):
            means[net] += shown[net][view] * softmax(logits)
    return {net: np.log(np.maximum(mean, 1e-30)).astype(np.float32) for net, mean in means.items()}


def _logits(group: list[Answering], batch: Tensor, view: tuple[str, ...]) -> list[np.ndarray]:
    """The logits of each net of a group, for one view of the images."""
    config, model = group[0].config, group[0].model
    if len(group) > 1:
        from sweep.trainable.models.heads_together import HeadsTogether

        model = HeadsTogether([net.model for net in group])
    height, width = batch.shape[2:]
    size = predict_batch(family_of(config.arch).preprocessing(config).input_size(config, (height, width)))
    return np.split(predict_logits(config, model, batch, partial(_view, view), size), len(group), axis=1)


def _view(names: tuple[str, ...], pixels: Tensor) -> Tensor:
    for name in names:
        pixels = _forms()[name][0](pixels)
    return pixels.contiguous()


def _forms() -> dict[str, tuple[Callable[[Tensor], Tensor], bool]]:
    """Returns what makes a view, and whether it needs square images, by albumentations' name of the transform."""
    return {known.kind.__name__: (known.view, known.needs_square) for known in transforms().values() if known.view}
