"""The driver as a process: signals."""

import os
import signal
import time

import pytest

from search.process import IMPORTING, Interrupted, interruptible

# As if within the machinery of imports, which holds a lock there that an error would leave taken.
IMPORTS = compile(
    "def importing(kill, process, number):\n"
    "    kill(process, number)\n"
    "    for _ in range(1000): pass\n"
    "    done.append('whole')\n",
    IMPORTING,
    "exec",
)


def interrupted_amid_an_import(done):
    """Returns after 10 s, should the signal be lost."""
    names = {"done": done}
    exec(IMPORTS, names)
    deadline = time.monotonic() + 10
    with interruptible():
        names["importing"](os.kill, os.getpid(), signal.SIGTERM)
        while time.monotonic() < deadline:
            pass


def test_a_signal_amid_an_import_lets_it_end_and_then_interrupts():
    done = []

    with pytest.raises(Interrupted) as raised:
        interrupted_amid_an_import(done)

    assert done == ["whole"]
    assert raised.value.number == signal.SIGTERM
