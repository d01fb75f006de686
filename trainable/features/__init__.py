"""The features of images, which a frozen net computes once for all heads that learn from them.

`pooling.py` turns the maps of a net's stages into numbers, and `store.py` keeps these on disk in chunks of a fixed
number of images. `computing.py` computes the chunks that are missing: each worker takes one that nobody else has begun,
so all workers share the work, and a worker that dies costs one chunk.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Prepared:
    """The progress of a computation whose result other trials use too.

    Attributes:
      what: the result that is computed, in words.
      done, count: how many images are finished, by any worker, and how many there are.
    """

    what: str
    done: int
    count: int

    def __str__(self) -> str:
        return f"computing {self.what}: {self.done:,} of {self.count:,}"
