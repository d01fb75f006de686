"""What the commands share: the SWEEP argument, the exit codes, and how a command ends as a process.

Imports nothing heavy, so that a second driver of a sweep is refused at once.
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
    """How a command ends; a signal that ends it gives 128 and its number, as in a shell."""

    WELL = 0
    YOURS_TO_MEND = 2  # also what click ends with where an option is wrong
    NO_TRIAL_COMPLETED = 3
    STORAGE_FAILS = 4  # what the sweep stands on is gone: its storage, or Ray
    BUDGET_REACHED = 5
    HELD = 75  # another driver holds the sweep; EX_TEMPFAIL of sysexits.h


class StorageError(click.ClickException):
    """The storage that a SWEEP lies in cannot be read."""

    exit_code = Exit.STORAGE_FAILS


class SweepFolder(click.ParamType):
    """The SWEEP of every command: a path, or the address of a folder in a bucket, which becomes the path of a copy.

    Args:
      whole: the copy has all that the bucket has; else no more than the files of the folder itself.
    """

    name = "path"

    def __init__(self, whole: bool = True) -> None:
        self.whole = whole

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
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
    """FILE.py:OBJECT, a file of the user's that may run: a sweep alone, which knows its name, does not make it run."""

    name = "file.py:object"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return user_code.name(str(value), "")
        except UserError as error:
            self.fail(str(error), param, ctx)


class NameOrOwn(click.Choice):
    """One of these names, or FILE.py:OBJECT of the user's.

    Args:
      is_another: returns whether a value is accepted that is none of the names.
    """

    def __init__(self, names: Sequence[str], is_another: Callable[[str], bool] = user_code.is_reference) -> None:
        super().__init__(names)
        self.is_another = is_another

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if self.is_another(str(value)) else super().convert(value, param, ctx)


runs_own_code = click.option(
    "--code",
    type=OwnCode(),
    multiple=True,
    expose_value=False,
    metavar="FILE.py:OBJECT",
    help="A model, metric or transform of yours that the sweep was begun with.",
)


def without_password(url: str, command: str) -> str:
    """Returns the URL of a database as it may be written down; a password in it goes on in PGPASSWORD alone.

    Every list of processes and Ray's own logs show a command's words, so the command is
    begun anew without it.

    Args:
      command: the name of the command, which is begun anew.

    Raises:
      UserError: it is no URL of a PostgreSQL database; the message does not repeat it.
    """
    if not url:
        return url
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme == "postgresql" and parts.hostname and parts.path.strip("/") and parts.port != 0
    except ValueError:  # of the port, or of brackets
        is_whole = False
    if not is_whole or parts.query or parts.fragment or "@" in parts.path:  # as after a password with a slash in it
        rule = "must be postgresql://[USER@]HOST[:PORT]/DATABASE, special characters percent-encoded"
        raise UserError(f"--ledger: {rule}; the password is best left to PGPASSWORD or ~/.pgpass")
    if parts.password is None:
        return url
    if parts.password:
        os.environ["PGPASSWORD"] = unquote(parts.password)
    clean = url.replace(f":{parts.password}@", "@", 1)
    words = [word.replace(url, clean) for word in sys.argv[1:]]
    if words != sys.argv[1:]:
        os.execv(sys.executable, [sys.executable, "-m", MODULES[command], *words])  # noqa: S606 (this program itself)
    return clean


def check_out(out: Path, spared: Mapping[Path, str]) -> None:
    """Checks that a command may write the file that its --out names.

    Args:
      spared: the places in which no file may be replaced; each says what such a file is ("a file of the data").

    Raises:
      UserError: it may not.
    """
    if not out.parent.is_dir():
        raise UserError(f"--out {out}: its folder does not exist; make it first")
    if out.is_dir():
        raise UserError(f"--out {out}: is a folder; give the name of a file")
    there = out.resolve()
    for place, what in spared.items():
        if there.exists() and there.is_relative_to(place.resolve()):
            raise UserError(f"--out {out}: is {what}; give another name")


@contextmanager
def exit_codes(sweep: Path | None = None) -> Iterator[None]:
    """What the user has to mend in the block, and a storage that fails, end the process with its code and a message.

    Args:
      sweep: the folder of the sweep that the command is about.
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
    """Runs a command as this process, and ends it without unmaking its modules, which takes two seconds after torch."""
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
        with suppress(OSError):  # whoever read it is gone
            stream.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)
