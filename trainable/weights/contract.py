"""The contracts of pretrained weights: the weights, a place they come from, and a library that serves them.

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
    """Pretrained weights cannot be used; the message says which file, which rule it breaks, and what to do."""


@dataclass(frozen=True)
class Weights:
    """Pretrained weights of a net, in a file on this machine.

    Attributes:
      arch: the net that they belong to, `timm/NAME` or `torchvision/NAME`.
      source: where they come from, in words for people.
      sha256: hexadecimal, of the file as its library serves it; it identifies the weights wherever they lie.
      licence: as the library that serves them records it; `unknown` if it records none.
      path: the file.
      found_by: the name of the source that found it.
    """

    arch: str
    source: str
    sha256: str
    licence: str
    path: Path
    found_by: str


@dataclass(frozen=True)
class WeightsSource:
    """A place that weights come from.

    Attributes:
      name: as in `Weights.found_by`.
      find: returns the weights of a net if they are there. It uses no network, and imports torch or a library of nets
        only if there is something. It raises a WeightsError if a file is not what it should be.
      nets: returns the names of the nets whose weights may be there, judging by file names alone.
      read: returns the tensors of weights that `find` returned, under the names that their library has for them.
    """

    name: str
    find: Callable[[str], Weights | None]
    nets: Callable[[], Iterable[str]]
    read: Callable[[Weights], "dict[str, Tensor]"]


@dataclass(frozen=True)
class Library:
    """A library of nets that also serves weights for them; each of these functions imports the library.

    Attributes:
      prefix: the beginning of the names of its nets.
      has: returns whether there is a net of this name.
      cached: returns the weights of a net from the library's own cache, whatever their file is called, or None.
      fetch: fetches the weights of a net into the library's own cache, with the library's own client, completely or not
        at all; raises a WeightsError if it cannot.
    """

    prefix: str
    has: Callable[[str], bool]
    cached: Callable[[str], Weights | None]
    fetch: Callable[[str, Say], Weights]
