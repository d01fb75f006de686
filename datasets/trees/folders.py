"""A folder: what is below it, without any link that leads out."""

import os
import stat
from pathlib import Path

from sweep.datasets.problems import DataError, Problem, printable
from sweep.datasets.trees import LEAVES_FOLDER, NO_FILE, TO_A_FOLDER, TO_NOTHING, Store
from sweep.datasets.trees.regions import FileRegion, Held, Region


class Folder(Store):
    """The files below a folder; it has none before `list_all` or `add`.

    Attributes:
      stamps: the state of each file: its device, its number there, bytes, and when its content and its entry changed
        last, ns.
    """

    def __init__(self, path: str | os.PathLike[str], place: str, held: Held) -> None:
        super().__init__()
        self.files: dict[str, int] = {}
        self.stamps: dict[str, tuple[int, ...]] = {}
        self._links: dict[str, str] = {}  # the file that each link within the folder leads to
        self._root, self._place, self._held = os.path.realpath(path), place, held

    def list_all(self) -> None:
        """Lists everything below the folder.

        Raises:
          DataError: a folder cannot be read.
        """
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(os.path.join(self._root, folder)) as entries:
                    for entry in entries:
                        name = folder + entry.name
                        if entry.is_dir(follow_symlinks=False):
                            self.folders.add(name)
                            folders.append(f"{name}/")
                        elif entry.is_symlink():
                            self._list_link(name)
                        elif entry.is_file(follow_symlinks=False):
                            self.add(name, entry.stat(follow_symlinks=False))
                        else:
                            self.refused[name] = NO_FILE
            except OSError as error:
                place, got = f"{self._place}/{printable(folder)}", error.strerror or ""
                raise DataError([Problem(place, "folder must be readable", got, "check its rights")]) from error

    def add(self, name: str, found: os.stat_result) -> None:
        self.files[name] = found.st_size
        self.stamps[name] = stamp(found)

    def add_target(self, path: Path, found: os.stat_result) -> None:
        """Adds the one file that the user names, wherever it leads if it is a link."""
        target = os.path.realpath(path)
        self._root = os.path.dirname(target)
        self._links[path.name] = os.path.basename(target)
        self.add(path.name, found)

    def _list_link(self, name: str) -> None:
        target = os.path.realpath(os.path.join(self._root, name))
        if os.path.commonpath([self._root, target]) != self._root:
            self.refused[name] = LEAVES_FOLDER
        elif os.path.isfile(target):
            self._links[name] = os.path.relpath(target, self._root)
            self.add(name, os.stat(target))
        else:
            self.refused[name] = TO_A_FOLDER if os.path.isdir(target) else TO_NOTHING

    def read(self, name: str, count: int) -> bytes:
        """Returns so many bytes of a file and one more, or as many as it has."""
        path = os.path.join(self._root, name)
        with open(path, "rb", opener=lambda _, flags: self._open(name, flags)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError("no regular file any more")
            return file.read(count + 1)

    def region(self, name: str) -> Region:
        return FileRegion(lambda: self._open(name, os.O_RDONLY | os.O_CLOEXEC), self.stamps[name], self._held)

    def _open(self, name: str, flags: int) -> int:
        """Goes down folder by folder, following no link and waiting for no pipe: the listing may be out of date."""
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK
        *folders, file = self._links.get(name, name).split("/")
        place = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for folder in folders:
                inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=place)
                os.close(place)
                place = inner
            return os.open(file, flags, dir_fd=place)
        finally:
            os.close(place)


def stamp(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
