"""Test-time averaging: the mean of the probabilities over the flips and transposes that a config trained with.

Each view counts as often as training showed it: a net that saw one image in five flipped is worse on flipped ones, and
to count all views the same would cost it more than the averaging brings.
"""

from collections.abc import Callable
from functools import partial
from itertools import compress, product
from math import prod

import numpy as np
from torch import Tensor, nn

from datasets.augment import transforms
from datasets.pixels import Pixels
from trainable.config import TrialConfig
from trainable.images import placed
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
    names = [name for name, (_, needs_square) in _forms().items() if name in shares and (is_square or not needs_square)]
    choices = [tuple(compress(names, are_on)) for are_on in product((False, True), repeat=len(names))]
    shown = {on: prod(shares[name] if name in on else 1 - shares[name] for name in names) for on in choices}
    return {on: share for on, share in shown.items() if share > 0}


def log_probabilities(config: TrialConfig, model: nn.Module, images: Pixels, is_averaged: bool) -> np.ndarray:
    """(N, classes) float32, of (N, 3, H, W) uint8 pixels.

    Args:
      is_averaged: of the mean of the probabilities over the views; else of the images as they are.
    """
    pixels = placed(images, next(model.parameters()).device)
    height, width = images.shape[2:]
    found = views(config, (height, width)) if is_averaged else {(): 1.0}
    parts = [
        share * softmax(predict_logits(config, model, pixels, partial(_view, names))) for names, share in found.items()
    ]
    return np.log(np.maximum(sum(parts), 1e-30)).astype(np.float32)


def _view(names: tuple[str, ...], pixels: Tensor) -> Tensor:
    for name in names:
        pixels = _forms()[name][0](pixels)
    return pixels.contiguous()


def _forms() -> dict[str, tuple[Callable[[Tensor], Tensor], bool]]:
    """Returns what makes a view, and whether it needs square images, by albumentations' name of the transform."""
    return {known.kind.__name__: (known.view, known.needs_square) for known in transforms().values() if known.view}
