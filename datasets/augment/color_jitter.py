"""The transform that changes brightness, contrast, saturation and hue of an image, in a random order."""

import albumentations as A
import torch
from torch import Tensor

from sweep.datasets.augment import Transform
from sweep.datasets.augment.batch_rows import Change, uniform
from sweep.datasets.augment.hue_saturation_value import shifted

LUMA = (9798, 19235, 3735)  # weights of red, green and blue in grey, in 32768ths, as in OpenCV
OTHERS = 3  # the number of steps beside hue: brightness, contrast and saturation


def batched(transform: A.ColorJitter) -> Change:
    """Returns the batched form; it draws the order and the strength of the four steps for each image."""
    limits = (transform.brightness, transform.contrast, transform.saturation)
    turns = any(transform.hue)

    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        factors = torch.cat([uniform(limit, images, generator)[:, 0, 0] for limit in limits], 1)  # (N, OTHERS)
        hue = uniform(transform.hue, images, generator)[:, 0, 0].mul_(180)
        order = torch.rand(len(images), OTHERS, generator=generator, device=images.device).argsort(1)
        hue_place = torch.rand(len(images), 1, generator=generator, device=images.device).mul_(OTHERS + 1).floor_()
        if not turns:
            return _blend(images, factors.gather(1, order), order)
        factors, places = factors.gather(1, order), torch.arange(OTHERS, device=images.device)
        first = _blend(images, torch.where(places < hue_place, factors, 1), order)
        turned = shifted(first, hue, torch.zeros_like(hue), torch.zeros_like(hue))
        return _blend(turned, torch.where(places < hue_place, 1, factors), order)

    return change


def _blend(images: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """Returns each image after three steps, each of which blends it with black, its mean grey or its own grey.

    Args:
      images: (N, 3, H, W) uint8.
      factors: (N, OTHERS), the weight of the image in each step; 1 leaves it as it is, more than 1 moves it away.
      order: (N, OTHERS), what each step blends with: 0 for black, 1 for the mean grey, 2 for the image's own grey.
    """
    pixels = images.float()
    for step in range(OTHERS):
        factor, blend = factors[:, step, None, None, None], order[:, step, None, None, None]
        grey, rest = _grey(pixels), 1 - factor
        mean = grey.mean((2, 3), keepdim=True).mul_(rest * (blend == 1))
        pixels.mul_(factor).add_(grey.mul_(rest * (blend == 2)).add_(mean)).clamp_(0, 255)
        # albumentations truncates the results, except in the step of saturation, which OpenCV rounds.
        pixels.add_((blend == 2) * 0.5).floor_()
    return pixels.to(torch.uint8)


def _grey(pixels: Tensor) -> Tensor:
    """Returns (N, 1, H, W), the grey of each pixel as a whole number."""
    red, green, blue = (pixels[:, i : i + 1] for i in range(3))
    sums = (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])  # below 2**24, so exact
    return sums.add_(2**14).mul_(2**-15).floor_()


LIMITS: dict[str, object] = {"brightness": (0.6, 1.4), "contrast": (0.6, 1.4), "saturation": (0.6, 1.4)}
TRANSFORM = Transform(A.ColorJitter, LIMITS | {"hue": (-0.1, 0.1)}, batched)
