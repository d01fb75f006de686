"""The contract of decoding recipes, which each version of them fulfils."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Size = tuple[int, int]  # height and width, px

STRETCH, CROP, PAD = "stretch", "crop", "pad"
FITS = (STRETCH, CROP, PAD)


class ImageFileError(ValueError):
    """The error that a file is not an image to train on; the message is the rule and what was found.

    Args:
      message: the rule and what was found.
      way_out: what the user can do.
      cause: a cause that it shares with the errors of other images; empty if it is the file's own.
    """

    is_of_machine = False

    def __init__(self, message: str, way_out: str = "replace it", cause: str = "") -> None:
        super().__init__(message)
        self.way_out = way_out
        self.cause = cause


class TooLargeError(ImageFileError):
    """The error that an image has more pixels than are decoded."""


class MissingPackageError(ImageFileError):
    """The error that an image needs an optional package for its format, which this machine does not have.

    Args:
      noun: the format, with its article.
      package: the name of the package.
      install: the command that installs the package.
    """

    is_of_machine = True

    def __init__(self, noun: str, package: str, install: str) -> None:
        super().__init__(
            f"is {noun}, for which the package {package} must be installed", f"install it: {install}", package
        )


@dataclass(frozen=True)
class Decoding:
    """The way in which the images of a sweep are decoded.

    Attributes:
      number: the number of the recipe.
      fit: how images are fitted to a size, one of FITS.
    """

    number: int = 1
    fit: str = STRETCH


@dataclass(frozen=True)
class Decoded:
    """One image as it is trained on.

    Attributes:
      pixels: (H, W, 3) uint8, RGB.
      size: (H, W) of the whole upright image in its file, px.
      remarks: what the pixels lack or show differently from the file, a phrase each ("transparency laid over white").
        There are only few different remarks, so that images can be counted by them.
    """

    pixels: "np.ndarray"
    size: Size
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """One version of the decoding rules; several threads may use it at once.

    Attributes:
      decode_to: decodes the bytes of a file and fits the image to a size in the way that the last argument says, one of
        FITS; None for the size leaves the image as it is. The result depends on these three arguments alone. Raises
        ImageFileError.
      size_of: returns the size of the whole upright image by its header. It takes the first bytes of a file, or all of
        them. Raises ImageFileError if they do not contain the size.
      training_size: returns the size at which images are trained if the user gives none; None leaves them as they are.
        It takes the sizes of all images, and stops reading them once it knows.
    """

    decode_to: Callable[[bytes, Size | None, str], Decoded]
    size_of: Callable[[bytes], Size]
    training_size: Callable[[Iterable[Size]], Size | None]
