"""Describes one start of a sweep: how its trials are run, and the workers that they run on.

It knows nothing of Ray and imports no part of it.
"""

import shlex
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from sweep.search.runtime.memory import MemoryLimit, gpu_bytes
from sweep.storage import user_code
from sweep.storage.programs import typed

if TYPE_CHECKING:
    from sweep.datasets.pixels.dataset import Dataset
    from sweep.search.runtime.bridge import Bridge


@dataclass(frozen=True)
class Start:
    """The choices of how one start runs its trials; they may differ from start to start.

    Attributes:
      command: the command that the user typed, shown as the way to go on.
      address: where Ray runs, as `search.ray.address.place` takes it.
      concurrency: how many trials run at a time; None for as many as fit.
      cpus_per_trial, gpus_per_trial, memory_per_trial: what each trial gets, memory in bytes; None leaves it to what
        the cluster has.
      resources_per_trial: further resources of the cluster, by their names.
      sinks: where the sweep's events go beside the screen: names of `search.sinks.NAMES`, or FILE.py:OBJECT.
    """

    command: str
    address: str | None = None
    concurrency: int | None = None
    cpus_per_trial: float | None = None
    gpus_per_trial: float | None = None
    memory_per_trial: int | None = None
    resources_per_trial: dict[str, float] = field(default_factory=dict)
    attempts: int = 3
    max_failures: int = 10
    budget_seconds: float | None = None
    sinks: tuple[str, ...] = ()

    @staticmethod
    def from_flags(command: str, flags: Mapping[str, Any]) -> "Start":
        """Returns the start that the flags of a command ask for, those of `search.options.runs_trials`."""
        names = [field.name for field in fields(Start) if field.name != "command"]
        sinks = [user_code.name(sink, "--sink") if user_code.is_reference(sink) else sink for sink in flags["sinks"]]
        return Start(_typed_command(command), **{name: flags[name] for name in names} | {"sinks": tuple(sinks)})


def _typed_command(command: str) -> str:
    """Returns the command as the user typed it."""
    return shlex.join([*typed(command), *sys.argv[1:]])


@dataclass(frozen=True, kw_only=True)
class Session(ABC):
    """Workers that are ready for trials.

    Attributes:
      worker: bytes of memory that a trial may take; 0 if that is not known.
      gpus: how many GPUs a trial has; a fraction if trials share one.
      is_local: whether the workers are on this machine.
      sharing: how many trials share the memory and one copy of the images in it, `worker` being the part of one trial;
        0 if the images lie in other memory.
    """

    worker: int = 0
    gpus: float = 0.0
    is_local: bool = True
    sharing: int = 0

    @abstractmethod
    def execute(self, bridge: "Bridge", data: "Dataset") -> list[int]:
        """Runs what a bridge orders until it ends or a signal stops it.

        Returns:
          The number of the first signal that came, in a list; an empty list if none came.
        """

    def limit(self, data: "Dataset") -> MemoryLimit | None:
        """Returns the memory that a trial on this data may take; None if it is not known."""
        if not self.worker:
            return None
        # Images in a file do not count: the system takes back the memory they are mapped to when others need it.
        arrays = [split.images.nbytes for split in data.splits.values() if isinstance(split.images, np.ndarray)]
        worker = self.worker - (sum(arrays) // self.sharing if self.sharing else 0)
        gpu = gpu_bytes(self.gpus) if self.gpus and self.is_local else 0
        return MemoryLimit(max(1, worker), gpu, bool(self.gpus), len(data.classes), data.image_size)


# Opens a session for a sweep's folder; gets the start, the screen, and a thread for work beside the main one.
Open = Callable[[Path, Start, TextIO, Executor], AbstractContextManager[Session]]
