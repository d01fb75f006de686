"""Draws a data set as one PNG: sample images of each class, and how many images the class has."""

import io
import warnings

import cv2
import numpy as np
from matplotlib.figure import Figure

from sweep.datasets.pixels.dataset import Dataset, Split
from sweep.datasets.problems import printable
from sweep.storage.text import counted

COLUMNS = 8  # images per class
MAX_ROWS = 30  # classes that are drawn
TILE, CELL = 96, 104  # px: the longer side of a drawn image, and the side of its cell
COLOURS = {"train": "#3b6fb6", "validation": "#e0912f", "test": "#8a8f98"}


def png(dataset: Dataset, title: str) -> bytes:
    """Returns the figure that `draw` makes, as the bytes of a PNG."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # letters that the font lacks are drawn as boxes
        draw(dataset, title).savefig(file, format="png", dpi=120, facecolor="white")
    return file.getvalue()


def draw(dataset: Dataset, title: str) -> Figure:
    """Draws a row for each class: its name, some train images, and its number of images in each labelled split."""
    classes = dataset.classes[:MAX_ROWS]
    cell_inches, head_inches, foot_inches = 0.72, 1.0 + 0.22 * len(dataset.notes), 0.6
    width, height = cell_inches * COLUMNS + 5.6, cell_inches * len(classes) + head_inches + foot_inches
    figure = Figure(figsize=(width, height))
    bottom, panel_height = foot_inches / height, cell_inches * len(classes) / height

    samples = figure.add_axes((1.5 / width, bottom, cell_inches * COLUMNS / width, panel_height))
    mosaic = _mosaic(dataset.train, dataset.image_size, len(classes))
    samples.imshow(mosaic, interpolation="nearest", aspect="auto", extent=(0, COLUMNS, len(classes), 0))
    samples.set_xticks([])
    samples.set_yticks(np.arange(len(classes)) + 0.5, [_plain(label) for label in classes], fontsize=11)
    samples.tick_params(length=0)

    bars = figure.add_axes((1 - 3.8 / width, bottom, 3.4 / width, panel_height))
    labels_by_split = {name: split.labels for name, split in dataset.splits.items() if split.labels is not None}
    bar_height = 0.8 / len(labels_by_split)
    for number, (name, labels) in enumerate(labels_by_split.items()):
        counts = np.bincount(labels, minlength=len(dataset.classes))[: len(classes)]
        middle = np.arange(len(classes)) + 0.1 + bar_height * (number + 0.5)
        bars.barh(middle, counts, bar_height, color=COLOURS[name], label=name)
        for y, count in zip(middle, counts, strict=True):
            bars.annotate(f"{count:,}", (count, y), (3, 0), textcoords="offset points", va="center", fontsize=8)
    bars.set_ylim(len(classes), 0)
    bars.margins(x=0.15)
    bars.set_yticks([])
    bars.set_xlabel("images")
    bars.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=9, borderaxespad=0.2)
    for axes in (samples, bars):
        axes.spines[:].set_visible(False)

    _write_head(figure, dataset, title)
    return figure


def _write_head(figure: Figure, dataset: Dataset, title: str) -> None:
    """Writes the title, the numbers of images and the notes above the figure."""
    inch = 1 / figure.get_figheight()
    left = 0.25 / figure.get_figwidth()
    height, width = dataset.image_size
    counts = ", ".join(f"{len(split.ids):,} {name}" for name, split in dataset.splits.items())
    hidden = len(dataset.classes) - MAX_ROWS
    rest = f" · {counted(hidden, 'more class', 'more classes')} not drawn" if hidden > 0 else ""
    figure.text(left, 1 - 0.35 * inch, _plain(title, 60), fontsize=15, weight="bold")
    figure.text(left, 1 - 0.62 * inch, f"{counts} · {width}x{height} px{rest}", fontsize=10, color="0.3")
    for number, note in enumerate(dataset.notes):
        figure.text(left, 1 - (0.84 + 0.22 * number) * inch, _plain(note, 150), fontsize=9, color="0.45")


def _mosaic(train: Split, image_size: tuple[int, int], classes: int) -> np.ndarray:
    """Returns samples of the first `classes` classes, one row per class, each centred in a square cell on white."""
    height, width = (max(1, round(side * TILE / max(image_size))) for side in image_size)
    mosaic = np.full((classes * CELL, COLUMNS * CELL, 3), 255, np.uint8)
    for row in range(classes):
        members = np.flatnonzero(train.truth == row)
        for column, member in enumerate(members[:: max(1, len(members) // COLUMNS)][:COLUMNS]):
            top, left = row * CELL + (CELL - height) // 2, column * CELL + (CELL - width) // 2
            mosaic[top : top + height, left : left + width] = _tile(
                np.ascontiguousarray(train.images[member].transpose(1, 2, 0)), (height, width)
            )
    return mosaic


def _tile(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns an image enlarged with sharp pixels, or reduced smoothly."""
    if image.shape[0] < size[0]:
        return cv2.resize(image, size[::-1], interpolation=cv2.INTER_NEAREST)
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)


def _plain(text: str, longest: int = 16) -> str:
    """Returns a text as the figure can print it, shortened; `$` is escaped because it would begin a formula."""
    text = printable(text)
    return (text if len(text) <= longest else text[: longest - 1] + "…").replace("$", r"\$")
