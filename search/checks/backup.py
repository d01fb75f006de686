"""The backup into which a repair puts everything that it changes or removes."""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

from sweep.storage.files import DamagedError, make_folder, read_json, save_bytes, written_whole
from sweep.storage.store import store_of

LOSSES = "losses.json"  # in a backup's folder; lists the files that its repair had to give up


class Backup:
    """A folder `backup-N` in the sweep's folder, which is made when it is first needed."""

    def __init__(self, sweep: Path) -> None:
        self.sweep = sweep
        folders = (sweep / f"backup-{number}" for number in count(1))
        self.folder = next(folder for folder in folders if not os.path.lexists(folder))
        self.losses: list[str] = []

    def copy(self, path: Path) -> None:
        """Copies a file before the repair writes it for the first time."""
        target = self.folder / path.relative_to(self.sweep)
        if path.is_file() and not target.exists():
            copy(path, target)

    def take(self, path: Path) -> None:
        """Moves a file, folder, link or pipe into the backup, if it is there, without reading it or following a link.

        If the backup already has one with that name, a `~` is added to the name of this one.
        """
        if not os.path.lexists(path):
            return
        target = self.folder / path.relative_to(self.sweep)
        while os.path.lexists(target):
            target = target.with_name(target.name + "~")
        make_folder(target.parent)
        store_of(path).move(path, target)
        path.rename(target)

    def lose(self, path: Path) -> None:
        """Moves away a file that cannot be restored, and notes this for later checks."""
        self.take(path)
        self.losses.append(str(path.relative_to(self.sweep)))
        make_folder(self.folder)
        save_bytes(self.folder / LOSSES, (json.dumps(self.losses, indent=1) + "\n").encode())


Mend = Callable[[Backup], None]  # the action of a repair for a finding


def lost_before(sweep: Path) -> set[Path]:
    """Returns the files that earlier repairs had to give up."""
    files: set[Path] = set()
    for path in sweep.glob(f"backup-*/{LOSSES}"):
        with suppress(DamagedError, FileNotFoundError, TypeError):  # TypeError: the content is no list of names
            files |= {sweep / name for name in read_json(path)}
    return files


def move_away(path: Path, restore: Callable[[], None] = lambda: None) -> Mend:
    """Returns a mend that moves the file into the backup and then calls `restore`, which may write it anew."""

    def mend(backup: Backup) -> None:
        backup.take(path)
        restore()

    return mend


def copy(source: Path, path: Path) -> None:
    """Copies a file as a whole, and makes the target's folder if needed."""
    make_folder(path.parent)
    with written_whole(path) as partial:
        shutil.copyfile(source, partial)
