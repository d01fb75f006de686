"""The second rules: images may lack a suffix, names are read as their makers wrote them, no folder is guessed."""

import re
from collections.abc import Callable
from unicodedata import normalize

from sweep.datasets.listing_rules.rules import Rules
from sweep.datasets.zip_names import zip_names

SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".mpo"),
    *(".webp", ".bmp", ".dib", ".tif", ".tiff"),
)
# Beginnings of the formats that can be decoded. They are used only for files without a suffix, because raw photographs
# and stacks of microscopes begin like TIFF as well.
BEGINNINGS = (rb"\x89PNG\r\n\x1a\n", rb"\xff\xd8\xff", rb"RIFF....WEBP", rb"BM", rb"II\*\x00", rb"MM\x00\*")
IMAGE_BEGINS = re.compile(b"|".join(BEGINNINGS), re.DOTALL)
# Folders that operating systems, file servers and desktops create among the user's files.
HIDDEN = ("__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found")


def is_visible(name: str) -> bool:
    """Returns whether a file counts: neither it nor one of its folders is hidden."""
    return not any(part.startswith(".") or part in HIDDEN for part in name.split("/"))


def is_image(name: str, head: Callable[[], bytes]) -> bool:
    """Returns whether a file is an image, by its suffix or, if it has none, by its first bytes."""
    if suffix := suffix_of(name):
        return suffix in SUFFIXES
    return IMAGE_BEGINS.match(head()) is not None


def suffix_of(name: str) -> str:
    """Returns the suffix of a file in lower case, or an empty text; a number (`scan.0012`) is not a suffix."""
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return f".{suffix.lower()}" if stem and dot and suffix.isalnum() and not suffix.isdigit() else ""


def class_name(folder: str) -> str:
    """Returns the name in the Unicode form that people type, NFC; macOS stores another one."""
    return normalize("NFC", folder)


RULES = Rules(is_visible, is_image, zip_names, True, class_name, True, None, opens_containers=False)
