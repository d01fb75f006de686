"""Test-time averaging: the mean of the probabilities over the flips and transposes that a config trained with."""

from itertools import product

import numpy as np
from torch import Tensor, nn

from trainable.config import TrialConfig
from trainable.loop import on_device, pipeline, predict_logits

TRANSPOSE = "Transpose"
FLIPS = {"HorizontalFlip": 3, "VerticalFlip": 2}  # albumentations' names; the axis of (N, 3, H, W)


def views(config: TrialConfig, image_size: tuple[int, int]) -> list[tuple[str, ...]]:
    """What leads from an image to each of its views, itself first; one view where the config trained with none.

    Args:
      image_size: height and width; images that are not square are not transposed.
    """
    is_square = image_size[0] == image_size[1]
    used = {type(transform).__name__ for transform in pipeline(config, is_square) if transform.p > 0}
    names = [name for name in (*FLIPS, TRANSPOSE) if name in used and (is_square or name != TRANSPOSE)]
    return [tuple(n for n, is_on in zip(names, on, strict=True) if is_on) for on in product((0, 1), repeat=len(names))]


def log_probabilities(config: TrialConfig, model: nn.Module, images: np.ndarray, is_averaged: bool) -> np.ndarray:
    """(N, classes) float32, of (N, 3, H, W) uint8 pixels.

    Args:
      is_averaged: of the mean of the probabilities over the views; else of the images as they are.
    """
    pixels = on_device(images, next(model.parameters()).device)
    height, width = images.shape[2:]
    found = views(config, (height, width)) if is_averaged else [()]
    shares = [_softmax(predict_logits(config, model, _view(pixels, names))) for names in found]
    return np.log(np.maximum(sum(shares) / len(found), 1e-30)).astype(np.float32)


def _view(pixels: Tensor, names: tuple[str, ...]) -> Tensor:
    for name in names:
        pixels = pixels.transpose(2, 3) if name == TRANSPOSE else pixels.flip(FLIPS[name])
    return pixels.contiguous()


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp((logits - logits.max(axis=1, keepdims=True)).astype(np.float64))
    return exponents / exponents.sum(axis=1, keepdims=True)
