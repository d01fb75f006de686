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


def near_duplicates_sentence(summary: NearDuplicates) -> str:
    """Returns, in words, how many near duplicates there are, what was done, and how they affect the values."""
    sentences = summary.sentences()
    if summary.left_out:
        images = counted(summary.left_out, "image")
        sentences.append(
            f"{images} of train and validation {'was' if summary.left_out == 1 else 'were'} left out for that."
        )
    else:
        sentences.append(
            "An image that looks like one that was trained on is easier than a new one, so the numbers on its split "
            "are flattered. Another sweep with --leave-out near-duplicates trains without such images."
        )
    return " ".join(sentences)


def near_pairs(record: Record) -> list[PairPicture]:
    """Returns the pairs that were kept to be shown, the most similar first, without damaged ones."""
    summary = record.near_duplicates
    pictures = [(pair, _pixels(pair)) for pair in (summary.shown if summary else ())]
    return [PairPicture(_caption(pair), pixels) for pair, pixels in pictures if pixels is not None]


def _caption(pair: ShownPair) -> tuple[str, ...]:
    likeness = f"{100 * pair.likeness:.0f} % alike"
    return _caption_line(pair.first), _caption_line(pair.second), f"{likeness}, mirrored" if pair.mirrored else likeness


def _caption_line(image: ShownImage) -> str:
    label = "" if image.label is None else f" ({plain(image.label)})"
    return f"{plain(image.split)}: {plain(image.id)}{label}"


def _pixels(pair: ShownPair) -> np.ndarray | None:
    """Returns the (h, 2 w, 3) uint8 pixels of the PNG that was kept of a pair; None if it is damaged."""
    try:
        data = base64.b64decode(pair.picture, validate=True)
    except binascii.Error:
        return None
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB) if data else None
