"""The driver as a process: signals."""

import os
import signal
import subprocess
import sys
import time

import pytest

from sweep.search.runtime.process import IMPORTING, Interrupted, interruptible, looks

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


WAITS_FOR_EVER = """
import os, signal, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from sweep.search.runtime import process
from sweep.search.runtime.driver import drive
process.LAST_SECONDS = 0.1
folder = Path(sys.argv[1])
def start():
    with process.chatter_to(folder / "log.txt"), ThreadPoolExecutor(1) as beside:
        beside.submit(Event().wait)
        print("chatter", flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
sys.exit(drive(folder, start))
"""


def test_a_signal_ends_a_command_whose_thread_waits_for_ever_and_says_so_on_the_screen(tmp_path):
    """A thread cannot be interrupted, and a library may wait in C."""
    command = [sys.executable, "-c", WAITS_FOR_EVER, str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 143, done.stderr
    assert done.stdout == (
        "Stopped by SIGTERM; nothing that was recorded is lost: run the same command again to go on.\n"
    )
    assert (tmp_path / "log.txt").read_text() == "chatter\n"


def test_looks_are_counted_and_not_the_time_that_they_take():
    assert len(list(looks(30.0, 0.5))) == 60
    assert len(list(looks(0, 0.5))) == 1
