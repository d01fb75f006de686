"""What weights of a pretrained net are, and what a source of them can do. Imports nothing heavy."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from storage.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from trainable.models.family import Preprocessing

UNKNOWN = "unknown"  # the licence of weights whose library records none


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
      preprocessing: how their net takes pixels, where that is not what its library says of the net.
    """

    arch: str
    source: str
    sha256: str
    licence: str
    path: Path
    found_by: str
    preprocessing: "Preprocessing | None" = None


@dataclass(frozen=True)
class Source:
    """A place that weights come from.

    Attributes:
      name: in `Weights.found_by`.
      find: returns the weights of a net that are there; asks no network, and imports neither torch nor a catalogue
        of nets where nothing is there.
      read: returns the tensors of weights that `find` returned, by the names that their net has for them.
    """

    name: str
    find: Callable[[str], Weights | None]
    read: Callable[[Weights], "dict[str, Tensor]"]
