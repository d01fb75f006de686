"""The results of a check: each has its place, the rule, what is there instead, the way out, and what stays lost."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sweep.search.checks.backup import Mend
from sweep.storage.files import DamagedError, remove

T = TypeVar("T")


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be; two inspections that find the same thing have equal findings.

    Attributes:
      place: a file, a folder, or the number of a trial.
      found: what is there.
      way_out: what to do; if there is a `mend`, what that does.
      rule: what must be there; empty if `found` says so.
      line: the line of the file, from 1; None if it has none.
      loss: what stays lost after mending; empty if nothing does.
      mend: what `--repair` does; None if it can do nothing. Findings with the same function are mended together.
      is_problem: False for something that a sweep can ignore when it continues.
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
        """Returns the finding as one line of text.

        Args:
          is_mended: whether `--repair` has mended it.
        """
        place = f"trial {self.place}" if isinstance(self.place, int) else str(self.place)
        place += "" if self.line is None else f":{self.line}"
        description = " ".join((f"{self.rule}, got {self.found}" if self.rule else self.found).split())
        loss = f"; lost: {self.loss}" if self.loss else ""
        if is_mended or not self.mend:
            return f"{place}: {description}; {self.way_out}{loss}"
        restore = "restore it from a backup, or " if self.loss else ""
        return f"{place}: {description}; {restore}`--repair`: {self.way_out}{loss}"


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turns errors that the block raises about this file into errors that name it.

    Raises:
      DamagedError: the file is damaged or missing.
      OSError: the storage fails.
    """
    try:
        yield
    except (DamagedError, MemoryError):
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise DamagedError(path, "missing") from None
    except Exception as error:  # parsers reject a file by more kinds of errors than can be listed
        if isinstance(error, OSError) and error.errno:
            raise
        raise DamagedError(path, str(error)) from None


def hold(path: Path, is_so: bool, rule: str, actual: object) -> None:
    """Checks a rule for a file.

    Raises:
      DamagedError: the rule does not hold.
    """
    if not is_so:
        raise DamagedError(path, f"damaged: {rule}, got {actual}")


@dataclass
class Inspection:
    """The result of inspecting a sweep's folder.

    Attributes:
      folder: the folder of the sweep.
      lost_before: the files that earlier repairs had to give up.
      findings: everything that is not as it must be.
      foreign: files that nothing in this project reads.
      words: what was inspected, with numbers.
    """

    folder: Path
    lost_before: set[Path]
    findings: list[Finding] = field(default_factory=list)
    foreign: list[Path] = field(default_factory=list)
    words: str = ""

    @property
    def problems(self) -> list[Finding]:
        """The findings that a sweep cannot ignore."""
        return [finding for finding in self.findings if finding.is_problem]

    def read(
        self, path: Path, read: Callable[[Path], T], note_error: Callable[[DamagedError], None], is_needed: bool = True
    ) -> T | None:
        """Returns the content of a file; if it cannot be trusted, returns None after `note_error` has noted why.

        Args:
          read: reads the file, and raises an error if something is wrong.
          note_error: adds the finding for the error.
          is_needed: False if the file may be missing.
        """
        try:
            with naming(path):
                return read(path)
        except DamagedError as error:
            if is_needed or os.path.lexists(path):
                note_error(error)
        return None

    def note(
        self,
        place: Path,
        description: str,
        way_out: str,
        mend: Mend | None = None,
        rule: str = "",
        is_problem: bool = True,
    ) -> None:
        """Adds a finding."""
        self.findings.append(Finding(place, description, way_out, rule, mend=mend, is_problem=is_problem))

    def note_left_over(self, path: Path, description: str, way_out: str = "removed, as by the next start") -> None:
        """Adds a finding for something that a repair removes without a copy, because nothing uses it."""
        self.note(path, f"left over: {description}", way_out, lambda _: remove(path), is_problem=False)

    def note_damage(self, error: DamagedError, way_out: str, mend: Mend | None = None, is_problem: bool = True) -> None:
        """Adds a finding for the error that a damaged file raised."""
        self.findings.append(
            Finding(error.path, error.found, way_out, line=error.line, mend=mend, is_problem=is_problem)
        )

    def do_without(self, error: DamagedError, loss: str) -> None:
        """Adds a finding for a file that cannot be restored and without which the sweep continues."""
        path, way_out = error.path, "the sweep goes on without it"
        if path in self.lost_before and not os.path.lexists(path):
            self.note(path, error.found, "an earlier repair went on without it", is_problem=False)
        else:
            self.findings.append(
                Finding(path, error.found, way_out, line=error.line, loss=loss, mend=lambda backup: backup.lose(path))
            )
