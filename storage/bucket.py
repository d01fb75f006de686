"""The place of a sweep, as a person names it, and its store where that is a bucket.

What a process writes into its copy of a bucket is there before the write returns.

Keys, region and endpoint are found as by the clouds' own programs: AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL,
~/.aws, the role of the machine.

A copy lies in a folder of its own among the temporary files. It is gone when its store is closed or its process ends;
that of a process that was killed, when the next one on the machine opens a bucket.
"""

import fcntl
import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sweep.storage import paths
from sweep.storage.store import Store, StoredPath

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

# pyarrow is imported where a bucket is used: 0.1 s that no other sweep needs.

SCHEMES = ("s3", "gs")  # of the clouds that Arrow can open; any other needs a `Store` in a file of its own
PREFIX = "sweep-copy-"
AT_ONCE = 16  # files that are fetched beside each other: each is little but waiting
TRIES = 3
OF_THE_COPY = (paths.LOCK, paths.LOG, paths.HUNG)  # written where they are, by other means than `storage.files`
WHEN_READ = "attempt-*/checkpoint-*"  # fetched by who reads it: the largest files there are, and most are never read
LOCK = "taken"  # in the folder of a copy, held while its process lives


def open_place(text: str) -> Path:
    """Returns the path of the folder that a text names: of an address that of a copy, with nothing fetched yet.

    Raises:
      ValueError: it is an address of another kind, or has a key or options in it.
    """
    if ":/" not in text:  # whatever has a scheme is an address, also where it is not known
        return Path(text)
    parts = urlsplit(text)
    names = parts.path.strip("/").split("/")
    is_right = parts.scheme in SCHEMES and parts.netloc and not parts.query and not parts.fragment
    if not is_right or "@" in parts.netloc or not {"", ".", ".."}.isdisjoint(names):
        shown = f"{parts.scheme}://..." if {"@", "?", "#"} & set(text) else text  # there may be a key in it
        raise ValueError(f"must be s3://BUCKET/PATH or gs://BUCKET/PATH, without keys and options, got {shown}")
    return BucketStore(parts.scheme, parts.netloc, names).folder


class BucketStore(Store):
    """A folder of a bucket and this process's copy of it.

    Attributes:
      folder: the copy's, whose address is `SCHEME://BUCKET/NAMES`.
    """

    def __init__(self, scheme: str, bucket: str, names: Sequence[str]) -> None:
        """Opens the folder with these names, one inside the other."""
        _remove_left_over()
        self._scheme, self._bucket = scheme, bucket
        root = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
        lock = open(root / "new", "wb")  # noqa: SIM115 (held until the store is closed)
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.rename(root / "new", root / LOCK)  # under this name it is never free while the process lives
        self._end = weakref.finalize(self, _remove_copy, root, lock)  # at the process's end, too
        self._copies = f"{root}/copies/"
        self.folder: Path = type("BucketPath", (StoredPath,), {"store": self})(self._copies, bucket, *names)

    def fetch(self, folder: Path, whole: bool = True) -> None:
        """Fetches as `Store.fetch`; `OF_THE_COPY` stay where the bucket has none, and `WHEN_READ` are left empty."""
        from pyarrow.fs import FileSelector, FileType

        key = self._key(folder)

        def bring(about: "FileInfo") -> None:
            path = folder / about.path.removeprefix(f"{key}/")
            if about.type == FileType.Directory:
                path.mkdir(parents=True, exist_ok=True)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.match(WHEN_READ):
                path.unlink(missing_ok=True)  # never written into: it may be mapped
                path.touch()
                return
            with suppress(FileNotFoundError):  # gone since it was listed
                path.write_bytes(self._content(about.path))

        folder.mkdir(parents=True, exist_ok=True)
        found = self.file_system.get_file_info(FileSelector(key, recursive=whole, allow_not_found=True))
        there = {folder / about.path.removeprefix(f"{key}/") for about in found}
        for path in sorted(folder.rglob("*"), reverse=True) if whole else ():
            if path not in there and path.is_dir() and not any(path.iterdir()):
                path.rmdir()
            elif path not in there and path.is_file() and path.name not in OF_THE_COPY:
                path.unlink()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for _ in pool.map(bring, found):
                pass

    def fetch_content(self, path: Path) -> None:
        if path.match(WHEN_READ) and not path.stat().st_size:
            partial = path.with_name(path.name + ".partial")  # a part of it would be taken for all of it
            partial.write_bytes(self._content(self._key(path)))
            partial.replace(path)

    def put(self, content: Path, path: Path) -> None:
        data = content.read_bytes()

        def upload() -> None:
            with self.file_system.open_output_stream(self._key(path)) as stream:
                stream.write(data)

        # In a thread: what a signal's handler breaks off would be closed, and so completed, with what it has so far.
        with ThreadPoolExecutor(1) as beside:
            beside.submit(upload).result()

    def delete(self, path: Path) -> None:
        remove = self.file_system.delete_dir if path.is_dir() else self.file_system.delete_file
        with suppress(FileNotFoundError):
            remove(self._key(path))

    def move(self, path: Path, target: Path) -> None:
        for file in [path, *path.rglob("*")]:
            if file.is_file():
                with suppress(FileNotFoundError):
                    self.fetch_content(file)
                    self.put(file, target / file.relative_to(path))
        self.delete(path)

    def shown(self, text: str) -> str:
        return text.replace(self._copies, f"{self._scheme}://")

    def close(self) -> None:
        self._end()

    @cached_property
    def file_system(self) -> "FileSystem":
        from pyarrow.fs import FileSystem

        return FileSystem.from_uri(f"{self._scheme}://{self._bucket}")[0]

    def _key(self, path: Path) -> str:
        """Returns the key of a path in the copy, which begins with the name of the bucket."""
        return str(path).removeprefix(self._copies)

    def _content(self, key: str) -> bytes:
        tries = 0
        while True:
            try:
                with self.file_system.open_input_file(key) as file:
                    return bytes(file.readall())  # at once: what replaces it meanwhile is not mixed with it
            except OSError as error:  # gone or replaced since it was opened, among others
                tries += 1
                if tries == TRIES or isinstance(error, FileNotFoundError):
                    raise


def _remove_copy(root: Path, lock: Any) -> None:
    shutil.rmtree(root, ignore_errors=True)
    lock.close()


def _remove_left_over() -> None:
    """Removes the copies of processes that were killed."""
    for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError), open(lock, "rb") as file:  # another user's, or in use
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
