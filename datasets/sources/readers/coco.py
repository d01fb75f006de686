"""COCO JSON: images, categories, and annotations that give an image a category."""

import json
from typing import Any

from datasets.sources.readers import Columns, Reader

HEADER = ("file_name", "category", "id")


def read(data: bytes, place: str, file: str) -> Columns | None:
    if b'"images"' not in data:
        return None
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    images, categories, annotations = (_objects(content, key) for key in ("images", "categories", "annotations"))
    if not images or not all("file_name" in image for image in images):
        return None
    names = {str(each.get("id")): str(each.get("name") or each.get("id")) for each in categories}
    labels: dict[str, dict[str, None]] = {}
    for each in annotations:
        number = str(each.get("category_id"))
        labels.setdefault(str(each.get("image_id")), {})[names.get(number, number)] = None
    numbers = [str(image.get("id", "")) for image in images]
    rows = tuple(
        (str(image["file_name"]), "|".join(labels.get(number, ())), number)
        for image, number in zip(images, numbers, strict=True)
    )
    lines = tuple(range(1, len(rows) + 1))
    return Columns(place, file, HEADER, rows, lines, id_column=0, label_column=1 if labels else None, other_id_column=2)


def _objects(content: Any, key: str) -> list[dict[str, Any]]:
    """Returns the objects that the content lists under a key; none where it does not."""
    found = content.get(key) if isinstance(content, dict) else None
    return found if isinstance(found, list) and all(isinstance(each, dict) for each in found) else []


READER = Reader((".json",), read)
