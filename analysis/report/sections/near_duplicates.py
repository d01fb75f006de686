"""Shows near duplicates across the splits: how many there are, and some of them side by side."""

import base64
import binascii

import cv2
import numpy as np

from sweep.analysis.record import Record
from sweep.analysis.report.charts import PairPicture
from sweep.analysis.report.contents import plain
from sweep.datasets.near_duplicates.summary import NearDuplicates, ShownImage, ShownPair
from sweep.storage.text import counted


def near_duplicates_sentence(found: NearDuplicates) -> str:
    """Returns, in words, how many near duplicates there are, what was done, and how they affect the values."""
    said = found.sentences()
    if found.left_out:
        images = counted(found.left_out, "image")
        said.append(f"{images} of train and validation {'was' if found.left_out == 1 else 'were'} left out for that.")
    else:
        said.append(
            "An image that looks like one that was trained on is easier than a new one, so the numbers on its split "
            "are flattered. Another sweep with --leave-out near-duplicates trains without such images."
        )
    return " ".join(said)


def near_pairs(record: Record) -> list[PairPicture]:
    """Returns the pairs that were kept to be shown, the most similar first, without damaged ones."""
    found = record.near_duplicates
    pictures = [(pair, _pixels(pair)) for pair in (found.shown if found else ())]
    return [PairPicture(_caption(pair), pixels) for pair, pixels in pictures if pixels is not None]


def _caption(pair: ShownPair) -> tuple[str, ...]:
    alike = f"{100 * pair.likeness:.0f} % alike"
    return _named(pair.first), _named(pair.second), f"{alike}, mirrored" if pair.mirrored else alike


def _named(image: ShownImage) -> str:
    label = "" if image.label is None else f" ({plain(image.label)})"
    return f"{plain(image.split)}: {plain(image.id)}{label}"


def _pixels(pair: ShownPair) -> np.ndarray | None:
    """Returns the (h, 2 w, 3) uint8 pixels of the PNG that was kept of a pair; None if it is damaged."""
    try:
        data = base64.b64decode(pair.picture, validate=True)
    except binascii.Error:
        return None
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB) if data else None
