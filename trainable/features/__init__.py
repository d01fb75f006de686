"""The features of images: what a frozen net makes of them, computed once for all heads that learn from them.

`pooling.py` turns the maps of a net's stages into numbers, `store.py` keeps them on the disk in chunks of a fixed
number of images, and `computing.py` makes the chunks that are missing: each worker takes one that nobody else has
begun, so that all workers share the work, and a worker that dies costs one chunk.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Prepared:
    """How far a computation is whose result other trials read as well.

    Attributes:
      what: is computed, in words.
      done, count: images of it that are there, by whichever worker, and images in all.
    """

    what: str
    done: int
    count: int

    def __str__(self) -> str:
        return f"computing {self.what}: {self.done:,} of {self.count:,}"
