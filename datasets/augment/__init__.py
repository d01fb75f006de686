"""Augmentation: the transforms of images, and how a pipeline of them runs.

A transform is a file `datasets/augment/NAME.py` that defines a `TRANSFORM` with both ways to run it: on one image and
on a batch. To add one, add its file and its line in `NAMES`; then a pipeline may name it. To make its probability a
hyperparameter, add a field with its name to `TrialConfig`, 0 by default. `pipeline.py` makes a pipeline, and
`batched.py` runs one on whole batches.

This file imports neither torch nor albumentations, so that code which only needs the names starts quickly.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

# albumentations reads this variable when it is imported. Without it, every process asks a package index for a newer
# version and waits up to 2 s for the answer. It is set here because a user's own file may import albumentations itself.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

if TYPE_CHECKING:
    import albumentations as A
    from torch import Tensor

    from sweep.datasets.augment.batch_rows import Change

NAMES = (  # in the order in which they run
    "random_resized_crop",
    "horizontal_flip",
    "vertical_flip",
    "transpose",
    "rotate",
    "shift",
    "gauss_noise",
    "emboss",
    "hue_saturation_value",
    "color_jitter",
    "channel_shuffle",
    "trivial_augment",
    "cutout",
)


@dataclass(frozen=True)
class Transform:
    """A random change of images, which a config requests by its name and a probability, and a pipeline by its class.

    Attributes:
      kind: its class in albumentations, or one of our own with the same interface; `batched` must do the same.
      arguments: the arguments of the class, beside the probability.
      batched: takes an object of the class and returns the same change for whole batches, or None if the object's
        arguments have no such form. The change is given (N, 3, H, W) uint8, and changes every image.
      view: the change itself if nothing in it is random, so that predictions can be averaged over it; else None.
      needs_square: True if it would change the shape of images that are not square.
      other_kinds: other classes that `batched` accepts; no config requests them, but a pipeline of the user may.
    """

    kind: "type[A.BasicTransform]"
    arguments: Mapping[str, object]
    batched: "Callable[[Any], Change | None]"
    view: "Callable[[Tensor], Tensor] | None" = None
    needs_square: bool = False
    other_kinds: "tuple[type[A.BasicTransform], ...]" = ()


def transforms() -> dict[str, Transform]:
    """Returns every transform by its name, in the order in which they run; imports torch and albumentations."""
    return {name: import_module(f"sweep.datasets.augment.{name}").TRANSFORM for name in NAMES}
