"""The first rules: images are known by seven suffixes alone, and names are those that Python gives. Frozen."""

import zipfile
from collections.abc import Callable, Iterable, Sequence

from sweep.datasets.listing_rules.rules import Find, Rules

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def is_visible(name: str) -> bool:
    return not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def is_image(name: str, head: Callable[[], bytes]) -> bool:
    return name.lower().endswith(SUFFIXES)


def zip_names(members: Sequence[zipfile.ZipInfo]) -> list[tuple[str, bool]]:
    return [(member.filename, False) for member in members]


def class_name(folder: str) -> str:
    return folder


def table_folder(find: Find, ids: Sequence[str], files: Iterable[str], beside: str, split: str) -> str:
    """Returns the folder that holds most of the ids; the first of equals, those named as a split before others."""
    parts = [name.split("/")[:-1] for name in files if name.startswith(beside)]
    below = sorted({"/".join(part[:depth]) + "/" for part in parts for depth in range(1, len(part) + 1)})
    usual = [f"{beside}{split}/"] if split == "test" else [f"{beside}{split}/", f"{beside}train+validation/"]
    best, most = "", 0
    for folder in [*usual, beside, *below]:
        count = sum(find(folder, name) is not None for name in ids)
        if count > most:
            best, most = folder, count
        if most == len(ids):
            break
    return best


RULES = Rules(is_visible, is_image, zip_names, False, class_name, True, table_folder, opens_containers=False)
