"""Runs a search from Python, for example in a notebook, by starting the command as a process of its own.

The search changes its process, for example the signal handlers and the environment; this way the notebook's process is
not affected.
"""

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from os import PathLike
from typing import Any

from sweep.analysis.notebook import Sweep, read_sweep
from sweep.storage.programs import MODULES, PACKAGE

OVER = (0, 5)  # exit codes of a search that did not fail: every trial has ended, or the time budget is used up
LAST_LINES = 20  # the lines of output that an error repeats


class SearchFailed(RuntimeError):
    """A search was refused or failed; the message contains its last lines of output.

    Attributes:
      exit_code: the exit code of the command, as documented; 2 means that the user has something to mend.
    """

    def __init__(self, exit_code: int, output: str) -> None:
        super().__init__(f"{output}\n(exit code {exit_code})")
        self.exit_code = exit_code


def run_sweep(sweep: str | PathLike[str] = "sweeps/default", **flags: Any) -> Sweep:
    """Starts a search or continues it, shows its progress, and returns the sweep.

        sweep = run_sweep("sweeps/photos", data="photos", trials=50, fix={"arch": "cnn"}, metric="macro_f1")

    Args:
      sweep: the folder of the sweep.
      flags: the flags of the command `run`, with `_` for `-`. True sets a flag without a value; False and None leave a
        flag out; a list repeats a flag; a dictionary is for a flag that takes NAME=VALUE.

    Raises:
      SearchFailed: the search was refused, or it failed.
      KeyboardInterrupt: it was interrupted and has stopped as the command does; the same call continues it.
    """
    words = ["--sweep", os.fspath(sweep), *_words(flags)]
    path = filter(None, [f"{PACKAGE.parent}", os.environ.get("PYTHONPATH")])
    # In a session of its own, because an interrupt of the notebook would otherwise reach the search twice, and the
    # second one ends it at once.
    process = subprocess.Popen(
        [sys.executable, "-m", f"sweep.{MODULES['run']}", *words],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    last_lines, is_interrupted = _show_output(process)
    if is_interrupted:
        raise KeyboardInterrupt
    if process.returncode not in OVER:
        raise SearchFailed(process.returncode, "\n".join(last_lines))
    return read_sweep(sweep)


def _show_output(process: "subprocess.Popen[str]") -> tuple[list[str], bool]:
    """Prints the lines of a process until it ends; returns the last ones, and whether it was interrupted."""
    lines, last_lines, is_interrupted = _Lines(), deque[str](maxlen=LAST_LINES), False
    assert process.stdout is not None
    while True:
        try:
            for line in process.stdout:
                last_lines.append(line.rstrip("\n"))
                lines.show(last_lines[-1])
            process.wait()
            return list(last_lines), is_interrupted
        except KeyboardInterrupt:
            is_interrupted = True
            process.send_signal(signal.SIGINT)
        except BaseException:
            process.kill()
            raise


class _Lines:
    """Prints lines; in a notebook each line of progress replaces the one before."""

    def __init__(self) -> None:
        self.progress: Any = None
        shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
        self.is_notebook = hasattr(shell, "kernel")

    def show(self, line: str) -> None:
        if not (self.is_notebook and line.startswith("[")):
            print(line, flush=True)
            return
        from IPython.display import display

        text = {"text/plain": line}
        if self.progress is None:
            self.progress = display(text, raw=True, display_id=True)
        else:
            self.progress.update(text, raw=True)


def _words(flags: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    for name, value in flags.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif isinstance(value, Mapping):
            words += [word for key, each in value.items() for word in (flag, f"{key}={each}")]
        elif isinstance(value, list | tuple):
            words += [word for each in value for word in (flag, str(each))]
        elif value is not None and value is not False:
            words += [flag, str(value)]
    return words
