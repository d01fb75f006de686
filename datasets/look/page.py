"""Makes a page about a data set: one HTML file that needs no other files and runs no scripts."""

import base64
from pathlib import Path

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sweep.datasets.look.about import Description
from sweep.datasets.pixels.dataset import Dataset
from sweep.datasets.problems import printable
from sweep.storage.text import counted

SAMPLES = 8  # images per class
MOST_CLASSES = 200  # classes that are shown with samples; the table lists all
MOST_LEFT_OUT = 200
TILE = 96  # px, the longer side


def page(data: Dataset, description: Description) -> str:
    """Returns the page: what was read and how, samples of each class, and what is left out."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plain": printable, "counted": counted}
    classes = data.classes[:MOST_CLASSES]
    return environment.get_template("look.html").render(
        about=description,
        samples={label: _samples(data, number) for number, label in enumerate(classes)},
        hidden=len(data.classes) - len(classes),
        near=data.near_duplicates,
        left_out=description.left_out[:MOST_LEFT_OUT],
        largest=max((max(split.classes.values()) for split in description.splits.values() if split.classes), default=1),
    )


def _samples(data: Dataset, number: int) -> list[tuple[str, str]]:
    """Returns the id and the source of some images of a class, spread over its train images."""
    assert data.train.labels is not None
    members = np.flatnonzero(data.train.labels == number)
    rows = members[:: max(1, len(members) // SAMPLES)][:SAMPLES].tolist()
    return [(data.train.ids[row], _source(data.train.images[row])) for row in rows]


def _source(image: np.ndarray) -> str:
    """Returns (3, H, W) pixels as the source of an <img>, reduced to the size of a tile if they are larger."""
    pixels = cv2.cvtColor(np.ascontiguousarray(image.transpose(1, 2, 0)), cv2.COLOR_RGB2BGR)
    scale = TILE / max(pixels.shape[:2])
    if scale < 1:
        size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return "data:image/png;base64," + base64.b64encode(cv2.imencode(".png", pixels)[1].tobytes()).decode()
