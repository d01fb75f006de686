"""What the commands that run trials share: options, the driver's lock, and the exit code of each end.

Imports nothing heavy, so that a second driver is refused at once; the rest is imported under the lock.
"""

import math
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from analysis.folder import STORAGE_FAILS
from datasets.text import stop_printing
from search.connection import RAY_FAILS, RayFailedError
from search.lock import HeldError, driver_lock, is_held
from search.process import ended_in_time, interruptible, signal_behind, stopped_by
from trainable.bucket import address_of, is_copy, with_addresses
from trainable.config import ConfigError

YOURS_TO_MEND = 2
HELD = 75

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class Duration(click.ParamType):
    """`90s`, `30m`, `2h`, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        units = {"s": 1, "m": 60, "h": 3600}
        try:
            seconds = float(value[:-1]) * units[value[-1:]]
        except (ValueError, KeyError):
            self.fail(f"must be a number with s, m or h (30m), got {value!r}", param, ctx)
        if not seconds > 0:
            self.fail(f"must be above zero, got {value!r}", param, ctx)
        return seconds


class Number(click.ParamType):
    """A number that keeps a rule; none does that is not finite."""

    name = "float"

    def __init__(self, is_right: Callable[[float], bool], rule: str) -> None:
        self.is_right, self.rule = is_right, rule

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or not self.is_right(number):
            self.fail(f"{self.rule}, got {value!r}", param, ctx)
        return number


CPUS = Number(lambda cpus: cpus > 0, "must be a number above zero")
GPUS = Number(
    lambda gpus: 0 <= gpus <= 1,
    "must be from 0 to 1, for a trial uses one GPU at most; 1 gives each trial its own GPU, 0.25 lets four share one",
)


class Amount(click.ParamType):
    """`NAME=AMOUNT`, of a resource of Ray's own or of yours."""

    name = "name=amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        name, _, amount = str(value).partition("=")
        try:
            number = float(amount)
        except ValueError:
            number = 0.0
        if not name or not 0 < number < math.inf:
            self.fail(f"must be NAME=AMOUNT with an amount above zero (tpu=1), got {value!r}", param, ctx)
        if name.lower() in ("cpu", "gpu", "memory"):
            self.fail(f"{name} has an option of its own: --{name.lower()}s-per-trial or --memory-per-trial", param, ctx)
        return name, number


def _named(context: click.Context, option: click.Parameter, values: tuple[tuple[str, float], ...]) -> dict[str, float]:
    return dict(values)


OF_A_START = (
    click.option("--time-budget", "budget_seconds", type=Duration(), default=None, help="Of this start: 90s, 30m, 2h."),
    click.option(
        "--address",
        type=str,
        default=None,
        help="Of a running Ray cluster: auto or HOST:PORT; default RAY_ADDRESS, else Ray here.",
    ),
    click.option(
        "--concurrency", type=click.IntRange(min=1), default=None, help="Trials at a time; default: as many as fit."
    ),
    click.option("--cpus-per-trial", type=CPUS, default=None),
    click.option("--gpus-per-trial", type=GPUS, default=None, help="From 0 to 1; default: 1 where a node has a GPU."),
    click.option("--memory-per-trial", type=click.IntRange(min=1), default=None, help="In bytes."),
    click.option(
        "--resource-per-trial",
        "resources_per_trial",
        type=Amount(),
        multiple=True,
        callback=_named,
        metavar="NAME=AMOUNT",
        help="Of a custom resource of the cluster.",
    ),
    click.option(
        "--attempts", type=click.IntRange(min=1), default=3, show_default=True, help="Per trial, for lost workers."
    ),
    click.option("--max-failures", type=click.IntRange(min=1), default=10, show_default=True, help="In a row: stops."),
)


def runs_trials(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of `search.sweep.Start`: how trials run, which any start may choose anew."""
    for option in reversed(OF_A_START):
        command = option(command)
    return command


def typed(module: str) -> str:
    """The command as the user typed it."""
    return shlex.join(["python", "-m", module, *sys.argv[1:]])


def drive_below(search: Path, name: str, start: Callable[[], int]) -> int:
    """`drive` for the folder `name` in that of a search, which must be there."""
    if not (search / "sweep.json").exists():
        place = address_of(search)
        print(f"{place}: holds no sweep; `python -m search.run --sweep {place}` starts one", file=sys.stderr)
        return YOURS_TO_MEND
    return drive(search / name, start)


def drive(folder: Path, start: Callable[[], int]) -> int:
    """Calls `start` as the driver of the sweep in `folder`; returns its exit code, or that of what kept it from one."""
    try:
        with ended_in_time(), interruptible(), driver_lock(folder) as lock, _told_where_gone(folder, lock):
            return _started(start)
    except GoneError as error:
        print(error, file=sys.stderr)
        return STORAGE_FAILS
    except HeldError as error:
        print(with_addresses(str(error)), file=sys.stderr)
        return HELD
    except BrokenPipeError:
        return stop_printing()
    except OSError as error:
        why = with_addresses(str(error))
        print(
            f"the storage failed: {why}; nothing that was recorded is lost: mend it, then run the same command again",
            file=sys.stderr,
        )
        return STORAGE_FAILS
    except RayFailedError as error:
        print(error, file=sys.stderr)
        return RAY_FAILS
    except BaseException as error:
        if (stop := signal_behind(error)) is None:
            raise
        print(stopped_by(stop.number))
        return 128 + stop.number


class GoneError(Exception):
    """Something was taken out of the sweep's folder while its driver ran; the message says what, and what to do."""


@contextmanager
def _told_where_gone(folder: Path, lock: TextIO) -> Iterator[None]:
    """Whatever ends the block, if it was for want of the sweep's folder or of a file in it, is told as a GoneError.

    Args:
      lock: the file that this driver holds in the folder.
    """
    try:
        yield
    except BaseException as error:
        if is_copy(folder) or not (isinstance(error, OSError) or signal_behind(error)):
            raise
        if not is_held(folder, lock) and not (folder / "sweep.json").exists():
            raise GoneError(
                f"{folder}: the sweep's folder was deleted or moved while the sweep ran, with all that it held. If it "
                "was moved, name its new place, and the sweep goes on; if deleted, the same command begins a new one"
            ) from error
        if isinstance(error, FileNotFoundError) and _is_in(folder, error.filename):
            raise GoneError(
                f"{error.filename}: is not in the sweep's folder any more; put it back and run the same command again, "
                f"or `python -m search.check {folder}` says what is lost with it"
            ) from error
        raise


def _is_in(folder: Path, name: object) -> bool:
    return isinstance(name, str | os.PathLike) and Path(os.path.abspath(name)).is_relative_to(os.path.abspath(folder))


def _started(start: Callable[[], int]) -> int:
    from analysis.journal import ForeignWriterError
    from analysis.record import SweepError
    from datasets.manifest import DataError
    from trainable.files import DamagedError

    try:
        return start()
    except ForeignWriterError as error:
        raise HeldError(str(error)) from error
    except (ConfigError, DataError, SweepError, DamagedError) as error:
        print(with_addresses(str(error)), file=sys.stderr)
        return YOURS_TO_MEND
