"""The decoded images of a data set, which are read once, checked, kept as uint8 and cached for the next start.

`Pixels` is the contract. A small data set is a numpy array in memory. A larger one lies in a file, of which only the
images of a batch are read at a time. The file holds raw pixels (`mapped`), or JPEG (`jpeg`) if raw pixels would take
too much of the disk. `form.py` decides which form is used.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


class Pixels(Protocol):
    """The images of a split, all of one size: the operations of a uint8 array (N, 3, H, W) that other code may use.

    A numpy array fulfils this contract. Several threads may read at once.
    """

    @property
    def shape(self) -> tuple[Any, ...]:
        """(N, 3, H, W) of all images."""
        ...

    @property
    def nbytes(self) -> int:
        """The size of all pixels, uncompressed, in bytes."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice | int | Sequence[int] | np.ndarray, /) -> Any:
        """Returns a uint8 array: (3, H, W) for one row, (n, 3, H, W) for several rows, in their order."""
        ...
