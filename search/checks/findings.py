"""What a check finds: each thing with its place, the rule, what is there instead, the way out and what stays lost."""

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


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Makes what the block raises about this file an error that names it.

    Raises:
      DamagedError: it is damaged, or not there.
      OSError: the storage fails.
    """
    try:
        yield
    except (DamagedError, MemoryError):
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise DamagedError(path, "missing") from None
    except Exception as error:  # parsers have more ways than can be listed to say that a file is none of theirs
        if isinstance(error, OSError) and error.errno:
            raise
        raise DamagedError(path, str(error)) from None


def hold(path: Path, is_so: bool, rule: str, found: object) -> None:
    """Raises:
    DamagedError: the rule does not hold for the file.
    """
    if not is_so:
        raise DamagedError(path, f"damaged: {rule}, got {found}")


@dataclass
class Inspection:
    """What was found in a sweep's folder.

    Attributes:
      lost_before: the files that earlier repairs had to do without.
      foreign: files that nothing here reads.
      words: what was looked at, with numbers.
    """

    folder: Path
    lost_before: set[Path]
    findings: list[Finding] = field(default_factory=list)
    foreign: list[Path] = field(default_factory=list)
    words: str = ""

    @property
    def problems(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.is_problem]

    def read(
        self, path: Path, read: Callable[[Path], T], otherwise: Callable[[DamagedError], None], is_needed: bool = True
    ) -> T | None:
        """Returns what a file says; None where it cannot be trusted, of which `otherwise` makes a finding.

        Args:
          is_needed: False where it may be missing.
        """
        try:
            with naming(path):
                return read(path)
        except DamagedError as error:
            if is_needed or os.path.lexists(path):
                otherwise(error)
        return None

    def note(
        self, place: Path, found: str, way_out: str, mend: Mend | None = None, rule: str = "", is_problem: bool = True
    ) -> None:
        self.findings.append(Finding(place, found, way_out, rule, mend=mend, is_problem=is_problem))

    def note_left_over(self, path: Path, what: str, way_out: str = "removed, as by the next start") -> None:
        """Notes what a repair removes without a copy, for nothing counts on it."""
        self.note(path, f"left over: {what}", way_out, lambda _: remove(path), is_problem=False)

    def note_damage(self, error: DamagedError, way_out: str, mend: Mend | None = None, is_problem: bool = True) -> None:
        """Notes what an error says of a file."""
        self.findings.append(
            Finding(error.path, error.found, way_out, line=error.line, mend=mend, is_problem=is_problem)
        )

    def do_without(self, error: DamagedError, loss: str) -> None:
        """Notes a file that nothing can bring back: the sweep goes on without it."""
        path, way_out = error.path, "the sweep goes on without it"
        if path in self.lost_before and not os.path.lexists(path):
            self.note(path, error.found, "an earlier repair went on without it", is_problem=False)
        else:
            self.findings.append(
                Finding(path, error.found, way_out, line=error.line, loss=loss, mend=lambda backup: backup.lose(path))
            )
