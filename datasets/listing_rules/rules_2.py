"""The second rules: images without a suffix count, names are read as their makers wrote them, no folder is guessed."""

import re
from collections.abc import Callable
from unicodedata import normalize

from sweep.datasets.listing_rules.rules import Rules
from sweep.datasets.zip_names import zip_names

SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".mpo"),
    *(".webp", ".bmp", ".dib", ".tif", ".tiff"),
)
# How the formats that can be decoded begin. Only files without a suffix are known by it: raw photographs and
# microscopes' stacks begin like TIFF, too.
BEGINNINGS = (rb"\x89PNG\r\n\x1a\n", rb"\xff\xd8\xff", rb"RIFF....WEBP", rb"BM", rb"II\*\x00", rb"MM\x00\*")
IMAGE_BEGINS = re.compile(b"|".join(BEGINNINGS), re.DOTALL)
# What operating systems, file servers and desktops put between other people's files.
HIDDEN = ("__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found")


def is_visible(name: str) -> bool:
    """Says whether a file counts: neither it nor a folder that it is in is hidden."""
    return not any(part.startswith(".") or part in HIDDEN for part in name.split("/"))


def is_image(name: str, head: Callable[[], bytes]) -> bool:
    """Says whether a file is an image by its suffix or, where it has none, by its first bytes."""
    if suffix := suffix_of(name):
        return suffix in SUFFIXES
    return IMAGE_BEGINS.match(head()) is not None


def suffix_of(name: str) -> str:
    """Returns the suffix of a file in small letters, or nothing; a number behind a dot (`scan.0012`) is no suffix."""
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return f".{suffix.lower()}" if stem and dot and suffix.isalnum() and not suffix.isdigit() else ""


def class_name(folder: str) -> str:
    """Returns the name in the Unicode form that people type, NFC; macOS stores another."""
    return normalize("NFC", folder)


RULES = Rules(is_visible, is_image, zip_names, True, class_name, True, None, opens_containers=False)
