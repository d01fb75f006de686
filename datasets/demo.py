"""Generates images in the layout of the real data, so that the project can be tried without any data.

Each image shows one of seven shapes near the middle, of any size and angle, on a shaded ground with specks and noise.
No flip, transpose or turn changes the class. Each shape tends to a colour of its own, so that a weak net learns
something, while a good one has to recognise the shape. A few labels are wrong on purpose, as in real data.
"""

from pathlib import Path

import cv2
import numpy as np

CLASSES = 7  # disc, ring, square, triangle, cross, pair of discs, bar
SIDE = 16  # px
SPLITS = {"train": 1500, "validation": 600, "test": 300}  # images
WRONG_LABELS = 0.04  # the share of wrong labels in every split


def write_demo(folder: Path, seed: int = 0) -> None:
    """Writes a data set of 2,400 images in layout 1; the same seed writes the same bytes.

    Args:
      folder: made if it does not exist; files of an earlier call are overwritten.
      seed: decides the images and the labels.
    """
    rng = np.random.default_rng(seed)
    for split, count in SPLITS.items():
        shapes = rng.permutation(np.arange(count) % CLASSES)
        labels = np.where(rng.random(count) < WRONG_LABELS, rng.integers(0, CLASSES, count), shapes)
        ids = [f"{rng.bytes(6).hex()}.png" for _ in range(count)]
        place = folder / ("test" if split == "test" else "train+validation")
        place.mkdir(parents=True, exist_ok=True)
        for name, image in zip(ids, draw(shapes, rng), strict=True):
            (place / name).write_bytes(cv2.imencode(".png", image[..., ::-1])[1].tobytes())
        rows = ids if split == "test" else [f"{name},{label}" for name, label in zip(ids, labels, strict=True)]
        _write_table(folder / f"{split}.txt", "id" if split == "test" else "id,label", rows)
        if split == "test":
            _write_table(folder / "sample_submission.txt", "id,label", [f"{name},0" for name in ids])


def _write_table(path: Path, header: str, rows: list[str]) -> None:
    """Writes a table with one row per line."""
    path.write_bytes("\n".join([header, *rows, ""]).encode())


def draw(shapes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws an image of each shape: (N,) class numbers become (N, 16, 16, 3) uint8."""
    count = len(shapes)

    def uniform(low: float, high: float, *size: int) -> np.ndarray:
        return rng.uniform(low, high, (count, *(size or (1, 1))))

    row, column = np.mgrid[:SIDE, :SIDE]
    x, y, angle = column - uniform(6, 9), row - uniform(6, 9), uniform(0, 2 * np.pi)
    x, y = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    inside = np.clip(0.5 - _distance(shapes, x, y, uniform(3.5, 5.5)), 0, 1)[..., None]

    ground, hue = uniform(40, 215, 1, 1, 3), 2 * np.pi / CLASSES * shapes[:, None] - 2 * np.pi / 3 * np.arange(3)
    paint = rng.normal(np.cos(hue)[:, None, None], 1)
    # the contrast in the channel where it is largest
    paint *= uniform(70, 130, 1, 1, 1) / np.abs(paint).max(axis=-1, keepdims=True)
    slope = uniform(-3, 3) * (row - 7.5) + uniform(-3, 3) * (column - 7.5)
    specks = (uniform(0, 1, SIDE, SIDE, 1) < 0.02) * uniform(-90, 90, SIDE, SIDE, 3)
    image = ground + slope[..., None] + inside * paint + specks + rng.normal(0, 10, (count, SIDE, SIDE, 3))
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def _distance(shapes: np.ndarray, x: np.ndarray, y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Returns the signed distance in px to the edge of each image's shape, negative inside; (N, 16, 16).

    Beyond corners it is smaller than the true distance.

    Args:
      shapes: (N,) the numbers of the shapes.
      x, y: (N, 16, 16) the place of each pixel from the shape's middle, px, along the shape's own directions.
      radius: (N, 1, 1) px.
    """
    r, across, along = np.hypot(x, y), np.abs(x), np.abs(y)
    thin = 0.28 * radius
    turns = [x * np.sin(turn) + y * np.cos(turn) for turn in (0, 2 * np.pi / 3, 4 * np.pi / 3)]
    bar = np.maximum(across - radius, along - thin)
    distances = [
        r - 0.8 * radius,
        np.abs(r - 0.8 * radius) - thin,
        np.maximum(across, along) - 0.75 * radius,
        np.maximum.reduce(turns) - 0.55 * radius,
        np.minimum(bar, np.maximum(across - thin, along - radius)),
        np.hypot(across - 0.65 * radius, y) - 0.45 * radius,
        bar,
    ]
    return np.stack(distances)[shapes, np.arange(len(shapes))]
