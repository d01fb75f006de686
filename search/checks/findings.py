"""What a check finds, and where a repair puts what it takes away."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from storage import bucket
from storage.files import DamagedError, make_folder, read_json, remove, written_whole

LOSSES = "losses.json"  # in a backup's folder: the files that its repair had to do without


class Backup:
    """Where a repair puts the files as they were: `backup-N` in the sweep's folder, made when it is first needed."""

    def __init__(self, sweep: Path) -> None:
        self.sweep = sweep
        number = 1
        while os.path.lexists(sweep / f"backup-{number}"):
            number += 1
        self.folder = sweep / f"backup-{number}"
        self.lost: list[str] = []

    def copy(self, path: Path) -> None:
        """Of a file that is about to be written anew; what it was before the repair's first write of it."""
        target = self.folder / path.relative_to(self.sweep)
        if path.is_file() and not target.exists():
            make_folder(target.parent)
            with written_whole(target) as partial:
                shutil.copyfile(path, partial)

    def take(self, path: Path) -> None:
        """Moves a file, folder, link or pipe away, itself: nothing is read, and no link followed."""
        target = self.folder / path.relative_to(self.sweep)
        while os.path.lexists(target):
            target = target.with_name(target.name + "~")
        make_folder(target.parent)
        bucket.move(path, target)
        path.rename(target)

    def do_without(self, path: Path) -> None:
        """Notes a file that is lost, so that a later check knows."""
        self.lost.append(str(path.relative_to(self.sweep)))
        make_folder(self.folder)
        with written_whole(self.folder / LOSSES) as partial:
            partial.write_text(json.dumps(self.lost, indent=1) + "\n", encoding="utf-8")


def known_losses(sweep: Path) -> set[Path]:
    """The files that earlier repairs had to do without."""
    found: set[Path] = set()
    for path in sweep.glob(f"backup-*/{LOSSES}"):
        try:
            names = read_json(path)
        except (DamagedError, FileNotFoundError):
            continue
        if isinstance(names, list):
            found |= {sweep / name for name in names if isinstance(name, str)}
    return found


Mend = Callable[[Backup], None]  # what a repair does about a finding


def move_away(path: Path) -> Mend:
    return lambda backup: backup.take(path)


def remove_left_over(path: Path) -> Mend:
    """Without a copy: nothing counts on it."""
    return lambda _: remove(path)


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be.

    Attributes:
      place: a file, with its line where it has lines, or a trial.
      found: the rule, and what was found.
      way_out: what to do; where there is a `mend`, what that does.
      loss: what stays lost when it is mended; empty where nothing does.
      mend: what `--repair` does; None where it can do nothing. Findings with the same one are mended together.
      is_problem: False for what a sweep goes on with as if it were not there.
    """

    place: str | Path
    found: str
    way_out: str
    loss: str = ""
    mend: Mend | None = None
    is_problem: bool = True

    def line(self, is_mended: bool = False) -> str:
        lost = f"; lost: {self.loss}" if self.loss else ""
        if is_mended or not self.mend:
            return f"{self.place}: {self.found}; {self.way_out}{lost}"
        restore = "restore it from a backup, or " if self.loss else ""
        return f"{self.place}: {self.found}; {restore}`--repair`: {self.way_out}{lost}"


def of(error: Exception) -> str:
    """What an error says of a file, without its name, which is the finding's place."""
    words = error.found if isinstance(error, DamagedError) else str(error)
    line = f"line {error.line}: " if isinstance(error, DamagedError) and error.line else ""
    return line + " ".join(words.split())


def without(path: Path, found: str, loss: str, gone: set[Path]) -> Finding:
    """For a file that nothing can bring back: moved away where it is there, and the sweep goes on without it.

    Args:
      gone: what earlier repairs did so with.
    """

    def mend(backup: Backup) -> None:
        if os.path.lexists(path):
            backup.take(path)
        backup.do_without(path)

    is_known = path in gone and not os.path.lexists(path)
    if is_known:
        return Finding(path, found, "an earlier repair went on without it", is_problem=False)
    return Finding(path, found, "the sweep goes on without it", loss, mend)
