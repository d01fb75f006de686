"""Augmentation: the transforms, and how a pipeline of them runs.

A transform is a file `datasets/augment/NAME.py`, which holds a `TRANSFORM` with both ways to run it. To add one, add
its file and its line in `NAMES`; then a pipeline may name it. For its probability to be a hyperparameter, `TrialConfig`
needs a field of its name, 0 by default. `pipeline.py` makes a pipeline, `batched.py` runs one on whole batches.

This file imports neither torch nor albumentations, so that whoever only needs the names has them at once.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

# Read by albumentations when it is imported: without it, every process asks a package index for
# a newer version and waits up to 2 s for the answer. Files of the user's import it by themselves.
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
    """A change of images; a config asks for it by its name and a probability, a pipeline by its class.

    Attributes:
      kind: its class in albumentations, or one of our own like those; what it does is what `batched` must do too.
      arguments: what the class is made with, beside the probability.
      batched: returns the same change of a whole batch, for an object of the class, whatever its arguments are; None
        where they have no such form. The change is given (N, 3, H, W) uint8, all of which it changes.
      view: the change itself where nothing of it is drawn, so that predictions can be averaged over it.
      needs_square: says that images which are not square would change their shape.
      also: other classes that `batched` takes; no config asks for them, pipelines of the user's may.
    """

    kind: "type[A.BasicTransform]"
    arguments: Mapping[str, object]
    batched: "Callable[[Any], Change | None]"
    view: "Callable[[Tensor], Tensor] | None" = None
    needs_square: bool = False
    also: "tuple[type[A.BasicTransform], ...]" = ()


def transforms() -> dict[str, Transform]:
    """Returns every transform by its name, in the order in which they run; imports torch and albumentations."""
    return {name: import_module(f"sweep.datasets.augment.{name}").TRANSFORM for name in NAMES}
