"""The C library's allocator, told to keep what one training step frees for the next.

Left alone it gives large blocks back to the kernel, which zeroes them again at the next step: a fifth of the time of a
convolutional net on a CPU. Nothing here changes a result. Only glibc can be told; elsewhere nothing happens.
"""

import ctypes
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of <malloc.h>
NEVER = 2**31 - 1  # bytes that must be free at the end of the heap before it shrinks


def keep_freed_memory() -> None:
    """For the rest of this process."""
    with suppress(AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, NEVER)


def give_back_freed_memory() -> None:
    """What a large net has left is not needed by the small one after it, and may be by the trials beside."""
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
