"""What a check finds: each thing with its place, the rule, what is there instead, the way out and what stays lost."""

import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from search.checks.backup import Backup, Mend
from storage.files import DamagedError


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be; two looks that find the same have equal ones.

    Attributes:
      place: a file, a folder, or the number of a trial.
      found: what is there.
      way_out: what to do; where there is a `mend`, what that does.
      rule: what must be there; empty where `found` says it.
      line: of the file, from 1; None where it has none.
      loss: what stays lost when it is mended; empty where nothing does.
      mend: what `--repair` does; None where it can do nothing. Findings with the same one are mended together.
      is_problem: False for what a sweep goes on with as if it were not there.
    """

    place: Path | int
    found: str
    way_out: str
    rule: str = ""
    line: int | None = None
    loss: str = ""
    mend: Mend | None = field(default=None, compare=False)
    is_problem: bool = True

    def text(self, is_mended: bool = False) -> str:
        """Returns it in one line of words."""
        place = f"trial {self.place}" if isinstance(self.place, int) else str(self.place)
        place += "" if self.line is None else f":{self.line}"
        found = " ".join((f"{self.rule}, got {self.found}" if self.rule else self.found).split())
        lost = f"; lost: {self.loss}" if self.loss else ""
        if is_mended or not self.mend:
            return f"{place}: {found}; {self.way_out}{lost}"
        restore = "restore it from a backup, or " if self.loss else ""
        return f"{place}: {found}; {restore}`--repair`: {self.way_out}{lost}"


class MissingError(DamagedError):
    """A file that must be there is not."""


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Makes what the block raises about this file an error that names it.

    Raises:
      MissingError: it is not there.
      DamagedError: it is damaged.
    """
    try:
        yield
    except DamagedError:
        raise
    except FileNotFoundError:
        raise MissingError(path, "missing") from None
    except (ValueError, csv.Error) as error:
        raise DamagedError(path, str(error)) from None


def hold(path: Path, is_so: bool, rule: str, found: object) -> None:
    """Raises:
    DamagedError: the rule does not hold for the file.
    """
    if not is_so:
        raise DamagedError(path, f"damaged: {rule}, got {found}")


def damaged(error: DamagedError, way_out: str, mend: Mend | None = None, is_problem: bool = True) -> Finding:
    """Returns what an error says of a file as a finding."""
    return Finding(error.path, error.found, way_out, line=error.line, mend=mend, is_problem=is_problem)


def do_without(error: DamagedError, loss: str, lost_before: set[Path]) -> Finding:
    """Returns the finding for a file that nothing can bring back: the sweep goes on without it.

    Args:
      lost_before: the files that earlier repairs did so with.
    """
    path = error.path

    def mend(backup: Backup) -> None:
        backup.take(path)
        backup.note_loss(path)

    if path in lost_before and not os.path.lexists(path):
        return Finding(path, error.found, "an earlier repair went on without it", is_problem=False)
    return Finding(path, error.found, "the sweep goes on without it", line=error.line, loss=loss, mend=mend)
