"""A folder or a .zip as a flat list of files that cannot lead out of it."""

import os
import stat
import zipfile
import zlib
from pathlib import Path

from datasets.manifest import DataError, shown

BROKEN_MEMBER = (OSError, zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error)
MAX_FILE_BYTES = 256 << 20


class Source:
    """The files of a data set. Reading is safe from several threads.

    Attributes:
      path: as it was given, for messages.
      files: bytes of each file by its relative name, `/` between the parts, sorted.
      refused: why, by name, for what is there but is not read: links, devices, names that lead out.

    Raises:
      DataError: `path` does not exist, or is neither a folder nor a whole, open .zip.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: dict[str, int] = {}
        self.refused: dict[str, str] = {}
        self._zip: zipfile.ZipFile | None = None
        if path.is_dir():
            self._root = path.resolve()
            self._list_folder(self._root)
        elif path.is_file():
            self._list_zip()
        else:
            raise DataError([f"{path}: data must be a folder or a .zip, got nothing there; check the path"])
        self.files = dict(sorted(self.files.items()))

    def _list_folder(self, folder: Path) -> None:
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            raise DataError([f"{folder}: folder must be readable, got {error.strerror}; check its rights"]) from error
        for entry in entries:
            path = Path(entry.path)
            name = path.relative_to(self._root).as_posix()
            if entry.is_dir(follow_symlinks=False):
                self._list_folder(path)
            elif not Path(os.path.realpath(path)).is_relative_to(self._root):
                self.refused[name] = "is a link that leaves the folder"
            elif os.path.isfile(path):
                self.files[name] = entry.stat().st_size
            else:
                self.refused[name] = "is no regular file (a device, or a link to a folder or to nothing)"

    def _list_zip(self) -> None:
        try:
            self._zip = zipfile.ZipFile(self.path)
        except (*BROKEN_MEMBER, ValueError) as error:
            rule = "data must be a folder or a whole .zip"
            raise DataError([f"{self.path}: {rule}, got a file that is neither ({error}); fetch it again"]) from error
        problems = []
        for member in self._zip.infolist():
            name = member.filename
            if member.is_dir():
                continue
            if member.flag_bits & 1:
                raise DataError([f"{self.path}: zip must not be encrypted, got {shown(name)} encrypted; unpack it"])
            if name in self.files:
                problems.append(f"{self.path}: names in a zip must be unique, got {shown(name)} twice; pack it again")
            if name.startswith("/") or ".." in name.split("/"):
                self.refused[name] = "has a name that leads out of the zip"
            elif stat.S_ISLNK(member.external_attr >> 16):
                self.refused[name] = "is a link"
            else:
                self.files[name] = member.file_size
        if problems:
            raise DataError(problems)

    def read(self, name: str) -> bytes:
        """The bytes of one of `files`.

        Raises:
          ValueError: it cannot be read; the message is the rule and what was found.
        """
        if self.files[name] > MAX_FILE_BYTES:
            raise ValueError(f"must have at most {MAX_FILE_BYTES >> 20} MiB, got {self.files[name] >> 20}")
        try:
            return self._zip.read(name) if self._zip else (self._root / name).read_bytes()
        except BROKEN_MEMBER as error:
            raise ValueError(f"must be readable, got {error}") from error

    def close(self) -> None:
        if self._zip:
            self._zip.close()

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
