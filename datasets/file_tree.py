"""A folder or a .zip as a flat list of files that cannot lead out of it."""

import os
import re
import stat
import struct
import time
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

from datasets.listing_rules import LISTING_RULES, NEWEST
from datasets.problems import DataError, Findings, Problem, printable, shown
from storage.text import counted

BROKEN = (OSError, zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error, struct.error, ValueError)
MAX_FILE_BYTES = 256 << 20
HEAD_BYTES = 16  # by which an image is known
DATA_RULE = "data must be a folder or a .zip"

# Why something that is there is not read, and how a count of such things is said: of one, of more.
LEAVES_FOLDER = "is a link that leaves the folder"
TO_A_FOLDER = "is a link to no file (to a folder)"
TO_NOTHING = "is a link to no file (to itself or to nothing)"
IN_ZIP = "is a link"
NO_FILE = "is no regular file (a pipe or a device)"
OTHER_PACKING = "is packed in another way than deflate"
COUNTED = {
    LEAVES_FOLDER: ("link out of the folder", "links out of the folder"),
    TO_A_FOLDER: ("link to a folder", "links to a folder"),
    TO_NOTHING: ("broken link", "broken links"),
    IN_ZIP: ("link in the .zip", "links in the .zip"),
    NO_FILE: ("pipe or device", "pipes or devices"),
    OTHER_PACKING: ("file packed in another way than deflate", "files packed in another way than deflate"),
}


class FileTree:
    """The files of a data set; several threads may read them at once.

    Attributes:
      path: as messages show it.
      rules: by which files count and are named.
      files: bytes of each file by its relative name, `/` between the parts, sorted.
      visible: the names of those that count, sorted.
      folders: the relative names of the folders.
      refused: why, by name, for what is there but is not read, one of `COUNTED`: links, devices.
      notes: what a person should know of the names, a sentence each.
      stamps: the state of each file (of a .zip: of the .zip), by which it is known to be as it was: its device, its
        number there, bytes, and when its content and its entry changed last, ns.
      listed_at: when the listing began, on `time.time()`.

    Args:
      listing: the number of the rules.

    Raises:
      DataError: `path` does not exist, or is neither a folder nor a whole, open .zip with names that stay in it.
    """

    def __init__(self, path: Path, listing: int = NEWEST) -> None:
        self.rules = LISTING_RULES[listing]
        self.path = printable(str(path))
        self.files: dict[str, int] = {}
        self.folders: set[str] = set()
        self.refused: dict[str, str] = {}
        self.notes: list[str] = []
        self.stamps: dict[str, tuple[int, ...]] = {}
        self.listed_at = time.time()
        self._links: dict[str, str] = {}  # the file that each link within the folder leads to
        self._zip: zipfile.ZipFile | None = None
        self._members: dict[str, zipfile.ZipInfo] = {}  # of the .zip
        try:
            found = os.stat(path)
        except (OSError, ValueError) as error:
            got = f"nothing there ({error.strerror if isinstance(error, OSError) else error})"
            raise DataError([Problem(self.path, DATA_RULE, got, "check the path")]) from error
        mode = found.st_mode
        if stat.S_ISDIR(mode):
            self._root = os.path.realpath(path)
            self._list_folder()
        elif stat.S_ISREG(mode):
            self.stamps[""] = _stamp(found)
            self._list_zip(path)
        else:
            raise DataError([Problem(self.path, DATA_RULE, "a pipe or a device", "check the path")])
        self.files = dict(sorted(self.files.items()))
        self.visible = list(filter(self.rules.is_visible, self.files))

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
                            self.refused[name] = NO_FILE
            except OSError as error:
                place, got = f"{self.path}/{printable(folder)}", error.strerror or ""
                raise DataError([Problem(place, "folder must be readable", got, "check its rights")]) from error

    def _add(self, name: str, found: os.stat_result) -> None:
        self.files[name] = found.st_size
        self.stamps[name] = _stamp(found)

    def _list_link(self, name: str) -> None:
        target = os.path.realpath(os.path.join(self._root, name))
        if os.path.commonpath([self._root, target]) != self._root:
            self.refused[name] = LEAVES_FOLDER
        elif os.path.isfile(target):
            self._links[name] = os.path.relpath(target, self._root)
            self._add(name, os.stat(target))
        else:
            self.refused[name] = TO_A_FOLDER if os.path.isdir(target) else TO_NOTHING

    def _list_zip(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except UnicodeDecodeError as error:
            got = f"byte 0x{error.object[error.start]:02x} in {error.object!r}"
            rule = "names in a zip must be UTF-8 where it says so"
            raise DataError([Problem(self.path, rule, got, "pack it again")]) from error
        except BROKEN as error:
            got = f"a file that is neither ({error})"
            rule = "data must be a folder or a whole .zip"
            way_out = "give the folder, or fetch the .zip again"
            raise DataError([Problem(self.path, rule, got, way_out)]) from error
        findings, guessed = Findings(), []
        members = self._zip.infolist()
        for member, (stored, is_guess) in zip(members, self.rules.zip_names(members), strict=True):
            parts = [part for part in stored.split("/") if part not in ("", ".")]
            name = "/".join(parts)
            is_folder = stored.endswith("/") or stat.S_ISDIR(member.external_attr >> 16)
            # A backslash that separates no folders here would do so on Windows.
            leads_out = ".." in re.split(r"[/\\]", stored) or re.match(r"([A-Za-z]:)?[/\\]", stored)
            if leads_out or not (parts or is_folder):
                findings.refuse(self.path, "names in a zip must stay in it", shown(stored), "pack it again")
                continue
            if self.rules.has_parents:
                self.folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
            if is_guess:
                guessed.append(name)
            if is_folder:
                self.folders.update([name] if parts else [])
                continue
            if member.flag_bits & 1:
                findings.refuse(self.path, "zip must not be encrypted", f"{shown(name)} encrypted", "unpack it")
            elif name in self._members:
                findings.refuse(self.path, "names in a zip must be unique", f"{shown(name)} twice", "pack it again")
            elif member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # Python unpacks the other kinds without a limit, whatever size the zip declares.
                self.refused[name] = OTHER_PACKING
            elif stat.S_ISLNK(member.external_attr >> 16):
                self.refused[name] = IN_ZIP
            else:
                self.files[name] = member.file_size
            self._members[name] = member
        if findings.problems:
            self.close()
            raise DataError(findings.problems)
        if guessed:
            rule = "in no encoding that the .zip tells, read as code page 437"
            self.notes.append(
                f"{self.path}: {counted(len(guessed), 'name')} {rule}, first {shown(min(guessed))}; "
                "if they look wrong, unpack it and give the folder, or pack it again with names in UTF-8."
            )

    def holds(self, name: str) -> bool:
        """Says whether anything has this name, readable or not."""
        return name in self.files or name in self.refused or name in self.folders

    def why_not(self, name: str) -> str:
        """Says why a name is not one of `files`."""
        return self.refused.get(name) or ("is a folder" if name in self.folders else "is not there")

    def is_image(self, name: str) -> bool:
        """Says whether one of `files` is an image, by its name or its first bytes."""
        return self.rules.is_image(name, lambda: self.head(name))

    def head(self, name: str) -> bytes:
        """Returns the first bytes of one of `files`; none where it cannot be read."""
        with suppress(ValueError, *BROKEN):
            return self._bytes(name, min(self.files[name], HEAD_BYTES))[:HEAD_BYTES]
        return b""

    def read(self, name: str) -> bytes:
        """Returns the bytes of one of `files`.

        Raises:
          ValueError: it cannot be read, or is not as it was listed; the message is the rule and what was found.
        """
        size = self.files[name]
        if size > MAX_FILE_BYTES:
            raise ValueError(f"must have at most {MAX_FILE_BYTES >> 20} MiB, got {size >> 20}")
        try:
            data = self._bytes(name, size)
        except BROKEN as error:
            got = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise ValueError(f"must be readable, got {got}") from error
        if len(data) != size:
            got = "more" if len(data) > size else f"{len(data):,}"
            raise ValueError(f"must have the {counted(size, 'byte')} that it is listed with, got {got}")
        return data

    def _bytes(self, name: str, count: int) -> bytes:
        """Returns so many bytes of one of `files`, or as many as it has; of a file in a folder, one more."""
        if self._zip:
            with self._zip.open(self._members[name]) as member:
                return member.read(count)  # never more, however much is packed; at the end the checksum is compared
        name = self._links.get(name, name)
        path = os.path.join(self._root, name)
        with open(path, "rb", opener=lambda _, flags: self._open(name, flags)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError("no regular file any more")
            return file.read(count + 1)

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

    def __enter__(self) -> "FileTree":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _stamp(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
