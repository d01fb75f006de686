"""Pooling: how the (N, C, H, W) map of a stage becomes features of its images.

Every pooling consists of the same three parts: the mean of each channel, its standard deviation, and its means over
the cells of a grid. These parts are stored, so one pass through the net serves every pooling.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

GRID = 4  # cells per side of the finest grid
FINE_SIDE = 16  # px: `pyramid` pools a map of this side or more to the finest grid, and a smaller one to half
LARGEST = 65504.0  # the largest float16, the format in which features are stored


@dataclass(frozen=True)
class Shape:
    """The shape of a stage's map.

    Attributes:
      side: the number of rows or of columns, whichever is smaller.
    """

    channels: int
    side: int

    @property
    def cells(self) -> int:
        """The number of cells per side of the finest grid; a map of few pixels has fewer cells."""
        return GRID if self.side >= GRID else 2 if self.side >= 2 else 1

    @property
    def widths(self) -> dict[str, int]:
        """How many numbers each stored part has for one image."""
        if self.side == 1:
            return {"mean": self.channels}
        return {"mean": self.channels, "std": self.channels, "grid": self.channels * self.cells**2}


def shape_of(stage: Tensor) -> Shape:
    """Returns the shape of a (N, C, H, W) map."""
    return Shape(stage.shape[1], min(stage.shape[2:]))


def parts(stage: Tensor) -> dict[str, Tensor]:
    """Returns the parts of a map by the names in `Shape.widths`, each (N, F) float32."""
    stage, shape = stage.float().clamp(-LARGEST, LARGEST), shape_of(stage)
    mean = stage.mean(dim=(2, 3))
    if shape.side == 1:
        return {"mean": mean}
    # Not torch's own `std`, which divides by the count minus one.
    std = (stage - mean[:, :, None, None]).square().mean(dim=(2, 3)).sqrt()
    return {"mean": mean, "std": std, "grid": _cells(stage, shape.cells)}


def chosen(pooling: str, shape: Shape) -> tuple[str, ...]:
    """Returns the names of the parts that a pooling uses, in order; `half` is the grid with two cells per side."""
    half = "half" if shape.side >= 2 else "mean"
    fine = "grid" if shape.side >= 2 else "mean"
    std = ("std",) if shape.side >= 2 else ()
    by_pooling = {
        "mean": ("mean",),
        "mean_std": ("mean", *std),
        "2x2": (half,),
        "4x4": (fine,),
        "pyramid": (fine if shape.side >= FINE_SIDE else half if shape.side >= GRID else "mean", *std),
    }
    return by_pooling[pooling]


def stored(part: str) -> str:
    """Returns the name of the stored part from which one of `chosen` is computed."""
    return "grid" if part == "half" else part


def columns(part: str, values: Tensor, shape: Shape) -> Tensor:
    """Returns the (N, F) features of a chosen part, computed from the stored one."""
    if part != "half" or shape.cells == 2:
        return values
    quarters = values.unflatten(1, (shape.channels, 2, GRID // 2, 2, GRID // 2))
    return quarters.mean(dim=(3, 5)).flatten(1)


def pooled(stage: Tensor, pooling: str) -> Tensor:
    """Returns the (N, F) features of a map."""
    stored_parts, shape = parts(stage), shape_of(stage)
    return torch.cat([columns(part, stored_parts[stored(part)], shape) for part in chosen(pooling, shape)], dim=1)


def width(pooling: str, shape: Shape) -> int:
    """Returns how many features `pooled` computes from a map."""
    return sum(shape.channels * 4 if part == "half" else shape.widths[part] for part in chosen(pooling, shape))


def _cells(stage: Tensor, cells: int) -> Tensor:
    """Returns (N, C * cells**2) means over a grid of cells of equal area.

    A pixel on the border of two cells counts in each by its share, so the mean of the cells is the mean of the map.
    """
    row_shares, column_shares = (_shares(side, cells, stage.device) for side in stage.shape[2:])
    return (row_shares @ stage @ column_shares.T).flatten(1)


def _shares(side: int, cells: int, device: torch.device) -> Tensor:
    """Returns a (cells, side) matrix: how much each pixel of a row counts in each cell."""
    size = side / cells
    shares = [
        [max(0.0, min((cell + 1) * size, pixel + 1) - max(cell * size, pixel)) / size for pixel in range(side)]
        for cell in range(cells)
    ]
    return torch.tensor(shares, device=device)
