"""A folder, an archive or another container as one list of files, none of which lies outside of it."""

import os
import re
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from sweep.datasets.decoders.recipe import ImageFileError
from sweep.datasets.listing_rules import LISTING_RULES, NEWEST
from sweep.datasets.mistaken import mistaken_for
from sweep.datasets.problems import DataError, Findings, Problem, printable
from sweep.datasets.trees import (
    BROKEN,
    COUNTED,
    HEAD_BYTES,
    Kind,
    NamedArray,
    Opening,
    PixelsError,
    Rows,
    Store,
    kind_of,
)
from sweep.datasets.trees.folders import Folder, stamp
from sweep.datasets.trees.regions import FileRegion, OpenFiles, Region
from sweep.datasets.trees.unread import unread_kind, unread_problems
from sweep.datasets.trees.zips import Zip
from sweep.storage.text import counted

__all__ = ["COUNTED", "FileTree"]

MAX_FILE_BYTES = 256 << 20
MAX_FILES = 50_000_000  # the names of all files are kept in memory
MAX_DEPTH = 3  # how deep containers may lie in containers
# least age of a file's last change; within a tick of the clock the file could change again unnoticed
SETTLED_SECONDS = 2.0
DATA_RULE = "data must be a folder, an archive or a file that holds images (.zip, .tar, .parquet, .npz, .h5, idx, .csv)"


ADDRESS = re.compile(r"(https?|ftp|s3|gs):/", re.IGNORECASE)  # one slash, because a `Path` drops the other


def announce_on_screen(sentence: str) -> None:
    """Prints a sentence on standard error."""
    print(sentence, file=sys.stderr, flush=True)


class FileTree:
    """The files of a data set by name; several threads may read them at once.

    A container in the data (an archive, a Parquet file, an array of images) is a file like any other until
    `open_containers` is called. From then on it is a folder: `images.zip/a.png`.

    Attributes:
      path: the path of the data as messages show it.
      rules: the listing rules, which say which files count and how they are named.
      files: the size in bytes of each file, by its relative name with `/` between the parts, sorted. For an image in a
        row of a container it is an estimate.
      visible: the names of the files that count, sorted.
      folders: the relative names of the folders.
      refused: by name, why something that exists is not read (links, devices); the reason is one of `COUNTED`.
      tables: tables that containers hold about their images, see `datasets/trees/__init__.py`.
      arrays: arrays that containers hold, see `datasets/trees/__init__.py`.
      notes: what the user should know about the names, a sentence each.
      stamps: the state of each file on disk, which shows whether it has changed: device, inode, bytes, and the times of
        the last change of its content and of its entry, ns. Files in a container have none of their own; the name of a
        container that is the whole data is empty.
      listed_at: when the listing began, in seconds as `time.time()` counts.

    Args:
      path: a folder, an archive, or another container.
      listing: the number of the listing rules.
      announce: called with a sentence before work that takes long; prints it by default.

    Raises:
      DataError: `path` does not exist, or is neither a folder nor a whole container all of whose names stay inside it.
    """

    def __init__(self, path: Path, listing: int = NEWEST, announce: Callable[[str], None] = announce_on_screen) -> None:
        self.rules = LISTING_RULES[listing]
        self.path = printable(str(path))
        self.files: dict[str, int] = {}
        self.visible: list[str] = []
        self.folders: set[str] = set()
        self.refused: dict[str, str] = {}
        self.tables: list[Rows] = []
        self.arrays: list[NamedArray] = []
        self.notes: list[str] = []
        self.stamps: dict[str, tuple[int, ...]] = {}
        self.listed_at = time.time()
        self._announce = announce
        self._open_files = OpenFiles()
        self._stores: dict[str, Store] = {}  # by the name of the container; empty for the data itself
        # the data itself, if it is a container that is only opened by `open_containers`
        self._unopened: tuple[Kind, Region] | None = None
        self._unread: dict[str, list[str]] = {}  # the visible files of each kind that cannot be read
        self._are_open = False
        try:
            status = os.stat(path)
        except (OSError, ValueError) as error:
            got = f"nothing there ({error.strerror if isinstance(error, OSError) else error})"
            way_out = "download it, and give its path" if ADDRESS.match(self.path) else "check the path"
            raise DataError([Problem(self.path, DATA_RULE, got, way_out)]) from error
        if stat.S_ISDIR(status.st_mode):
            folder = Folder(path, self.path, self._open_files)
            folder.list_all()
            self.stamps = folder.stamps
            self._mount("", folder)
        elif stat.S_ISREG(status.st_mode):
            self._take_file(path, status)
        else:
            raise DataError([Problem(self.path, DATA_RULE, "a pipe or a device", "check the path")])
        self._sort()

    def _take_file(self, path: Path, status: os.stat_result) -> None:
        """Lists the data if it is a file and not a folder.

        An archive is listed alone. Another container, such as an array, is listed as the only file of its folder.
        """
        region = FileRegion(lambda: os.open(path, os.O_RDONLY | os.O_CLOEXEC), stamp(status), self._open_files, True)
        kind = self._kind_of_data(path.name, lambda: region.read(0, HEAD_BYTES))
        if kind and not kind.is_archive:
            self.path = printable(str(path.parent))
            folder = Folder(path.parent, self.path, self._open_files)
            folder.add_target(path, status)
            self.stamps = folder.stamps
            self._mount("", folder)
            return
        self.stamps[""] = stamp(status)
        if kind and kind.store_of is not Zip:
            self._unopened = kind, region
            return
        try:
            self._mount("", Zip(self._opening("", region)))
        except DataError:
            raise
        except BROKEN as error:
            got, way_out = "a file that is none of these", "give the folder that it is in"
            if path.name.lower().endswith(".zip"):
                got, way_out = f"a .zip that is not whole ({error})", "fetch it again, or give the folder of its files"
            got, way_out = mistaken_for(region.read(0, HEAD_BYTES)) or (got, way_out)
            raise DataError([Problem(self.path, DATA_RULE, got, way_out)]) from error

    def _kind_of_data(self, name: str, head: Callable[[], bytes]) -> Kind | None:
        """Returns the kind of container that the data is, or None.

        Raises:
          DataError: it is of a kind that cannot be read.
        """
        if not self.rules.opens_containers:
            return None
        kind = kind_of(name, head)
        if kind is None and (noun := unread_kind(name, head)):
            raise DataError(unread_problems({noun: [""]}, self._place))
        return kind

    def open_containers(self, findings: Findings) -> None:
        """Opens every visible container, so that `files` lists its content; later calls do nothing.

        A container that cannot be opened is a problem, because its images would otherwise be missing unnoticed. A
        container that lies beside its own unpacked content is not opened, which gives a note.
        """
        if not self.rules.opens_containers or self._are_open:
            return
        self._are_open = True
        not_opened: list[str] = []
        queue = [(name, 1) for name in self.visible]
        if self._unopened:
            queue = [(name, 1) for name in self._open("", *self._unopened, findings)]
        while queue:
            name, depth = queue.pop()
            kind = kind_of(name, partial(self.head, name))
            place, unpacked_name = self._place(name), name.rpartition(".")[0]
            unpacked_name = unpacked_name if self.holds(unpacked_name) else unpacked_name.removesuffix(".tar")
            if kind is None:
                if noun := unread_kind(name, partial(self.head, name)):
                    self._unread.setdefault(noun, []).append(name)
            elif kind.is_packed and self.holds(unpacked_name):
                not_opened.append(name)
            elif depth > MAX_DEPTH or name in self.folders:
                got = "another in it" if depth > MAX_DEPTH else "a folder of the same name beside it"
                rule = f"{kind.noun} must be a file in at most {MAX_DEPTH - 1} other containers"
                findings.refuse(place, rule, got, "unpack it")
            else:
                owner, inner = self._owner(name)
                region = partial(owner.region, inner)
                queue += [(one, depth + 1) for one in self._open(name, kind, region, findings)]
        if not_opened:
            count = counted(len(not_opened), "packed file is", "packed files are")
            findings.notes.append(f"{count} not opened, being unpacked beside: {printable(min(not_opened))}.")
        self._sort()

    def _open(self, name: str, kind: Kind, region: Region | Callable[[], Region], findings: Findings) -> list[str]:
        """Opens one container; returns the names of the files in it that count."""
        try:
            opening = self._opening(name, region() if callable(region) else region)
            store = kind.store_of(opening)
            if store is None:
                return []
            files, notes = [f"{name}/{inner}" if name else inner for inner in store.files], list(store.notes)
            self._mount(name, store)
        except DataError as error:
            findings.problems.extend(error.problems)
            return []
        except (*BROKEN, MemoryError) as error:
            got, way_out = str(error) or type(error).__name__, "fetch it again, or remove it"
            head = b""
            with suppress(*BROKEN):
                head = self.head(name) if callable(region) else region.read(0, HEAD_BYTES)
            got, way_out = mistaken_for(head) or (got, way_out)
            findings.refuse(self._place(name), f"{kind.noun} must be whole", got, way_out)
            return []
        findings.notes.extend(notes)
        return list(filter(self.rules.is_visible, files)) if kind.is_packed else []

    def _opening(self, name: str, region: Region) -> Opening:
        """Returns the arguments with which a store opens a container."""
        disk_name = name
        while disk_name not in self.stamps:
            disk_name = disk_name.rpartition("/")[0]
        *_, modified, changed = self.stamps[disk_name]
        return Opening(
            region=region,
            place=self._place(name),
            stem=(name or self.path).rpartition("/")[2].rpartition(".")[0],
            rules=self.rules,
            identity=f"{self.stamps[disk_name]} {name.removeprefix(disk_name)}",
            keeps=self.listed_at - max(modified, changed) / 1e9 >= SETTLED_SECONDS,
            open_files=self._open_files,
            announce=self._announce,
        )

    def _place(self, name: str) -> str:
        """Returns the path of a file or container as messages show it."""
        return f"{self.path}/{printable(name)}" if name else self.path

    def _mount(self, name: str, store: Store) -> None:
        """Adds the files of a store under the name of its container, which becomes a folder."""
        prefix = f"{name}/" if name else ""
        if len(self.files) + len(store.files) > MAX_FILES:
            rule, got = f"data must have at most {MAX_FILES:,} files", f"{len(self.files) + len(store.files):,}"
            raise DataError([Problem(self.path, rule, got, "leave some out")])
        self._stores[name] = store
        if name:
            self.files.pop(name)
            self.folders.add(name)
        self.files.update((prefix + inner, size) for inner, size in store.files.items())
        store.files = {}
        self.folders.update(prefix + inner for inner in store.folders)
        self.refused.update((prefix + inner, reason) for inner, reason in store.refused.items())
        self.tables += [table.inside(name) for table in store.tables]
        self.arrays += [array.inside(name) for array in store.arrays]
        self.notes += store.notes

    def _sort(self) -> None:
        """Sorts the files, and lists those that count."""
        self.files = dict(sorted(self.files.items()))
        self.visible = list(filter(self.rules.is_visible, self.files))

    def unread(self) -> list[Problem]:
        """Returns a problem for each kind of file that cannot be read; complete once the containers are open."""
        return unread_problems(self._unread, self._place)

    def holds(self, name: str) -> bool:
        """Returns whether anything has this name, whether it can be read or not."""
        return name in self.files or name in self.refused or name in self.folders

    def why_not(self, name: str) -> str:
        """Returns the reason why a name is not one of `files`."""
        return self.refused.get(name) or ("is a folder" if name in self.folders else "is not there")

    def is_image(self, name: str) -> bool:
        """Returns whether one of `files` is an image, judged by its name or its first bytes."""
        return self._owner(name)[0].has_rows or self.rules.is_image(name, lambda: self.head(name))

    def is_layout_image(self, name: str) -> bool:
        """Returns whether one of `files` counted as an image in the first versions, which knew only the two layouts."""
        is_image = self.rules.is_layout_image
        return self.is_image(name) if is_image is None else is_image(name, lambda: self.head(name))

    def head(self, name: str, count: int = HEAD_BYTES) -> bytes:
        """Returns the first bytes of one of `files`; no bytes if it cannot be read."""
        with suppress(ValueError, *BROKEN):
            store, inner = self._owner(name)
            return store.read(inner, min(self.files[name], count))[:count]
        return b""

    def read(self, name: str) -> bytes:
        """Returns the bytes of one of `files`.

        Raises:
          ValueError: it cannot be read, or is not as it was listed; the message is the rule and what was found.
        """
        size = self.files[name]
        store, inner = self._owner(name)
        if size > MAX_FILE_BYTES:
            raise ValueError(f"must have at most {MAX_FILE_BYTES >> 20} MiB, got {size >> 20}")
        try:
            data = store.read(inner, size)
        except BROKEN as error:
            got = error.strerror if isinstance(error, OSError) and error.strerror else error
            image_error = ImageFileError(f"must be readable, got {got}", getattr(error, "way_out", "replace it"))
            if isinstance(error, PixelsError):
                image_error.cause = f"{name.removesuffix(inner)} {error.way_out}"
            raise image_error from error
        if len(data) != size and not store.has_rows:
            got = "more" if len(data) > size else f"{len(data):,}"
            raise ValueError(f"must have the {counted(size, 'byte')} that it is listed with, got {got}")
        return data

    def _owner(self, name: str) -> tuple[Store, str]:
        """Returns the store that holds a file, and the file's name in that store."""
        end = len(name) if len(self._stores) > 1 else 0
        while (end := name.rfind("/", 0, end)) > 0:
            if store := self._stores.get(name[:end]):
                return store, name[end + 1 :]
        return self._stores[""], name

    def close(self) -> None:
        """Closes all files."""
        for store in self._stores.values():
            store.close()
        self._open_files.close()

    def __enter__(self) -> "FileTree":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
