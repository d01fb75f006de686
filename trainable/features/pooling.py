"""How the map of a stage, (N, C, H, W), becomes features of its images.

Every pooling is made of the same three parts: the mean of each channel, its standard deviation, and its means over the
cells of a grid. The parts are what is stored, so one pass through the net serves every pooling.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

GRID = 4  # cells a side of the finest grid
FINE_SIDE = 16  # of a map that `pyramid` pools to the finest grid; a smaller one has half as many cells a side
LARGEST = 65504.0  # of float16, in which features are stored


@dataclass(frozen=True)
class Shape:
    """The shape of a stage's map.

    Attributes:
      side: of its rows and columns, the fewer.
    """

    channels: int
    side: int

    @property
    def cells(self) -> int:
        """The cells a side of its finest grid: a map of few pixels has no more than there are."""
        return GRID if self.side >= GRID else 2 if self.side >= 2 else 1

    @property
    def widths(self) -> dict[str, int]:
        """How many numbers each part of it has for one image."""
        if self.side == 1:
            return {"mean": self.channels}
        return {"mean": self.channels, "std": self.channels, "grid": self.channels * self.cells**2}


def shape_of(stage: Tensor) -> Shape:
    return Shape(stage.shape[1], min(stage.shape[2:]))


def parts(stage: Tensor) -> dict[str, Tensor]:
    """Returns the parts of a map as `Shape.widths` has them, (N, F) float32 each."""
    stage, shape = stage.float().clamp(-LARGEST, LARGEST), shape_of(stage)
    mean = stage.mean(dim=(2, 3))
    if shape.side == 1:
        return {"mean": mean}
    # Not torch's own `std`, which divides by the count less one.
    std = (stage - mean[:, :, None, None]).square().mean(dim=(2, 3)).sqrt()
    return {"mean": mean, "std": std, "grid": _cells(stage, shape.cells)}


def chosen(pooling: str, shape: Shape) -> tuple[str, ...]:
    """Returns the parts that a pooling takes of a map, in their order; `half` is the grid of two cells a side."""
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
    """Returns the stored part that one of `chosen` is made of."""
    return "grid" if part == "half" else part


def columns(part: str, values: Tensor, shape: Shape) -> Tensor:
    """Returns the (N, F) features of a chosen part, of the stored one that it is made of."""
    if part != "half" or shape.cells == 2:
        return values
    quarters = values.unflatten(1, (shape.channels, 2, GRID // 2, 2, GRID // 2))
    return quarters.mean(dim=(3, 5)).flatten(1)


def pooled(stage: Tensor, pooling: str) -> Tensor:
    """Returns the (N, F) features of a map."""
    made, shape = parts(stage), shape_of(stage)
    return torch.cat([columns(part, made[stored(part)], shape) for part in chosen(pooling, shape)], dim=1)


def width(pooling: str, shape: Shape) -> int:
    """Returns how many features `pooled` makes of a map."""
    return sum(shape.channels * 4 if part == "half" else shape.widths[part] for part in chosen(pooling, shape))


def _cells(stage: Tensor, cells: int) -> Tensor:
    """Returns (N, C * cells**2) means over a grid of cells of equal area.

    A pixel on the border of two cells counts in each by its share, so that the mean of the cells is that of the map.
    """
    rows, across = (_shares(side, cells, stage.device) for side in stage.shape[2:])
    return (rows @ stage @ across.T).flatten(1)


def _shares(side: int, cells: int, device: torch.device) -> Tensor:
    """Returns (cells, side): by how much each pixel of a row counts in each cell."""
    size = side / cells
    shares = [
        [max(0.0, min((cell + 1) * size, pixel + 1) - max(cell * size, pixel)) / size for pixel in range(side)]
        for cell in range(cells)
    ]
    return torch.tensor(shares, device=device)
