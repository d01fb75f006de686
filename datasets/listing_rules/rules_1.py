"""The first rules: images are recognised by seven suffixes, and names are those that Python gives. Must not change."""

import zipfile
from collections.abc import Callable, Iterable, Sequence

from sweep.datasets.listing_rules.rules import Find, Rules

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def is_visible(name: str) -> bool:
    """Returns whether a file counts: neither it nor one of its folders is hidden."""
    return not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def is_image(name: str, head: Callable[[], bytes]) -> bool:
    """Returns whether a file has the suffix of an image."""
    return name.lower().endswith(SUFFIXES)


def zip_names(members: Sequence[zipfile.ZipInfo]) -> list[tuple[str, bool]]:
    """Returns the names of a .zip's members as Python decodes them, none of them as a guess."""
    return [(member.filename, False) for member in members]


def class_name(folder: str) -> str:
    """Returns the name of the folder, unchanged."""
    return folder


def table_folder(find: Find, ids: Sequence[str], files: Iterable[str], base: str, split: str) -> str:
    """Returns the folder that holds most of the ids; among equals, one named like a split, or the first."""
    parts = [name.split("/")[:-1] for name in files if name.startswith(base)]
    subfolders = sorted({"/".join(part[:depth]) + "/" for part in parts for depth in range(1, len(part) + 1)})
    usual_folders = [f"{base}{split}/"] if split == "test" else [f"{base}{split}/", f"{base}train+validation/"]
    best, best_count = "", 0
    for folder in [*usual_folders, base, *subfolders]:
        count = sum(find(folder, name) is not None for name in ids)
        if count > best_count:
            best, best_count = folder, count
        if best_count == len(ids):
            break
    return best


RULES = Rules(is_visible, is_image, zip_names, False, class_name, True, table_folder, opens_containers=False)
