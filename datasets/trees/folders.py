"""A folder and everything below it, without following links that lead out of it."""

import os
import stat
from pathlib import Path

from sweep.datasets.problems import DataError, Problem, printable
from sweep.datasets.trees import LEAVES_FOLDER, NO_FILE, TO_A_FOLDER, TO_NOTHING, Store
from sweep.datasets.trees.regions import FileRegion, OpenFiles, Region


class Folder(Store):
    """The files below a folder; empty until `list_all`, `add` or `add_target` is called.

    Attributes:
      stamps: the state of each file: device, inode, bytes, and the times of the last change of its content and of its
        entry, ns.
    """

    def __init__(self, path: str | os.PathLike[str], place: str, open_files: OpenFiles) -> None:
        super().__init__()
        self.files: dict[str, int] = {}
        self.stamps: dict[str, tuple[int, ...]] = {}
        self._links: dict[str, str] = {}  # for each link, the file inside the folder that it leads to
        self._root, self._place, self._open_files = os.path.realpath(path), place, open_files

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

    def add(self, name: str, status: os.stat_result) -> None:
        """Adds a file with this name and state."""
        self.files[name] = status.st_size
        self.stamps[name] = stamp(status)

    def add_target(self, path: Path, status: os.stat_result) -> None:
        """Adds the one file that the user named; if it is a link, the file that it leads to."""
        target = os.path.realpath(path)
        self._root = os.path.dirname(target)
        self._links[path.name] = os.path.basename(target)
        self.add(path.name, status)

    def _list_link(self, name: str) -> None:
        """Adds the file that a link leads to, or the reason why it is refused."""
        target = os.path.realpath(os.path.join(self._root, name))
        if os.path.commonpath([self._root, target]) != self._root:
            self.refused[name] = LEAVES_FOLDER
        elif os.path.isfile(target):
            self._links[name] = os.path.relpath(target, self._root)
            self.add(name, os.stat(target))
        else:
            self.refused[name] = TO_A_FOLDER if os.path.isdir(target) else TO_NOTHING

    def read(self, name: str, count: int) -> bytes:
        """Returns the first `count` bytes of a file and one more, or all if it has fewer."""
        path = os.path.join(self._root, name)
        with open(path, "rb", opener=lambda _, flags: self._open(name, flags)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError("no regular file any more")
            return file.read(count + 1)

    def region(self, name: str) -> Region:
        """Returns a file as a region."""
        return FileRegion(lambda: self._open(name, os.O_RDONLY | os.O_CLOEXEC), self.stamps[name], self._open_files)

    def _open(self, name: str, flags: int) -> int:
        """Opens a file without following links or waiting for a pipe.

        Either may have been put there after the folder was listed. It opens one folder after the other, so that no part
        of the path can be a link.
        """
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK
        *folders, file = self._links.get(name, name).split("/")
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for folder in folders:
                inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            return os.open(file, flags, dir_fd=descriptor)
        finally:
            os.close(descriptor)


def stamp(status: os.stat_result) -> tuple[int, ...]:
    """Returns the state of a file: device, inode, bytes, and when its content and its entry last changed, ns."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
