"""The code that all commands share: the SWEEP argument, the exit codes, and how a command ends as a process.

This module imports nothing heavy, so that a second driver of a sweep is refused at once.
"""

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import IntEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import click

from sweep.storage import user_code
from sweep.storage.bucket import open_place
from sweep.storage.errors import UserError
from sweep.storage.programs import MODULES
from sweep.storage.store import store_of
from sweep.storage.text import stop_printing, use_utf8


class Exit(IntEnum):
    """The exit codes of the commands. A command that a signal ends has 128 plus the signal's number, as in a shell."""

    WELL = 0
    YOURS_TO_MEND = 2  # click ends with the same code when an option is wrong
    NO_TRIAL_COMPLETED = 3
    STORAGE_FAILS = 4  # the sweep cannot continue because its storage, or Ray, is gone
    BUDGET_REACHED = 5
    HELD = 75  # another driver holds the sweep; this is EX_TEMPFAIL of sysexits.h


class StorageError(click.ClickException):
    """The storage that holds a SWEEP cannot be read."""

    exit_code = Exit.STORAGE_FAILS


class SweepFolder(click.ParamType):
    """The type of the argument SWEEP that every command takes.

    The user gives a path, or the address of a folder in a bucket. An address becomes the path of a local copy.

    Args:
      whole: whether the copy has everything in the folder of the bucket; otherwise it has only the files that lie
        directly in that folder.
    """

    name = "path"

    def __init__(self, whole: bool = True) -> None:
        self.whole = whole

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Returns the path of the sweep's folder, after fetching the copy if it lies in a bucket."""
        try:
            folder = open_place(str(value))
            if ctx is not None:
                ctx.call_on_close(store_of(folder).close)
            store_of(folder).fetch(folder, self.whole)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        except OSError as error:
            raise StorageError(f"{value}: {error}") from error
        return folder


class OwnCode(click.ParamType):
    """The type of an option FILE.py:OBJECT, with which the user permits that this file runs.

    A sweep keeps the names of such files, but a file never runs only because a sweep names it.
    """

    name = "file.py:object"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Runs the file and returns the reference with the absolute path of the file."""
        try:
            return user_code.name(str(value), "")
        except UserError as error:
            self.fail(str(error), param, ctx)


class NameOrOwn(click.Choice):
    """The type of an option that takes one of some names, or a FILE.py:OBJECT of the user's.

    Args:
      names: the names that are accepted.
      is_another: returns whether a value that is none of the names is accepted as well.
    """

    def __init__(self, names: Sequence[str], is_another: Callable[[str], bool] = user_code.is_reference) -> None:
        super().__init__(names)
        self.is_another = is_another

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the value unchanged if it is accepted; click refuses any other."""
        return value if self.is_another(str(value)) else super().convert(value, param, ctx)


runs_own_code = click.option(
    "--code",
    type=OwnCode(),
    multiple=True,
    expose_value=False,
    metavar="FILE.py:OBJECT",
    help="A model, metric or transform of your own that the sweep uses; its file may run.",
)


def without_password(url: str, command: str) -> str:
    """Returns the URL of a database without its password, so that it may be written down.

    A password in the URL is moved to the environment variable PGPASSWORD. Since every list of processes and Ray's own
    logs show the words of a command, this process is then replaced by the same command without the password.

    Args:
      url: the value of --ledger; may be empty.
      command: the name of the command that runs, a key of `programs.MODULES`.

    Raises:
      UserError: `url` is not the URL of a PostgreSQL database; the message does not repeat it.
    """
    if not url:
        return url
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme == "postgresql" and parts.hostname and parts.path.strip("/") and parts.port != 0
    except ValueError:  # the port is no number, or brackets do not match
        is_whole = False
    if not is_whole or parts.query or parts.fragment or "@" in parts.path:  # a slash in the password moves the @ there
        rule = "must be postgresql://[USER@]HOST[:PORT]/DATABASE, special characters percent-encoded"
        raise UserError(f"--ledger: {rule}; the password is best left to PGPASSWORD or ~/.pgpass")
    if parts.password is None:
        return url
    if parts.password:
        os.environ["PGPASSWORD"] = unquote(parts.password)
    clean = url.replace(f":{parts.password}@", "@", 1)
    words = [word.replace(url, clean) for word in sys.argv[1:]]
    if words != sys.argv[1:]:
        os.execv(sys.executable, [sys.executable, "-m", f"sweep.{MODULES[command]}", *words])  # noqa: S606 (this program itself)
    return clean


def check_out(out: Path, protected_paths: Mapping[Path, str]) -> None:
    """Checks that a command may write the file that its --out names.

    Args:
      out: the path that --out names.
      protected_paths: the folders and files in which nothing may be replaced, each with the words for it in the
        message, for example "a file of the data".

    Raises:
      UserError: the folder of `out` does not exist, `out` is a folder, or it would replace a protected file.
    """
    if not out.parent.is_dir():
        raise UserError(f"--out {out}: its folder does not exist; make it first")
    if out.is_dir():
        raise UserError(f"--out {out}: is a folder; give the name of a file")
    target = out.resolve()
    for place, words in protected_paths.items():
        if target.exists() and target.is_relative_to(place.resolve()):
            raise UserError(f"--out {out}: is {words}; give another name")


@contextmanager
def exit_codes(sweep: Path | None = None) -> Iterator[None]:
    """Turns errors in the block into a one-line message and the exit code that goes with it.

    It does so for whatever the user has to mend (`UserError`), for a storage that fails (`OSError`), and for an output
    that nobody reads any more. Other exceptions are bugs and keep their traceback.

    Args:
      sweep: the folder of the sweep that the command works on; the message shows the address of its bucket in the
        place of the path of the copy.
    """
    try:
        yield
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(stop_printing())
    except OSError as error:
        print(store_of(sweep).shown(str(error)) if sweep else error, file=sys.stderr)
        sys.exit(Exit.STORAGE_FAILS)


def program(command: Callable[[], Any]) -> None:
    """Runs a command and ends this process with its exit code.

    The process ends without Python's usual cleaning up of modules, which takes two seconds once torch is imported.
    """
    code: Any = 0
    use_utf8()
    try:
        command()
    except SystemExit as end:
        code = end.code
    except BrokenPipeError:
        code = stop_printing()
    except BaseException:
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # whoever read the output may be gone
            stream.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)
