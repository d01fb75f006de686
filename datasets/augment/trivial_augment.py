"""TrivialAugment (Mueller and Hutter 2021): each image is changed by one operation of random strength.

The operations and the ranges of their strengths are those of the paper's wide space, in 31 steps. Parts of the changed
image that have no source are filled with mid-grey; shearing and turning are about the centre of the image.

Images a second at p = 1, batches of 64, one thread of a busy AMD EPYC, torch 2.14.1, best of 12:
2,280 at 224 px, 25,600 at 64 px, 92,000 at 16 px.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import albumentations as A
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sweep.datasets.augment import Transform
from sweep.datasets.augment.batch_rows import Change, rounded, rows, take

FILL = 128
STRENGTHS = 30  # the greatest step of strength; with step 0 there are 31
MOST_SHEAR, MOST_DEGREES = 0.99, 135.0
MOST_SHIFT = 32 / 224  # as a share of the side
MOST_FACTOR = 0.99  # the greatest relative change of brightness, contrast, colour and sharpness
MOST_BITS = 6  # the largest number of bits that posterize removes
LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue in grey

GEOMETRIC = ("shear_x", "shear_y", "shift_x", "shift_y", "rotate")
# a table gives each value of a channel a new one
BY_TABLE = ("brightness", "contrast", "posterize", "solarize", "autocontrast")
ALONE = ("equalize", "colour", "sharpness")
OPERATIONS = ("identity", *GEOMETRIC, *BY_TABLE, *ALONE)

# A function of images (N, 3, H, W), operations (N,), which are indices of `OPERATIONS`, and strengths (N,) in [-1, 1].
Operation = Callable[[Tensor, Tensor, Tensor], Tensor]


class TrivialAugment(A.ImageOnlyTransform):
    """Changes an image by one of `OPERATIONS`; operations and strengths are all equally likely."""

    @classmethod
    def get_class_fullname(cls) -> str:
        """Returns the name of this class in the text of a pipeline, which stays the same if the module is moved."""
        return "datasets.augment.TrivialAugment"

    def get_params_dependent_on_data(self, params: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
        """Draws the operation and the strength for one image."""
        strength = self.py_random.choice((-1, 1)) * self.py_random.randint(0, STRENGTHS) / STRENGTHS
        return {"operation": self.py_random.randrange(len(OPERATIONS)), "strength": strength}

    def apply(self, img: np.ndarray, operation: int, strength: float, **params: Any) -> np.ndarray:
        """Returns the image (H, W, 3), changed by the operation."""
        images = torch.from_numpy(np.ascontiguousarray(img.transpose(2, 0, 1)))[None]
        changed = apply_by_group(images, torch.tensor([operation]), torch.tensor([strength]))
        return np.ascontiguousarray(changed[0].numpy().transpose(1, 2, 0))


def batched(transform: TrivialAugment) -> Change:
    """Returns the batched form; it draws an operation and a strength for each image."""

    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        draw = partial(torch.randint, size=(len(images),), generator=generator, device=images.device)
        operation, strength = draw(high=len(OPERATIONS)), draw(high=STRENGTHS + 1) / STRENGTHS
        signed = torch.where(draw(high=2) == 1, strength, -strength)
        apply = apply_by_group if images.device.type == "cpu" else apply_to_all
        return apply(images, operation, signed)

    return change


def apply_by_group(images: Tensor, operation: Tensor, strength: Tensor) -> Tensor:
    """Returns the changed images; each group of operations is run only on the images that need it.

    It looks up which images those are, so on a GPU the CPU would have to wait; see `apply_to_all`.
    """
    changed = images.clone(memory_format=torch.contiguous_format)
    for apply, names in GROUPS:
        index = torch.from_numpy(np.flatnonzero(_is_one_of(operation, names).numpy()))
        if len(index):
            rows(changed)[index] = rows(apply(take(images, index), operation[index], strength[index]))
    return changed


def apply_to_all(images: Tensor, operation: Tensor, strength: Tensor) -> Tensor:
    """Returns the same as `apply_by_group`, but runs every group on every image: the CPU need not wait for a GPU."""
    changed = images
    for apply, names in GROUPS:
        is_chosen = _is_one_of(operation, names)[:, None, None, None]
        changed = torch.where(is_chosen, apply(images, operation, strength), changed)
    return changed


def _is_one_of(operation: Tensor, names: tuple[str, ...]) -> Tensor:
    """Returns (N,) bool: whether the operation is one of `names`, which must follow one another in `OPERATIONS`."""
    first = OPERATIONS.index(names[0])  # the operations of a group follow one another in `OPERATIONS`
    return (operation >= first) & (operation < first + len(names))


def _is_operation(operation: Tensor, name: str) -> Tensor:
    """Returns (N,) bool: whether the operation is the one with this name."""
    return operation == OPERATIONS.index(name)


def _geometric(images: Tensor, operation: Tensor, strength: Tensor) -> Tensor:
    """Shears, shifts or turns images: the source of each pixel is a linear function of its place; interpolates."""
    height, width = images.shape[2:]
    if min(height, width) < 2:
        return images

    def part(name: str, limit: float) -> Tensor:
        return torch.where(_is_operation(operation, name), strength * limit, 0)

    angle = part("rotate", math.radians(MOST_DEGREES))
    shear_x, shear_y = part("shear_x", MOST_SHEAR), part("shear_y", MOST_SHEAR)
    # The grid counts both sides from -1 to 1, so terms that mix the two axes are scaled by the ratio of the sides.
    ratio = (height - 1) / (width - 1), (width - 1) / (height - 1)
    x = (angle.cos(), (angle.sin() + shear_x) * ratio[0], part("shift_x", 2 * MOST_SHIFT))
    y = ((shear_y - angle.sin()) * ratio[1], angle.cos(), part("shift_y", 2 * MOST_SHIFT))
    matrices = torch.stack([torch.stack(x, 1), torch.stack(y, 1)], 1)  # (N, 2, 3)
    grid = F.affine_grid(matrices, list(images.shape), align_corners=True)
    # grid_sample fills with zero outside of the image, so FILL is subtracted first and added again.
    return rounded(F.grid_sample(images.float().sub_(FILL), grid, align_corners=True).add_(FILL))


def _factor(strength: Tensor) -> Tensor:
    """Returns the factor of an operation that strengthens or weakens something: 1 for no change."""
    return 1 + MOST_FACTOR * strength


def _by_table(images: Tensor, operation: Tensor, strength: Tensor) -> Tensor:
    """Changes images by the operations that replace each value of a channel by another one."""
    values = torch.arange(256, device=images.device, dtype=torch.float32)
    flat, factor, magnitude = images.flatten(2), _factor(strength)[:, None, None], strength.abs()[:, None, None]
    means = flat.float().mean(2, keepdim=True)  # (N, 3, 1)
    grey = sum(means[:, i : i + 1] * share for i, share in enumerate(LUMA))
    low, high = (extreme(2, keepdim=True).float() for extreme in (flat.amin, flat.amax))
    step = torch.exp2((MOST_BITS * magnitude).round())
    tables = {
        "brightness": values * factor,
        "contrast": grey + (values - grey) * factor,
        "posterize": (values / step).floor() * step,
        "solarize": torch.where(values < 256 * (1 - magnitude), values, 255 - values),
        "autocontrast": torch.where(high > low, (values - low) * (255 / (high - low)), values).floor(),
    }
    table = torch.zeros(len(images), 3, 256, device=images.device)
    for name, new_values in tables.items():
        table = torch.where(_is_operation(operation, name)[:, None, None], new_values, table)
    return _look_up(images, rounded(table))


def _look_up(images: Tensor, tables: Tensor) -> Tensor:
    """Returns the images with each value replaced by that of its table.

    Args:
      images: (N, 3, H, W) uint8.
      tables: (N, 3, 256) uint8, the new value for each value of each channel.
    """
    return tables.gather(2, images.flatten(2).long()).view_as(images)


def _equalize(images: Tensor, operation: Tensor, strength: Tensor) -> Tensor:
    """Makes every value of a channel about as frequent as any other, as PIL does."""
    flat = images.flatten(2).long()
    counts = torch.zeros(*flat.shape[:2], 256, dtype=torch.int64, device=images.device)
    counts.scatter_add_(2, flat, torch.ones_like(flat))
    last = counts.gather(2, flat.amax(2, keepdim=True))  # how often the greatest value of a channel occurs
    step = (flat.shape[2] - last) // 255
    table = ((counts.cumsum(2) - counts + step // 2) // step.clamp(min=1)).clamp_(max=255)
    unchanged = torch.arange(256, device=images.device)
    return _look_up(images, torch.where(step > 0, table, unchanged).to(torch.uint8))


def _colour(images: Tensor, operation: Tensor, strength: Tensor) -> Tensor:
    """Blends images with their own grey, or moves them away from it."""
    pixels = images.float()
    red, green, blue = (pixels[:, i : i + 1] for i in range(3))
    grey = (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2]).round_()
    return rounded(torch.lerp(grey, pixels, _factor(strength)[:, None, None, None]))


def _sharpness(images: Tensor, operation: Tensor, strength: Tensor) -> Tensor:
    """Blends images with a smoothed copy, or moves them away from it.

    The outermost pixels, which lack neighbours on one side, stay as they are.
    """
    if min(images.shape[2:]) < 3:
        return images
    pixels = images.float()
    inner = pixels[:, :, 1:-1, 1:-1]
    smooth = F.avg_pool2d(pixels, 3, stride=1).mul_(9).add_(inner, alpha=4).div_(13).round_()
    inner.copy_(torch.lerp(smooth, inner, _factor(strength)[:, None, None, None]))
    return rounded(pixels)


GROUPS: tuple[tuple[Operation, tuple[str, ...]], ...] = (
    (_geometric, GEOMETRIC),
    (_by_table, BY_TABLE),
    (_equalize, ("equalize",)),
    (_colour, ("colour",)),
    (_sharpness, ("sharpness",)),
)

TRANSFORM = Transform(TrivialAugment, {}, batched)
