"""What a training step frees is kept for the next one, and given back between trials."""

import platform
import subprocess
import sys

import pytest

from tests.drivers import ROOT

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator can be told")

# Takes, fills and frees 20 times 40 MB, in a process that has done nothing else.
PROGRAM = """
import ctypes, resource, sys
from sweep.trainable import allocator

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
resident = lambda: int(open("/proc/self/statm").read().split()[1])

def step():
    block = libc.malloc(40_000_000)
    libc.memset(block, 1, 40_000_000)
    libc.free(block)

if sys.argv[1] == "kept":
    allocator.keep_freed_memory()
step()
before, held = faults(), resident()
for _ in range(20):
    step()
after = faults()
allocator.give_back_freed_memory()
print(after - before, held - resident())
"""


def pages_of(how):
    """Faulted in by the steps after the first, and given back at the end."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(map(int, done.stdout.split()))


def test_a_block_that_is_freed_is_not_faulted_in_again():
    assert pages_of("kept")[0] < 100 < 20_000 < pages_of("left alone")[0]


def test_between_trials_what_is_free_goes_back():
    assert pages_of("kept")[1] > 1000
