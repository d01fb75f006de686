"""What weights of a pretrained net are, what a place that they come from can do, and what a library of nets knows.

Imports nothing heavy.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.storage.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

UNKNOWN = "unknown"  # the licence of weights whose library records none

Say = Callable[[str], object]  # shows a line to the user


class WeightsError(UserError):
    """Weights of a pretrained net cannot be used; the message says which file, by which rule, and what to do."""


@dataclass(frozen=True)
class Weights:
    """Pretrained weights of a net, in a file on this machine.

    Attributes:
      arch: the net that they are of, `timm/NAME` or `torchvision/NAME`.
      source: where they come from, in words for people.
      sha256: of the file as its library serves it, hexadecimal; it identifies the weights wherever they lie.
      licence: as the library that serves them records it; `unknown` where it records none.
      path: of the file.
      found_by: the name of the source that found it.
    """

    arch: str
    source: str
    sha256: str
    licence: str
    path: Path
    found_by: str


@dataclass(frozen=True)
class Source:
    """A place that weights come from.

    Attributes:
      name: in `Weights.found_by`.
      find: returns the weights of a net that are there; asks no network, and imports neither torch nor a library of
        nets where nothing is there. Raises a WeightsError where a file is not what it should be.
      nets: returns the names of the nets whose weights may be there, by names of files alone.
      read: returns the tensors of weights that `find` returned, by the names that their library has for them.
    """

    name: str
    find: Callable[[str], Weights | None]
    nets: Callable[[], Iterable[str]]
    read: Callable[[Weights], "dict[str, Tensor]"]


@dataclass(frozen=True)
class Library:
    """A library of nets, which also serves weights of them; its functions import it.

    Attributes:
      prefix: what the names of its nets begin with.
      has: says whether there is a net of this name.
      cached: returns the weights of a net that are in the library's own cache, whatever their file is called.
      fetch: fetches the weights of a net into the library's own cache, through its own client, whole or not at all;
        raises a WeightsError where it cannot.
    """

    prefix: str
    has: Callable[[str], bool]
    cached: Callable[[str], Weights | None]
    fetch: Callable[[str, Say], Weights]
