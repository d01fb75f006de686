"""Augmentation as an albumentations pipeline, as text too, and the slow way to run it; batched.py has the fast one."""

import inspect
import json
import os
import random
import re
from collections.abc import Mapping
from typing import Any, NoReturn

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
      fraction: largest shift as a share of the side, [0, 1), rounded down, but at least one pixel.
    """

    def __init__(self, fraction: float = 1 / 16, p: float = 0.5) -> None:
        super().__init__(p=p)
        if not (isinstance(fraction, int | float) and 0 <= fraction < 1):
            raise ValueError(f"`0 <= fraction < 1` must hold, got fraction={fraction}")
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
      pipeline: its random state is replaced.
      images: (N, 3, H, W) uint8, RGB; not modified.
      seed: 0 or more; same seed, same images: same output.

    Returns:
      (N, 3, H, W) uint8, on the device of `images`.

    Raises:
      ValueError: an image comes out in another size, or no longer as uint8.
    """
    # Not set_random_seed: that gives every transform a generator of its own with the same seed, so
    # that two flips with the same probability always fall together (2.0.8). This one is shared.
    pipeline.set_random_state(np.random.default_rng(seed), random.Random(seed))  # noqa: S311
    pixels = images.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    changed = np.empty_like(pixels)
    for i, image in enumerate(pixels):
        out = pipeline(image=image)["image"]
        if out.shape != image.shape or out.dtype != image.dtype:
            became = f"{tuple(out.shape)} {out.dtype}"
            raise ValueError(f"augmentation must leave images {image.shape} uint8, height x width x 3; got {became}")
        changed[i] = out
    return torch.from_numpy(changed).permute(0, 3, 1, 2).contiguous().to(images.device)


def to_text(pipeline: A.Compose) -> str:
    """The pipeline in one line of JSON, the same for the same transforms and arguments; `from_text` reads it.

    The seed of a Compose is left out: see `per_image`.

    Raises:
      ValueError: something in it cannot be read back: a function, an array, a class of one's own.
    """
    text = _to_json(pipeline)
    again = _to_json(from_text(text))  # a whole number may have become 1.0
    if json.loads(again) != json.loads(text):
        raise ValueError(f"the pipeline is another when read back from its text: {again} instead of {text}")
    return again


def from_text(text: str) -> A.Compose:
    """The pipeline that `to_text` or `A.save` wrote.

    Transforms of albumentations and Shift are made, from plain values, and nothing else: `A.from_dict` makes
    whatever class is registered, and merely warns of a wrong argument.

    Raises:
      ValueError: the text is not JSON, or names what is no such transform, or an argument is wrong.
    """
    try:
        saved = json.loads(text, parse_constant=_refuse)
        pipeline = _made(saved.get("transform") if isinstance(saved, dict) else saved)
    except json.JSONDecodeError as error:
        raise ValueError(f"the pipeline is not JSON: {error}") from error
    except RecursionError as error:
        raise ValueError("the pipeline is nested too deeply") from error
    if type(pipeline) is not A.Compose:
        raise ValueError(f"the outermost transform must be Compose, got {type(pipeline).__name__}")
    return pipeline


def _to_json(pipeline: A.Compose) -> str:
    try:  # without the version of albumentations, which A.to_dict adds
        saved = {"transform": A.to_dict(pipeline)["transform"]}
        return json.dumps(saved, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise ValueError(f"the pipeline cannot be written as text: {error}") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _made(saved: Any) -> Any:
    """The transform that A.to_dict has described, with those inside it."""
    name = saved.get("__class_fullname__") if isinstance(saved, dict) else None
    if not isinstance(name, str):
        raise ValueError(f"a transform must be an object with `__class_fullname__`, got {str(saved)[:80]}")
    kind = _kind(name)
    arguments = {key: value for key, value in saved.items() if key != "__class_fullname__"}
    taken = list(inspect.signature(kind).parameters)
    known = {key for base in kind.__mro__ for key in inspect.signature(base.__init__).parameters}
    for key in arguments:
        if key not in known:
            raise ValueError(f"{name} has no argument `{key}`; it has: {', '.join(taken)}")
    arguments = {key: value for key, value in arguments.items() if key in taken}  # A.to_dict writes a parent's too
    p, inner = arguments.get("p", 1), arguments.get("transforms", [])
    if not (isinstance(p, int | float) and 0 <= p <= 1):
        raise ValueError(f"{name}: `0 <= p <= 1` must hold, got p={p}")
    if not isinstance(inner, list):
        raise ValueError(f"{name}: `transforms` must be a list, got {inner}")
    if inner:
        arguments["transforms"] = [_made(transform) for transform in inner]
    checked = next(base for base in kind.__mro__ if "__init__" in vars(base))
    if "InitSchema" in vars(checked):  # without strict, some wrong arguments are a warning, and the defaults are taken
        arguments["strict"] = True
    try:
        return kind(**arguments)
    except Exception as error:  # a constructor may raise anything; the arguments are to blame
        said = re.sub(r"For further information visit \S+", "", str(error))
        raise ValueError(f"{name}: {' '.join(said.split())}") from error


def _kind(name: str) -> Any:
    """The class; looked up among the few that may be made, so that a name can import and call nothing."""
    bases = (A.BasicTransform, A.DualTransform, A.ImageOnlyTransform, A.Transform3D, A.BaseCompose)
    kind: Any = Shift if name == Shift.get_class_fullname() else getattr(A, name, None)
    known = inspect.isclass(kind) and issubclass(kind, bases) and kind not in bases
    if not (known and kind.is_serializable()):
        raise ValueError(
            f"unknown transform `{name}`: it must be {Shift.get_class_fullname()} "
            f"or one of albumentations {A.__version__} that is no function"
        )
    return kind
