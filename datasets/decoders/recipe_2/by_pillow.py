"""Decodes files to RGB by Pillow."""

import io
from contextlib import suppress

import numpy as np
from PIL import Image

from sweep.datasets.decoders.recipe import ImageFileError, Size
from sweep.datasets.decoders.recipe_2.formats import FIRST_FRAME, FROM_CMYK, ON_WHITE, Opened, Pixels
from sweep.datasets.decoders.recipe_2.samples import over_white, strips, to_rgb, turned

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit would print a warning before this recipe refuses the image
ORIENTATION = 0x0112  # the tag of EXIF


def opened(data: bytes, kind: str) -> Opened:
    """Opens a file that has one of Pillow's formats."""
    image = Image.open(io.BytesIO(data), formats=(kind,))
    return Opened(upright_size((image.height, image.width), orientation_of(image)), lambda _: pixels_of(image))


def upright_size(size: Size, orientation: int) -> Size:
    """Returns the size of an image after it is turned as EXIF says."""
    return size[::-1] if orientation in (5, 6, 7, 8) else size


def orientation_of(image: Image.Image) -> int:
    """Returns the orientation number in EXIF; 1, which is upright, if there is none that can be read."""
    # damaged metadata does not harm the pixels, and Pillow raises a dozen kinds of errors for it
    with suppress(Exception):
        orientation = image.getexif().get(ORIENTATION, 1)
        return orientation if orientation in range(1, 9) else 1
    return 1


def pixels_of(image: Image.Image) -> Pixels:
    """Decodes the first frame."""
    image.load()
    pixels, remarks = _convert(image)
    pixels = turned(pixels, orientation_of(image))
    if _is_animated(image):
        remarks += (FIRST_FRAME,)
    return pixels, remarks


def _convert(image: Image.Image) -> Pixels:
    """Returns an image as RGB, with remarks."""
    if image.mode.startswith("I"):
        samples = np.asarray(image)
        if samples.min(initial=0) < 0 or samples.max(initial=0) > 65535:
            raise ImageFileError("must have 8 or 16 bits a channel without a sign, got more")
        return to_rgb(samples.astype(np.uint16))
    if image.mode == "F":
        return to_rgb(np.asarray(image))
    pixels, is_transparent = np.empty((image.height, image.width, 3), np.uint8), False
    has_alpha = image.has_transparency_data
    for rows in strips(image.height, image.width):
        part = image.crop((0, rows.start, image.width, rows.stop)).convert("RGBA" if has_alpha else "RGB")
        if has_alpha:
            is_transparent |= part.getextrema()[3][0] < 255  # type: ignore[misc]
        pixels[rows] = over_white(part) if has_alpha else np.asarray(part)
    return pixels, (ON_WHITE,) * is_transparent + (FROM_CMYK,) * (image.mode == "CMYK")


def _is_animated(image: Image.Image) -> bool:
    """Returns whether there are more frames; those of an MPO, the JPEG of many phones, are its previews or depth."""
    if image.format == "MPO":
        return False
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # a second frame exists, but is damaged
        return True
