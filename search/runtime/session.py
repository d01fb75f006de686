"""What the trials of one start run on, as the rest of the runtime sees it: it knows no Ray."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from search.runtime.memory import Limit, gpu_bytes
from search.runtime.start import Start

if TYPE_CHECKING:
    from datasets.pixels.dataset import Dataset
    from search.runtime.bridge import Bridge


@dataclass(frozen=True, kw_only=True)
class Session(ABC):
    """Workers, ready for trials.

    Attributes:
      worker: bytes of memory that a trial may take; 0 where that is not known.
      gpus: of a trial; a part of one where it shares it.
      is_local: they are this machine's.
      sharing: so many trials share the memory that `worker` is a part of with one copy of the images; 0 where the
        images lie in other memory.
    """

    worker: int = 0
    gpus: float = 0.0
    is_local: bool = True
    sharing: int = 0

    @abstractmethod
    def execute(self, bridge: "Bridge", data: "Dataset") -> list[int]:
        """Runs a bridge to its end or a signal's; returns the numbers of the signals."""

    def limit(self, data: "Dataset") -> Limit | None:
        """Returns the memory that trials on this data may take; None where it is not known."""
        if not self.worker:
            return None
        # What lies in a file takes no memory that anything else could not have.
        arrays = [split.images.nbytes for split in data.splits.values() if isinstance(split.images, np.ndarray)]
        worker = self.worker - (sum(arrays) // self.sharing if self.sharing else 0)
        gpu = gpu_bytes(self.gpus) if self.gpus and self.is_local else 0
        return Limit(max(1, worker), gpu, bool(self.gpus), len(data.classes), data.image_size)


# Opens a session for the folder of a sweep; the screen, and a thread for what goes on beside, are the start's.
Open = Callable[[Path, Start, TextIO, Executor], AbstractContextManager[Session]]
