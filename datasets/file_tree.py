"""A folder, an archive or another container as a flat list of files that cannot lead out of it."""

import os
import re
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from sweep.datasets.decoders.recipe import ImageError
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
from sweep.datasets.trees.regions import FileRegion, Held, Region
from sweep.datasets.trees.unread import unread_kind, unread_problems
from sweep.datasets.trees.zips import Zip
from sweep.storage.text import counted

__all__ = ["COUNTED", "FileTree"]

MAX_FILE_BYTES = 256 << 20
MAX_FILES = 50_000_000  # names, which are kept in memory
MAX_DEPTH = 3  # containers in containers
SETTLED_SECONDS = 2.0  # since the last change of a file: within a tick of the clock it may change again unseen
DATA_RULE = "data must be a folder, an archive or a file that holds images (.zip, .tar, .parquet, .npz, .h5, idx, .csv)"


ADDRESS = re.compile(r"(https?|ftp|s3|gs):/", re.IGNORECASE)  # a path has lost one of the slashes


def announce_on_screen(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


class FileTree:
    """The files of a data set; several threads may read them at once.

    A container in the data (an archive, a Parquet file, an array of images) is one file among others before
    `open_containers`. From then on it is a folder, `images.zip/a.png`.

    Attributes:
      path: as messages show it.
      rules: by which files count and are named.
      files: bytes of each file by its relative name, `/` between the parts, sorted; of an image in a row of a container
        an estimate.
      visible: the names of those that count, sorted.
      folders: the relative names of the folders.
      refused: why, by name, for what is there but is not read, one of `COUNTED`: links, devices.
      tables, arrays: what the containers say of the images in them, see `datasets/trees/__init__.py`.
      notes: what a person should know of the names, a sentence each.
      stamps: the state of each file (of a .zip: of the .zip), by which it is known to be as it was: its device, its
        number there, bytes, and when its content and its entry changed last, ns.
      listed_at: when the listing began, on `time.time()`.

    Args:
      path: a folder, an archive, or another container.
      listing: the number of the rules.
      announce: is told what takes long before it begins; by default it is shown on the screen.

    Raises:
      DataError: `path` does not exist, or is neither a folder nor a whole container with names that stay in it.
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
        self._held = Held()
        self._stores: dict[str, Store] = {}  # by the name of the container, empty for the whole
        self._unopened: tuple[Kind, Region] | None = None  # the whole, where it is a container that takes long to open
        self._unread: dict[str, list[str]] = {}  # visible files of each kind that is not read
        self._are_open = False
        try:
            found = os.stat(path)
        except (OSError, ValueError) as error:
            got = f"nothing there ({error.strerror if isinstance(error, OSError) else error})"
            way_out = "download it, and give its path" if ADDRESS.match(self.path) else "check the path"
            raise DataError([Problem(self.path, DATA_RULE, got, way_out)]) from error
        if stat.S_ISDIR(found.st_mode):
            folder = Folder(path, self.path, self._held)
            folder.list_all()
            self.stamps = folder.stamps
            self._mount("", folder)
        elif stat.S_ISREG(found.st_mode):
            self._take_file(path, found)
        else:
            raise DataError([Problem(self.path, DATA_RULE, "a pipe or a device", "check the path")])
        self._sort()

    def _take_file(self, path: Path, found: os.stat_result) -> None:
        region = FileRegion(lambda: os.open(path, os.O_RDONLY | os.O_CLOEXEC), stamp(found), self._held, True)
        kind = self._kind_of_data(path.name, lambda: region.read(0, HEAD_BYTES))
        if kind and not kind.is_archive:
            self.path = printable(str(path.parent))
            folder = Folder(path.parent, self.path, self._held)
            folder.add_target(path, found)
            self.stamps = folder.stamps
            self._mount("", folder)
            return
        self.stamps[""] = stamp(found)
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
        """Returns which container the data is; raises DataError for a kind that is not read."""
        if not self.rules.opens_containers:
            return None
        kind = kind_of(name, head)
        if kind is None and (what := unread_kind(name, head)):
            raise DataError(unread_problems({what: [""]}, self._place))
        return kind

    def open_containers(self, findings: Findings) -> None:
        """Opens every visible container, so that `files` has what they hold; does so once.

        It adds a problem for each that cannot be opened, since its images would be missed without a word, and a note
        for one that is not opened because it lies beside what was unpacked from it.
        """
        if not self.rules.opens_containers or self._are_open:
            return
        self._are_open = True
        beside: list[str] = []
        waiting = [(name, 1) for name in self.visible]
        if self._unopened:
            waiting = [(name, 1) for name in self._open("", *self._unopened, findings)]
        while waiting:
            name, depth = waiting.pop()
            kind = kind_of(name, partial(self.head, name))
            place, unpacked = self._place(name), name.rpartition(".")[0]
            unpacked = unpacked if self.holds(unpacked) else unpacked.removesuffix(".tar")
            if kind is None:
                if what := unread_kind(name, partial(self.head, name)):
                    self._unread.setdefault(what, []).append(name)
            elif kind.is_packed and self.holds(unpacked):
                beside.append(name)
            elif depth > MAX_DEPTH or name in self.folders:
                got = "another in it" if depth > MAX_DEPTH else "a folder of the same name beside it"
                rule = f"{kind.noun} must be a file in at most {MAX_DEPTH - 1} other containers"
                findings.refuse(place, rule, got, "unpack it")
            else:
                owner, inner = self._owner(name)
                region = partial(owner.region, inner)
                waiting += [(one, depth + 1) for one in self._open(name, kind, region, findings)]
        if beside:
            count = counted(len(beside), "packed file is", "packed files are")
            findings.notes.append(f"{count} not opened, being unpacked beside: {printable(min(beside))}.")
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
        real = name
        while real not in self.stamps:
            real = real.rpartition("/")[0]
        *_, modified, changed = self.stamps[real]
        return Opening(
            region=region,
            place=self._place(name),
            stem=(name or self.path).rpartition("/")[2].rpartition(".")[0],
            rules=self.rules,
            identity=f"{self.stamps[real]} {name.removeprefix(real)}",
            keeps=self.listed_at - max(modified, changed) / 1e9 >= SETTLED_SECONDS,
            held=self._held,
            announce=self._announce,
        )

    def _place(self, name: str) -> str:
        return f"{self.path}/{printable(name)}" if name else self.path

    def _mount(self, name: str, store: Store) -> None:
        """Lists what a store holds under the name of its container, which is a folder from now on."""
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
        self.refused.update((prefix + inner, why) for inner, why in store.refused.items())
        self.tables += [table.under(name) for table in store.tables]
        self.arrays += [array.under(name) for array in store.arrays]
        self.notes += store.notes

    def _sort(self) -> None:
        self.files = dict(sorted(self.files.items()))
        self.visible = list(filter(self.rules.is_visible, self.files))

    def unread(self) -> list[Problem]:
        """Returns what to do about the files of kinds that are not read, a problem a kind; for open containers."""
        return unread_problems(self._unread, self._place)

    def holds(self, name: str) -> bool:
        """Says whether anything has this name, readable or not."""
        return name in self.files or name in self.refused or name in self.folders

    def why_not(self, name: str) -> str:
        """Says why a name is not one of `files`."""
        return self.refused.get(name) or ("is a folder" if name in self.folders else "is not there")

    def is_image(self, name: str) -> bool:
        """Says whether one of `files` is an image, by its name or its first bytes."""
        return self._owner(name)[0].has_rows or self.rules.is_image(name, lambda: self.head(name))

    def is_layout_image(self, name: str) -> bool:
        """Says whether one of `files` was an image before there was more than the two layouts."""
        is_image = self.rules.is_layout_image
        return self.is_image(name) if is_image is None else is_image(name, lambda: self.head(name))

    def head(self, name: str, count: int = HEAD_BYTES) -> bytes:
        """Returns the first bytes of one of `files`; none where it cannot be read."""
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
            broken = ImageError(f"must be readable, got {got}", getattr(error, "way_out", "replace it"))
            if isinstance(error, PixelsError):
                broken.cause = f"{name.removesuffix(inner)} {error.way_out}"
            raise broken from error
        if len(data) != size and not store.has_rows:
            got = "more" if len(data) > size else f"{len(data):,}"
            raise ValueError(f"must have the {counted(size, 'byte')} that it is listed with, got {got}")
        return data

    def _owner(self, name: str) -> tuple[Store, str]:
        """Returns the store that a file lies in, and its name there."""
        end = len(name) if len(self._stores) > 1 else 0
        while (end := name.rfind("/", 0, end)) > 0:
            if store := self._stores.get(name[:end]):
                return store, name[end + 1 :]
        return self._stores[""], name

    def close(self) -> None:
        for store in self._stores.values():
            store.close()
        self._held.close()

    def __enter__(self) -> "FileTree":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
