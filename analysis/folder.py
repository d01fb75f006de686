"""The SWEEP of every command: a folder, or the address of one in a bucket. Imports nothing heavy."""

from pathlib import Path
from typing import Any

import click

from trainable import bucket

STORAGE_FAILS = 4


class StorageError(click.ClickException):
    exit_code = STORAGE_FAILS


class SweepFolder(click.ParamType):
    """A path; for an address that of a copy.

    Args:
      whole: the copy has all that the bucket has; else no more than the files of the folder itself.
    """

    name = "path"

    def __init__(self, whole: bool = True) -> None:
        self.whole = whole

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        try:
            folder = bucket.path_of(str(value))
            bucket.fetch(folder, self.whole)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        except OSError as error:
            raise StorageError(f"{value}: {error}") from error
        return folder
