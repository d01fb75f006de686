"""What each version of the decoding rules has to give."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Size = tuple[int, int]  # height and width, px

STRETCH, CROP, PAD = "stretch", "crop", "pad"
FITS = (STRETCH, CROP, PAD)


class ImageError(ValueError):
    """A file is no image to train on; the message is the rule and what was found.

    Args:
      way_out: what to do.
      cause: what it shares with the errors of other images; empty where it is the file's own.
    """

    is_of_machine = False

    def __init__(self, message: str, way_out: str = "replace it", cause: str = "") -> None:
        super().__init__(message)
        self.way_out = way_out
        self.cause = cause


class TooLargeError(ImageError):
    """An image has more pixels than are decoded."""


class MissingPackageError(ImageError):
    """A format of images is decoded by an optional package, which this machine does not have.

    Args:
      what: the format, with its article.
      install: the command that installs the package.
    """

    is_of_machine = True

    def __init__(self, what: str, package: str, install: str) -> None:
        super().__init__(
            f"is {what}, for which the package {package} must be installed", f"install it: {install}", package
        )


@dataclass(frozen=True)
class Decoding:
    """How the images of a sweep are decoded.

    Attributes:
      number: of the recipe.
      fit: one of FITS.
    """

    number: int = 1
    fit: str = STRETCH


@dataclass(frozen=True)
class Decoded:
    """One image as it is trained on.

    Attributes:
      pixels: (H, W, 3) uint8, RGB.
      size: of the whole upright image in its file.
      remarks: what of the file is not in the pixels, or not as it was, a phrase each ("transparency laid over white").
        Few different ones exist, so that images can be counted by them.
    """

    pixels: "np.ndarray"
    size: Size
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """One version of the rules; several threads may use it at once.

    Attributes:
      decode_to: decodes the bytes of one file and fits the image to a size, or leaves it as it is where that is None.
        The last argument says how, one of FITS. The result depends on these three alone. Raises ImageError.
      size_of: returns the size of the whole upright image by the header. It is given the first bytes of a file, or
        all of them. Raises ImageError where they do not tell it.
      training_size: returns the size that images are trained at where nobody asked for one, None for as they are. It
        is given the sizes of all images, and stops as soon as it knows.
    """

    decode_to: Callable[[bytes, Size | None, str], Decoded]
    size_of: Callable[[bytes], Size]
    training_size: Callable[[Iterable[Size]], Size | None]
