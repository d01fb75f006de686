"""The third rules: all sources are tried, the two first layouts before the others, and containers are opened."""

import re
from collections.abc import Callable
from dataclasses import replace

from sweep.datasets.listing_rules import rules_2
from sweep.datasets.listing_rules.rules_2 import suffix_of

SUFFIXES = (
    *rules_2.SUFFIXES,
    *(".gif", ".pbm", ".pgm", ".ppm", ".pnm", ".pfm", ".tga", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    *(".avif", ".heic", ".heif", ".hif", ".jxl", ".npy", ".dcm", ".dicom"),
)
# Beginnings of further formats, if they are long enough not to occur by accident.
BEGINNINGS = (
    *(rb"GIF8[79]a", rb"\x00\x00\x00\x0cjP  \r\n\x87\n", rb"....ftyp(avi[fs]|hei[cxms]|hev[cxms]|mif1|msf1)"),
    rb"\x00\x00\x00\x0cJXL \r\n\x87\n",
)
IMAGE_BEGINS = re.compile(b"|".join((*rules_2.BEGINNINGS, *BEGINNINGS)), re.DOTALL)


def is_image(name: str, head: Callable[[], bytes]) -> bool:
    """Returns whether a file is an image, by its suffix or, if it has none, by its first bytes."""
    if suffix := suffix_of(name):
        return suffix in SUFFIXES
    return IMAGE_BEGINS.match(head()) is not None


RULES = replace(
    rules_2.RULES,
    is_image=is_image,
    is_layout_image=rules_2.is_image,
    layouts_alone=False,
    opens_containers=True,
)
