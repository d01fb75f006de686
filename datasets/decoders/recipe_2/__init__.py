"""The second rules: photographs of up to 200 million pixels, fitted to a size in one of three ways."""

from collections.abc import Iterable

from datasets.decoders.recipe import Decoded, Recipe, Size
from datasets.decoders.recipe_1 import decode
from datasets.decoders.recipe_2.fit import box, fitted, inner_size

LARGEST_AS_IT_IS = 64  # px; larger images are trained at this side where nobody asks for another


def decode_to(data: bytes, size: Size | None, fit: str) -> Decoded:
    pixels = decode(data)
    image = pixels.shape[0], pixels.shape[1]
    if size is None:
        return Decoded(pixels, image)
    return Decoded(fitted(pixels, box(image, size, fit), inner_size(image, size, fit), size), image)


def size_of(data: bytes) -> Size:
    height, width, _ = decode(data).shape
    return height, width


def training_size(sizes: Iterable[Size]) -> Size | None:
    """Returns None where all images have one size of at most 64 px a side, else 64x64."""
    first: Size | None = None
    for size in sizes:
        first = first or size
        if size != first or max(size) > LARGEST_AS_IT_IS:
            return LARGEST_AS_IT_IS, LARGEST_AS_IT_IS
    return None


RECIPE = Recipe(decode_to, size_of, training_size)
