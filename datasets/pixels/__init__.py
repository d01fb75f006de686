"""The decoded images of a data set: read once, checked, kept as uint8, and cached for the next start.

`Pixels` is the contract. A small data set is a numpy array in memory. One that is larger lies in a file, and only the
images of a batch are read at a time: as they are (`mapped`), or as JPEG (`jpeg`) where even the disk would be short of
room. `form.py` says when which form is used.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


class Pixels(Protocol):
    """Images of one size: the part of an array (N, 3, H, W) of uint8 that whoever uses images may rely on.

    A numpy array is one. Several threads may read at once.
    """

    @property
    def shape(self) -> tuple[Any, ...]:
        """(N, 3, H, W)."""
        ...

    @property
    def nbytes(self) -> int:
        """The bytes of all pixels together, in whatever form they are kept."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice | int | Sequence[int] | np.ndarray, /) -> Any:
        """Returns a uint8 array: (3, H, W) of one row, else (n, 3, H, W) of these rows in their order."""
        ...
