"""Where a repair puts what it changes or takes away, as it was before."""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

from sweep.storage.files import DamagedError, make_folder, read_json, save_bytes, written_whole
from sweep.storage.store import store_of

LOSSES = "losses.json"  # in a backup's folder: the files that its repair had to do without


class Backup:
    """The folder `backup-N` in the sweep's, made when it is first needed."""

    def __init__(self, sweep: Path) -> None:
        self.sweep = sweep
        folders = (sweep / f"backup-{number}" for number in count(1))
        self.folder = next(folder for folder in folders if not os.path.lexists(folder))
        self.lost: list[str] = []

    def copy(self, path: Path) -> None:
        """Copies a file that is about to be written anew, as it is before the repair's first write of it."""
        target = self.folder / path.relative_to(self.sweep)
        if path.is_file() and not target.exists():
            copy(path, target)

    def take(self, path: Path) -> None:
        """Moves a file, folder, link or pipe away, itself: nothing is read, and no link followed. Or nothing is there.

        Where it was moved before, so that there are two of them, the later one gets a `~`.
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
        """Moves away a file that nothing can bring back, and notes it so that a later check knows."""
        self.take(path)
        self.lost.append(str(path.relative_to(self.sweep)))
        make_folder(self.folder)
        save_bytes(self.folder / LOSSES, (json.dumps(self.lost, indent=1) + "\n").encode())


Mend = Callable[[Backup], None]  # what a repair does about a finding


def lost_before(sweep: Path) -> set[Path]:
    """Returns the files that earlier repairs had to do without."""
    found: set[Path] = set()
    for path in sweep.glob(f"backup-*/{LOSSES}"):
        with suppress(DamagedError, FileNotFoundError, TypeError):  # the last: it is no list of names
            found |= {sweep / name for name in read_json(path)}
    return found


def move_away(path: Path, then: Callable[[], None] = lambda: None) -> Mend:
    """Returns a mend that takes the file away and may write it anew `then`."""

    def mend(backup: Backup) -> None:
        backup.take(path)
        then()

    return mend


def copy(source: Path, path: Path) -> None:
    """Copies a file whole, into a folder that is made if need be."""
    make_folder(path.parent)
    with written_whole(path) as partial:
        shutil.copyfile(source, partial)
