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

from datasets.augment import transforms
from datasets.pixels import Pixels
from trainable.batch import predict_batch
from trainable.config import TrialConfig
from trainable.images import parts, placed
from trainable.loop import predict_logits
from trainable.metrics.contract import softmax
from trainable.step import pipeline


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
    for batch in parts(placed(images, device), predict_batch((height, width)), device):
        yield [_of_batch(net, batch) for net in nets]


def _of_batch(net: Answering, batch: Tensor) -> np.ndarray:
    height, width = batch.shape[2:]
    shown = net.views((height, width)).items()
    mean = sum(share * softmax(predict_logits(net.config, net.model, batch, partial(_view, on))) for on, share in shown)
    return np.log(np.maximum(mean, 1e-30)).astype(np.float32)


def _view(names: tuple[str, ...], pixels: Tensor) -> Tensor:
    for name in names:
        pixels = _forms()[name][0](pixels)
    return pixels.contiguous()


def _forms() -> dict[str, tuple[Callable[[Tensor], Tensor], bool]]:
    """Returns what makes a view, and whether it needs square images, by albumentations' name of the transform."""
    return {known.kind.__name__: (known.view, known.needs_square) for known in transforms().values() if known.view}
