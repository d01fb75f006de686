"""A folder or a .zip as a flat list of files that cannot lead out of it."""

import os
import stat
import struct
import time
import zipfile
import zlib
from pathlib import Path

from datasets.manifest import DataError, printable, shown
from datasets.text import counted

BROKEN = (OSError, zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error, struct.error, ValueError)
MAX_FILE_BYTES = 256 << 20


class Source:
    """The files of a data set. Reading is safe from several threads.

    Attributes:
      path: as messages show it.
      files: bytes of each file by its relative name, `/` between the parts, sorted.
      folders: the relative names of the folders; of a .zip, those that it lists.
      refused: why, by name, for what is there but is not read: links, devices.
      stamps: the state of each file (of a .zip: of the .zip), by which it is known to be as it was: its device, its
        number there, bytes, and when its content and its entry changed last, ns.
      listed_at: when the listing began, on `time.time()`.

    Raises:
      DataError: `path` does not exist, or is neither a folder nor a whole, open .zip with names that stay in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = printable(str(path))
        self.files: dict[str, int] = {}
        self.folders: set[str] = set()
        self.refused: dict[str, str] = {}
        self.stamps: dict[str, tuple[int, ...]] = {}
        self.listed_at = time.time()
        self._links: dict[str, str] = {}  # the file that each link within the folder leads to
        self._zip: zipfile.ZipFile | None = None
        try:
            found = os.stat(path)
        except (OSError, ValueError) as error:
            got = f"nothing there ({error.strerror if isinstance(error, OSError) else error})"
            raise DataError([f"{self.path}: data must be a folder or a .zip, got {got}; check the path"]) from error
        mode = found.st_mode
        if stat.S_ISDIR(mode):
            self._root = os.path.realpath(path)
            self._list_folder()
        elif stat.S_ISREG(mode):
            self.stamps[""] = _stamp(found)
            self._list_zip(path)
        else:
            raise DataError([f"{self.path}: data must be a folder or a .zip, got a pipe or a device; check the path"])
        self.files = dict(sorted(self.files.items()))

    def _list_folder(self) -> None:
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
                            self._add(name, entry.stat(follow_symlinks=False))
                        else:
                            self.refused[name] = "is no regular file (a pipe or a device)"
            except OSError as error:
                rule = f"folder must be readable, got {error.strerror}; check its rights"
                raise DataError([f"{self.path}/{printable(folder)}: {rule}"]) from error

    def _add(self, name: str, found: os.stat_result) -> None:
        self.files[name] = found.st_size
        self.stamps[name] = _stamp(found)

    def _list_link(self, name: str) -> None:
        target = os.path.realpath(os.path.join(self._root, name))
        if os.path.commonpath([self._root, target]) != self._root:
            self.refused[name] = "is a link that leaves the folder"
        elif os.path.isfile(target):
            self._links[name] = os.path.relpath(target, self._root)
            self._add(name, os.stat(target))
        else:
            self.refused[name] = "is a link to no file (to a folder, to itself or to nothing)"

    def _list_zip(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except BROKEN as error:
            got = f"a file that is neither ({error})"
            rule = "data must be a folder or a whole .zip"
            raise DataError([f"{self.path}: {rule}, got {got}; give the folder, or fetch the .zip again"]) from error
        problems = []
        for member in self._zip.infolist():
            name = member.filename
            if not name or name.startswith("/") or ".." in name.split("/"):
                problems.append(f"{self.path}: names in a zip must stay in it, got {shown(name)}; pack it again")
            elif name.endswith("/"):
                self.folders.add(name.rstrip("/"))
            elif member.flag_bits & 1:
                problems.append(f"{self.path}: zip must not be encrypted, got {shown(name)} encrypted; unpack it")
            elif name in self.files:
                problems.append(f"{self.path}: names in a zip must be unique, got {shown(name)} twice; pack it again")
            elif stat.S_ISLNK(member.external_attr >> 16):
                self.refused[name] = "is a link"
            elif member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # Python unpacks the other kinds without a limit, whatever size the zip declares.
                self.refused[name] = "is packed in another way than deflate"
            else:
                self.files[name] = member.file_size
        if problems:
            self.close()
            raise DataError(problems)

    def holds(self, name: str) -> bool:
        """Whether anything has this name, readable or not."""
        return name in self.files or name in self.refused or name in self.folders

    def why_not(self, name: str) -> str:
        """Why a name is not one of `files`."""
        return self.refused.get(name) or ("is a folder" if name in self.folders else "is not there")

    def read(self, name: str) -> bytes:
        """The bytes of one of `files`.

        Raises:
          ValueError: it cannot be read, or is not as it was listed; the message is the rule and what was found.
        """
        size = self.files[name]
        if size > MAX_FILE_BYTES:
            raise ValueError(f"must have at most {MAX_FILE_BYTES >> 20} MiB, got {size >> 20}")
        try:
            data = self._read_member(name, size) if self._zip else self._read_file(self._links.get(name, name), size)
        except BROKEN as error:
            got = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise ValueError(f"must be readable, got {got}") from error
        if len(data) != size:
            got = "more" if len(data) > size else f"{len(data):,}"
            raise ValueError(f"must have the {counted(size, 'byte')} that it is listed with, got {got}")
        return data

    def _read_member(self, name: str, size: int) -> bytes:
        assert self._zip is not None
        with self._zip.open(name) as member:
            return member.read(size)  # never more than declared, however much is packed; then the checksum is compared

    def _read_file(self, name: str, size: int) -> bytes:
        path = os.path.join(self._root, name)
        with open(path, "rb", opener=lambda _, flags: self._open(name, flags)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError("no regular file any more")
            return file.read(size + 1)

    def _open(self, name: str, flags: int) -> int:
        """Goes down folder by folder, following no link and waiting for no pipe: the listing may be out of date."""
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK
        *folders, file = name.split("/")
        place = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for folder in folders:
                inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=place)
                os.close(place)
                place = inner
            return os.open(file, flags, dir_fd=place)
        finally:
            os.close(place)

    def close(self) -> None:
        if self._zip:
            self._zip.close()

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _stamp(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
