"""Why an attempt at a trial failed, as the driver is told."""

import errno
import resource
import sys
import traceback
from dataclasses import replace

import torch

from sweep.storage.files import DamagedError
from sweep.storage.states import Reason
from sweep.storage.store import Store
from sweep.trainable import loop
from sweep.trainable.features.store import FeaturesError
from sweep.trainable.parallel.processes import ProcessFailed
from sweep.trainable.weights import WeightsError
from sweep.trainable.worker.report import Failure

# In the messages of torch's allocator, of C++ and of OpenCV, whose errors are no MemoryError.
HOST_MEMORY = ("DefaultCPUAllocator", "can't allocate memory", "std::bad_alloc", "Insufficient memory")


def failure_of(error: BaseException, store: Store) -> Failure:
    """Returns the failure that an error of an attempt is.

    DIVERGED: a loss is not finite. OUT_OF_MEMORY: of the GPU, at the smallest micro-batch. HOST_MEMORY: which other
    processes may have taken, so that it is worth another try. STORAGE: a file can be neither read nor written, which is
    not the trial's fault. ERROR: anything else.

    Args:
      store: of the sweep, whose keys are shown to nobody.
    """
    message = store.shown(str(error))
    if isinstance(error, ProcessFailed):
        found = error.failure
        return replace(found, message=store.shown(found.message), log=store.shown(found.log))
    if isinstance(error, loop.Diverged):
        return Failure(Reason.DIVERGED, message)
    if isinstance(error, torch.OutOfMemoryError):
        return Failure(Reason.OUT_OF_MEMORY, message)
    no_memory = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    if no_memory or any(words in message for words in HOST_MEMORY):
        message = message or "no memory"  # Python's own MemoryError says nothing
        return Failure(Reason.HOST_MEMORY, f"{message} (peak of this process: {_peak_mib()} MiB)")
    if isinstance(error, OSError | DamagedError | WeightsError | FeaturesError):  # none of these is its fault
        return Failure(Reason.STORAGE, message)
    log = store.shown("".join(traceback.format_exception(error)))
    return Failure(Reason.ERROR, f"{type(error).__name__}: {message}", log)


def _peak_mib() -> int:
    """The most memory that this process ever held at once."""
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit >> 20
