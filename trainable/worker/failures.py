"""Turns an error of an attempt into the failure that is reported to the driver."""

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

# Parts of messages of torch's allocator, of C++ and of OpenCV, which do not raise a MemoryError.
HOST_MEMORY_MESSAGES = ("DefaultCPUAllocator", "can't allocate memory", "std::bad_alloc", "Insufficient memory")


def failure_of(error: BaseException, store: Store) -> Failure:
    """Returns the failure to report for an error of an attempt.

    Its reason is DIVERGED if a loss or a prediction is not finite, or gradients overflow float16; OUT_OF_MEMORY if the
    GPU's memory is short even for the smallest micro-batch; HOST_MEMORY if the machine's memory is short, which is
    worth another try because other processes may have taken it; STORAGE if a file cannot be read or written, which is
    not the trial's fault; and ERROR for anything else, with the traceback as its log. The failure of another process
    of the trial is passed on.

    Args:
      store: the store of the sweep; the texts show its addresses in place of the paths of its copy on this machine.
    """
    message = store.shown(str(error))
    if isinstance(error, ProcessFailed):
        failure = error.failure
        return replace(failure, message=store.shown(failure.message), log=store.shown(failure.log))
    if isinstance(error, loop.Diverged):
        return Failure(Reason.DIVERGED, message)
    if isinstance(error, torch.OutOfMemoryError):
        return Failure(Reason.OUT_OF_MEMORY, message)
    no_memory = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    if no_memory or any(words in message for words in HOST_MEMORY_MESSAGES):
        message = message or "no memory"  # Python's own MemoryError has no message
        return Failure(Reason.HOST_MEMORY, f"{message} (peak of this process: {_peak_mib()} MiB)")
    if isinstance(error, OSError | DamagedError | WeightsError | FeaturesError):  # none of these is the trial's fault
        return Failure(Reason.STORAGE, message)
    log = store.shown("".join(traceback.format_exception(error)))
    return Failure(Reason.ERROR, f"{type(error).__name__}: {message}", log)


def _peak_mib() -> int:
    """Returns the most memory that this process has held at any time, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss, in bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit >> 20
