"""Augmentation as an albumentations pipeline, as text too, and the slow way to run it; batched.py has the fast one."""

import inspect
import json
import random
import re
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import albumentations as A
import numpy as np
import torch
from torch import Tensor

from sweep.datasets.augment import transforms
from sweep.storage import user_code


def compose(probabilities: Mapping[str, float], square: bool = True) -> A.Compose:
    """Returns the pipeline that applies each transform with its probability, in the order given.

    Args:
      probabilities: per image, [0, 1], by the name of the transform.
      square: whether the images are; the transforms that need it are left out where they are not.

    Raises:
      ValueError: there is no transform of a name.
    """
    known = transforms()
    for name in probabilities:
        if name not in known:
            raise ValueError(f"unknown augmentation `{name}`; known: {', '.join(known)}")
    chosen = [(known[name], p) for name, p in probabilities.items() if square or not known[name].needs_square]
    return A.Compose([transform.kind(p=p, **transform.arguments) for transform, p in chosen])


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
    """Returns the pipeline in one line of JSON, the same for the same transforms and arguments; `from_text` reads it.

    The seed of a Compose is left out: see `per_image`. A class of the user's own is named as FILE.py:CLASS, and must
    be in a file that the command named.

    Raises:
      ValueError: something in it cannot be read back: a function, an array, any other class of one's own.
    """
    text = _to_json(pipeline)
    again = _to_json(from_text(text))  # a whole number may have become 1.0
    if json.loads(again) != json.loads(text):
        raise ValueError(f"the pipeline is another when read back from its text: {again} instead of {text}")
    return again


def from_text(text: str) -> A.Compose:
    """Returns the pipeline that `to_text` or `A.save` wrote.

    Transforms of albumentations, of this project and of files that the command named are made, from plain values, and
    nothing else: `A.from_dict` makes whatever class is registered, and merely warns of a wrong argument.

    Raises:
      ValueError: the text is not JSON, or names what is no such transform, or an argument is wrong.
      UserError: it names a class in a file of the user's that no command named.
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
        saved = {"transform": _with_references(A.to_dict(pipeline)["transform"])}
        return json.dumps(saved, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise ValueError(f"the pipeline cannot be written as text: {error}") from error


def _with_references(saved: Any) -> Any:
    """Returns what A.to_dict wrote with the classes of the user's files named as FILE.py:CLASS."""
    if isinstance(saved, list):
        return [_with_references(item) for item in saved]
    if not isinstance(saved, dict):
        return saved
    module, _, name = str(saved.get("__class_fullname__", "")).rpartition(".")
    file = getattr(sys.modules.get(module), "__file__", None)
    own = {"__class_fullname__": f"{file}:{name}"} if file in user_code.sources() else {}
    return {key: _with_references(value) for key, value in saved.items()} | own


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _made(saved: Any) -> Any:
    """Returns the transform that A.to_dict has described, with those inside it."""
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
    """Returns the class; looked up among the few that may be made, so that a name can import and call nothing."""
    bases = (A.BasicTransform, A.DualTransform, A.ImageOnlyTransform, A.Transform3D, A.BaseCompose)
    own = {known.kind.get_class_fullname(): known.kind for known in transforms().values()}
    kind: Any = user_code.get(name) if user_code.is_reference(name) else own.get(name) or getattr(A, name, None)
    known = inspect.isclass(kind) and issubclass(kind, bases) and kind not in bases
    if not (known and kind.is_serializable()):
        others = ", ".join(other for other in own if not hasattr(A, other))
        raise ValueError(
            f"unknown transform `{name}`: it must be {others} or one of albumentations {A.__version__} that is no "
            "function, or a class of a file of yours, FILE.py:CLASS"
        )
    return kind
