"""Reads COCO JSON: images, categories, and annotations that give an image a category."""

import json
from typing import Any

from sweep.datasets.sources.readers import Columns, Reader

HEADER = ("file_name", "category", "id")
BETWEEN = "|"  # stands between the categories of an image that has several
PLAIN = (str, int, float, bool)
OF_THE_IMAGE = {"width", "height", "license", "coco_url", "flickr_url", "rights_holder", "image_id", "file_name", "id"}


def read(data: bytes, place: str, file: str) -> Columns | None:
    """Returns the images with their categories, or None if the file is not COCO JSON."""
    if b'"images"' not in data:
        return None
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    images, categories, annotations = (_objects(content, key) for key in ("images", "categories", "annotations"))
    if not images or not all("file_name" in image for image in images):
        return None
    names = {_id(each, "category_id"): str(each.get("name") or each.get("scientificName") or "") for each in categories}
    labels: dict[str, dict[str, None]] = {}
    for each in annotations:
        if (number := each.get("category_id")) is not None:
            labels.setdefault(str(each.get("image_id")), {})[names.get(str(number)) or str(number)] = None
    more = tuple(key for key, value in images[0].items() if isinstance(value, PLAIN) and key not in OF_THE_IMAGE)
    numbers = [_id(image, "image_id") for image in images]
    rows = tuple(
        (
            str(image["file_name"]),
            BETWEEN.join(labels.get(number, ())),
            number,
            *(str(image.get(key, "")) for key in more),
        )
        for image, number in zip(images, numbers, strict=True)
    )
    lines = tuple(range(1, len(rows) + 1))
    header = (*HEADER, *more)
    separator = BETWEEN if any(len(each) > 1 for each in labels.values()) else None
    label = 1 if labels else None
    return Columns(
        place, file, header, rows, lines, id_column=0, label_column=label, other_id_column=2, labels_separator=separator
    )


def _id(entry: dict[str, Any], annotation_key: str) -> str:
    """Returns the id of an image or a category, which some data sets store under the key that annotations use."""
    return str(entry.get("id", entry.get(annotation_key, "")))


def _objects(content: Any, key: str) -> list[dict[str, Any]]:
    """Returns the list of objects under a key; empty if there is none."""
    value = content.get(key) if isinstance(content, dict) else None
    return value if isinstance(value, list) and all(isinstance(each, dict) for each in value) else []


READER = Reader((".json",), read)
