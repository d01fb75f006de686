"""The second recipe: images of up to 200 million pixels in fourteen formats, fitted to a size in one of three ways.

Grey is repeated, a palette expanded, 16 bits scaled to 8 with rounding, floats from 0 to 1 scaled by 255, CMYK
converted, transparency laid over white, the orientation in EXIF applied; gamma and colour profiles are ignored. Of an
animation or of several pages the first is used. Remarks say what the pixels do not show.

If an image is reduced, JPEG is decoded at a half, a quarter or an eighth of its sides, as long as each side stays at
least twice as long as the side that it is then averaged down to. That is five to eight times as fast as the first
recipe for 2 to 12 million pixels, and on 64 photographs of 400x533 px the mean difference from averaging down the whole
image was at most 1.3 grey levels.
"""

from collections.abc import Iterable

from sweep.datasets.decoders.recipe import Decoded, ImageFileError, Recipe, Size, TooLargeError
from sweep.datasets.decoders.recipe_2.fit import box, fitted, inner_size
from sweep.datasets.decoders.recipe_2.formats import Opened, formats
from sweep.datasets.decoders.recipe_2.room import room_for
from sweep.datasets.mistaken import mistaken_for

MAX_PIXELS = 200_000_000
LARGEST_AS_IT_IS = 64  # px; larger images are trained at this size if the user gives none
AVERAGED = 2  # the least factor by which a side is averaged down after it was decoded at a reduced size


def decode_to(data: bytes, size: Size | None, fit: str) -> Decoded:
    """Decodes an image and fits it to a size; `decode_to` of `Recipe`."""
    if not data:
        raise ImageFileError("must be an image, got an empty file")
    file = _open_file(data)
    image = file.size
    shrink = 1 if size is None else _shrink(file, box(image, size, fit)[2:], inner_size(image, size, fit))
    shrunk = -(-image[0] // shrink), -(-image[1] // shrink)
    try:
        with room_for(image[0] * image[1]):
            pixels, remarks = file.decode(shrink)
            if pixels.shape[:2] != shrunk:
                raise ImageFileError(
                    f"must be as large as its header says, {_size_text(shrunk)}, got {_size_text(pixels.shape)}"
                )
            if size is not None:
                pixels = fitted(pixels, box(shrunk, size, fit), inner_size(image, size, fit), size)
    except ImageFileError:
        raise
    except MemoryError as error:
        raise ImageFileError(f"must fit in memory, got {_size_text(image)} px") from error
    except Exception as error:  # Pillow, OpenCV and others raise a dozen kinds of errors for damaged files
        raise ImageFileError(f"must be a whole image, got: {error}") from error
    return Decoded(pixels, image, remarks)


def size_of(data: bytes) -> Size:
    """Returns the size of an image by its header; `size_of` of `Recipe`."""
    return _open_file(data).size


def training_size(sizes: Iterable[Size]) -> Size | None:
    """Returns None if all images have one size of at most 64 px a side, else 64x64."""
    first: Size | None = None
    for size in sizes:
        first = first or size
        if size != first or max(size) > LARGEST_AS_IT_IS:
            return LARGEST_AS_IT_IS, LARGEST_AS_IT_IS
    return None


def _open_file(data: bytes) -> Opened:
    """Returns the file with its header read, after checking that the image is not too large."""
    image_format = next((each for each in formats() if each.begins.match(data)), None)
    if image_format is None and (mistake := mistaken_for(data)):
        kind, way_out = mistake
        raise ImageFileError(f"must be an image, got {kind}", way_out, cause=kind)
    if image_format is None:
        *names, last = (each.name for each in formats())
        rule = f"must be a {', '.join(names)} or {last} image"
        raise ImageFileError(f"{rule}, got a file that begins with {data[:12]!r}")
    try:
        file = image_format.open(data)
    except ImageFileError:
        raise
    except Exception as error:
        raise ImageFileError(f"must be a whole image, got: {error}") from error
    height, width = file.size
    if min(height, width) < 1:
        raise ImageFileError(f"must have a pixel, got {width} x {height}")
    if height * width > MAX_PIXELS:
        raise TooLargeError(f"must have at most {MAX_PIXELS:,} pixels, got {width} x {height}", "make it smaller")
    return file


def _shrink(file: Opened, part: Size, inner: Size) -> int:
    """Returns the number by which the sides are divided while the image is decoded."""
    divisors = [
        each for each in file.shrinks if all(a >= each * AVERAGED * b for a, b in zip(part, inner, strict=True))
    ]
    return max(divisors, default=1)


def _size_text(size: tuple[int, ...]) -> str:
    """Returns a size as messages show it."""
    return f"{size[1]} x {size[0]}"


RECIPE = Recipe(decode_to, size_of, training_size)
