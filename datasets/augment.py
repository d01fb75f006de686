"""Augmentation as an albumentations pipeline, and the slow way to run it; batched.py has the fast one."""

import os
import random
from collections.abc import Mapping
from typing import Any

# Read by albumentations when it is imported: without it, every process asks a package index for
# a newer version and waits up to 2 s for the answer.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A
import cv2
import numpy as np
import torch
from torch import Tensor


class Shift(A.ImageOnlyTransform):
    """Moves an image by whole pixels, independently in both directions, filling edges by reflection (101).

    A.Affine cannot say this without knowing the size: its translate_percent rounds towards zero,
    so that a sixteenth of 16 px never moves anything.

    Args:
      fraction: largest shift as a share of the side, rounded down, but at least one pixel.
    """

    def __init__(self, fraction: float = 1 / 16, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.fraction = fraction

    def limit_px(self, side: int) -> int:
        return max(1, int(side * self.fraction))

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        limits = [self.limit_px(side) for side in params["shape"][:2]]
        return {"offsets": [self.py_random.randint(-limit, limit) for limit in limits]}

    def apply(self, img: np.ndarray, offsets: list[int], **params: Any) -> np.ndarray:
        (height, width), (down, right) = img.shape[:2], offsets
        y, x = self.limit_px(height), self.limit_px(width)
        padded = cv2.copyMakeBorder(img, y, y, x, x, cv2.BORDER_REFLECT_101)
        return padded[y - down : y - down + height, x - right : x - right + width]


TRANSFORMS: dict[str, tuple[type[A.BasicTransform], dict[str, Any]]] = {
    "horizontal_flip": (A.HorizontalFlip, {}),
    "vertical_flip": (A.VerticalFlip, {}),
    "transpose": (A.Transpose, {}),
    "rotate": (A.Rotate, {"limit": 90, "border_mode": cv2.BORDER_REFLECT_101, "interpolation": cv2.INTER_LINEAR}),
    "shift": (Shift, {"fraction": 1 / 16}),
    # The default of albumentations 1.x, which the published runs used: a variance of 10 to 50. The
    # default of 2.x, 0.2 to 0.44, means to be the same but divides before the root: 51 to 112 of 255.
    "gauss_noise": (A.GaussNoise, {"std_range": (10**0.5 / 255, 50**0.5 / 255)}),
    "emboss": (A.Emboss, {}),
    "hue_saturation_value": (A.HueSaturationValue, {}),
    "channel_shuffle": (A.ChannelShuffle, {}),
    # A square with a sixteenth to a quarter of the area (CoarseDropout draws height and width apart),
    # filled with mid-grey: near zero once normalised.
    "cutout": (A.Erasing, {"scale": (1 / 16, 1 / 4), "ratio": (1, 1), "fill": 128}),
}


def compose(probabilities: Mapping[str, float]) -> A.Compose:
    """The pipeline that applies each transform with its probability, in the order given.

    Args:
      probabilities: per image, [0, 1], by name in TRANSFORMS.

    Raises:
      ValueError: a name is not in TRANSFORMS.
    """
    for name in probabilities:
        if name not in TRANSFORMS:
            raise ValueError(f"unknown augmentation `{name}`; known: {', '.join(TRANSFORMS)}")
    return A.Compose([TRANSFORMS[name][0](p=p, **TRANSFORMS[name][1]) for name, p in probabilities.items()])


def per_image(pipeline: A.Compose, images: Tensor, seed: int) -> Tensor:
    """Runs any pipeline, image by image: ten times as slow as its batched form.

    Args:
      pipeline: must keep the size of the images; its random state is replaced.
      images: (N, 3, H, W) uint8, RGB; not modified.
      seed: 0 or more; same seed, same images: same output.

    Returns:
      (N, 3, H, W) uint8, on the device of `images`.
    """
    # Not set_random_seed: that gives every transform a generator of its own with the same seed, so
    # that two flips with the same probability always fall together (2.0.8). This one is shared.
    pipeline.set_random_state(np.random.default_rng(seed), random.Random(seed))  # noqa: S311
    pixels = images.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    changed = np.empty_like(pixels)
    for i, image in enumerate(pixels):
        changed[i] = pipeline(image=image)["image"]
    return torch.from_numpy(changed).permute(0, 3, 1, 2).contiguous().to(images.device)
