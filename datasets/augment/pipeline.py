"""Makes an albumentations pipeline from probabilities or text, writes it as text, and runs it image by image.

`batched.py` has the fast way to run it.
"""

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
      probabilities: the share of images to change, [0, 1], by the name of the transform.
      square: whether the images are square; if not, the transforms that need squares are left out.

    Raises:
      ValueError: a name is not that of a transform.
    """
    available = transforms()
    for name in probabilities:
        if name not in available:
            raise ValueError(f"unknown augmentation `{name}`; known: {', '.join(available)}")
    steps = [(available[name], p) for name, p in probabilities.items() if square or not available[name].needs_square]
    return A.Compose([transform.kind(p=p, **transform.arguments) for transform, p in steps])


def per_image(pipeline: A.Compose, images: Tensor, seed: int) -> Tensor:
    """Runs any pipeline, image by image, which takes ten times as long as its batched form.

    Args:
      pipeline: the pipeline; its random state is replaced.
      images: (N, 3, H, W) uint8, RGB; not modified.
      seed: 0 or more; the same seed and images give the same output.

    Returns:
      (N, 3, H, W) uint8, on the device of `images`.

    Raises:
      ValueError: the pipeline changed the size of an image, or its dtype from uint8.
    """
    # All transforms share this generator. set_random_seed would give each one a generator of its own with the same
    # seed, so that two flips with the same probability would always happen together (2.0.8).
    pipeline.set_random_state(np.random.default_rng(seed), random.Random(seed))  # noqa: S311
    pixels = images.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    changed = np.empty_like(pixels)
    for i, image in enumerate(pixels):
        result = pipeline(image=image)["image"]
        if result.shape != image.shape or result.dtype != image.dtype:
            got = f"{tuple(result.shape)} {result.dtype}"
            raise ValueError(f"augmentation must leave images {image.shape} uint8, height x width x 3; got {got}")
        changed[i] = result
    return torch.from_numpy(changed).permute(0, 3, 1, 2).contiguous().to(images.device)


def to_text(pipeline: A.Compose) -> str:
    """Returns the pipeline as one line of JSON, which `from_text` reads; equal pipelines have equal text.

    The seed of a Compose is left out, because `per_image` sets another. A class of the user's own is named as
    FILE.py:CLASS, and must be in a file that the command named.

    Raises:
      ValueError: a part of it cannot be read back: a function, an array, or a class that is in no such file.
    """
    text = _to_json(pipeline)
    round_trip = _to_json(from_text(text))  # read back once, because a whole number may become a float: 1 and 1.0
    if json.loads(round_trip) != json.loads(text):
        raise ValueError(f"the pipeline is another when read back from its text: {round_trip} instead of {text}")
    return round_trip


def from_text(text: str) -> A.Compose:
    """Returns the pipeline that `to_text` or `A.save` wrote.

    It makes only transforms of albumentations, of this project and of files that the command named, and only with plain
    values as arguments. `A.from_dict` is not used: it makes any class that is registered, and a wrong argument gives
    only a warning.

    Raises:
      ValueError: the text is not JSON, names something that is no such transform, or has a wrong argument.
      UserError: it names a class in a user's file that no command named.
    """
    try:
        saved = json.loads(text, parse_constant=_refuse)
        pipeline = _build(saved.get("transform") if isinstance(saved, dict) else saved)
    except json.JSONDecodeError as error:
        raise ValueError(f"the pipeline is not JSON: {error}") from error
    except RecursionError as error:
        raise ValueError("the pipeline is nested too deeply") from error
    if type(pipeline) is not A.Compose:
        raise ValueError(f"the outermost transform must be Compose, got {type(pipeline).__name__}")
    return pipeline


def _to_json(pipeline: A.Compose) -> str:
    """Returns the pipeline as JSON.

    Raises:
      ValueError: a part of it cannot be written as JSON.
    """
    try:  # leaves out the version of albumentations, which A.to_dict adds
        saved = {"transform": _with_references(A.to_dict(pipeline)["transform"])}
        return json.dumps(saved, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise ValueError(f"the pipeline cannot be written as text: {error}") from error


def _with_references(saved: Any) -> Any:
    """Returns the output of `A.to_dict`, with the classes of user files named as FILE.py:CLASS."""
    if isinstance(saved, list):
        return [_with_references(item) for item in saved]
    if not isinstance(saved, dict):
        return saved
    module, _, name = str(saved.get("__class_fullname__", "")).rpartition(".")
    file = getattr(sys.modules.get(module), "__file__", None)
    reference = {"__class_fullname__": f"{file}:{name}"} if file in user_code.sources() else {}
    return {key: _with_references(value) for key, value in saved.items()} | reference


def _refuse(constant: str) -> NoReturn:
    """Refuses NaN and the infinities, which JSON does not have."""
    raise ValueError(f"{constant} is no number")


def _build(saved: Any) -> Any:
    """Returns the transform that `A.to_dict` described, with the transforms inside it."""
    name = saved.get("__class_fullname__") if isinstance(saved, dict) else None
    if not isinstance(name, str):
        raise ValueError(f"a transform must be an object with `__class_fullname__`, got {str(saved)[:80]}")
    kind = _kind(name)
    arguments = {key: value for key, value in saved.items() if key != "__class_fullname__"}
    parameters = list(inspect.signature(kind).parameters)
    all_parameters = {key for base in kind.__mro__ for key in inspect.signature(base.__init__).parameters}
    for key in arguments:
        if key not in all_parameters:
            raise ValueError(f"{name} has no argument `{key}`; it has: {', '.join(parameters)}")
    # A.to_dict also writes arguments that only a parent class takes
    arguments = {key: value for key, value in arguments.items() if key in parameters}
    p, inner = arguments.get("p", 1), arguments.get("transforms", [])
    if not (isinstance(p, int | float) and 0 <= p <= 1):
        raise ValueError(f"{name}: `0 <= p <= 1` must hold, got p={p}")
    if not isinstance(inner, list):
        raise ValueError(f"{name}: `transforms` must be a list, got {inner}")
    if inner:
        arguments["transforms"] = [_build(transform) for transform in inner]
    init_class = next(base for base in kind.__mro__ if "__init__" in vars(base))
    if "InitSchema" in vars(init_class):  # if not strict, some wrong arguments are replaced by defaults with a warning
        arguments["strict"] = True
    try:
        return kind(**arguments)
    except Exception as error:  # a constructor may raise anything, and its arguments are always the cause
        message = re.sub(r"For further information visit \S+", "", str(error))
        raise ValueError(f"{name}: {' '.join(message.split())}") from error


def _kind(name: str) -> Any:
    """Returns the class with this name, which must be one that a text may create.

    The name is looked up among these classes and not imported, so that a name in the text can run no other code.
    """
    bases = (A.BasicTransform, A.DualTransform, A.ImageOnlyTransform, A.Transform3D, A.BaseCompose)
    own_kinds = {transform.kind.get_class_fullname(): transform.kind for transform in transforms().values()}
    kind: Any = user_code.get(name) if user_code.is_reference(name) else own_kinds.get(name) or getattr(A, name, None)
    is_transform = inspect.isclass(kind) and issubclass(kind, bases) and kind not in bases
    if not (is_transform and kind.is_serializable()):
        others = ", ".join(other for other in own_kinds if not hasattr(A, other))
        raise ValueError(
            f"unknown transform `{name}`: it must be {others} or one of albumentations {A.__version__} that is no "
            "function, or a class of a file of yours, FILE.py:CLASS"
        )
    return kind
