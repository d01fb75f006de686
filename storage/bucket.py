"""The store of a sweep that lies in a bucket, and the function that opens a sweep's place by its path or address.

A process works on its own copy of the folder in the bucket. A write into the copy returns only when the file is in the
bucket.

Keys, region and endpoint are found as the programs of the clouds find them: AWS_ACCESS_KEY_ID, AWS_REGION,
AWS_ENDPOINT_URL, ~/.aws, the role of the machine.

A copy lies in a folder of its own among the temporary files. It is removed when its store is closed or its process
ends. The copy of a process that was killed is removed when the next process on the machine opens a bucket.
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

# pyarrow is imported only where a bucket is used, because its import takes 0.1 s.

SCHEMES = ("s3", "gs")  # the clouds that Arrow can open; another one needs a `Store` in a file of its own
PREFIX = "sweep-copy-"
AT_ONCE = 16  # files that are fetched at the same time, since each fetch is mostly waiting
TRIES = 3
OF_THE_COPY = (paths.LOCK, paths.LOG, paths.HUNG)  # only in the copy: they are not written through `storage.files`
WHEN_READ = "attempt-*/checkpoint-*"  # fetched only by readers: these are the largest files, and most are never read
LOCK = "taken"  # a file in the folder of a copy, locked while its process lives


def open_place(text: str) -> Path:
    """Returns the path of the folder that a person names by its path or address.

    For an address this is the path of a copy, into which nothing is fetched yet.

    Raises:
      ValueError: the address has an unknown scheme, or it contains a key or options.
    """
    if ":/" not in text:  # a text with any scheme, known or not, is taken for an address
        return Path(text)
    parts = urlsplit(text)
    names = parts.path.strip("/").split("/")
    is_right = parts.scheme in SCHEMES and parts.netloc and not parts.query and not parts.fragment
    if not is_right or "@" in parts.netloc or not {"", ".", ".."}.isdisjoint(names):
        shown = f"{parts.scheme}://..." if {"@", "?", "#"} & set(text) else text  # a message must not show a key
        raise ValueError(f"must be s3://BUCKET/PATH or gs://BUCKET/PATH, without keys and options, got {shown}")
    return BucketStore(parts.scheme, parts.netloc, names).folder


class BucketStore(Store):
    """A folder in a bucket, and this process's copy of it.

    Attributes:
      folder: the path of the copy of `SCHEME://BUCKET/NAMES`.
    """

    def __init__(self, scheme: str, bucket: str, names: Sequence[str]) -> None:
        """Makes an empty copy of the folder whose path in the bucket is `names`, joined by slashes."""
        _remove_left_over()
        self._scheme, self._bucket = scheme, bucket
        root = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
        lock = open(root / "new", "wb")  # noqa: SIM115 (held until the store is closed)
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.rename(root / "new", root / LOCK)  # locked before it has its name, so another process never sees it free
        self._finalizer = weakref.finalize(self, _remove_copy, root, lock)  # runs at the end of the process too
        self._copies = f"{root}/copies/"
        self.folder: Path = type("BucketPath", (StoredPath,), {"store": self})(self._copies, bucket, *names)

    def fetch(self, folder: Path, whole: bool = True) -> None:
        """Fetches a folder as `Store.fetch` says, with two exceptions.

        The files named in `OF_THE_COPY` stay in the copy although the bucket does not have them. Files that match
        `WHEN_READ` are made empty, and `fetch_content` fetches their content when it is needed.
        """
        from pyarrow.fs import FileSelector, FileType

        key = self._key(folder)

        def fetch_file(info: "FileInfo") -> None:
            path = folder / info.path.removeprefix(f"{key}/")
            if info.type == FileType.Directory:
                path.mkdir(parents=True, exist_ok=True)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.match(WHEN_READ):
                path.unlink(missing_ok=True)  # a reader may have the old file mapped, so it is not written into
                path.touch()
                return
            with suppress(FileNotFoundError):  # the file was removed since it was listed
                path.write_bytes(self._content(info.path))

        folder.mkdir(parents=True, exist_ok=True)
        infos = self.file_system.get_file_info(FileSelector(key, recursive=whole, allow_not_found=True))
        in_bucket = {folder / info.path.removeprefix(f"{key}/") for info in infos}
        for path in sorted(folder.rglob("*"), reverse=True) if whole else ():
            if path not in in_bucket and path.is_dir() and not any(path.iterdir()):
                path.rmdir()
            elif path not in in_bucket and path.is_file() and path.name not in OF_THE_COPY:
                path.unlink()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for _ in pool.map(fetch_file, infos):
                pass

    def fetch_content(self, path: Path) -> None:
        """Fetches the content of a checkpoint that `fetch` has left empty."""
        if path.match(WHEN_READ) and not path.stat().st_size:
            partial = path.with_name(path.name + ".partial")  # a reader must not take a part for the whole file
            partial.write_bytes(self._content(self._key(path)))
            partial.replace(path)

    def put(self, content: Path, path: Path) -> None:
        """Uploads a file, whole or not at all."""
        data = content.read_bytes()

        def upload() -> None:
            with self.file_system.open_output_stream(self._key(path)) as stream:
                stream.write(data)

        # An upload that an exception interrupts is closed, and so published half-written. Signal handlers raise
        # exceptions in the main thread alone, so the upload runs in another thread.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(upload).result()

    def delete(self, path: Path) -> None:
        """Removes a file or folder from the bucket; one that is not there is no error."""
        remove = self.file_system.delete_dir if path.is_dir() else self.file_system.delete_file
        with suppress(FileNotFoundError):
            remove(self._key(path))

    def move(self, path: Path, target: Path) -> None:
        """Uploads the files of a file or folder under their new names, then removes the old ones."""
        for file in [path, *path.rglob("*")]:
            if file.is_file():
                with suppress(FileNotFoundError):
                    self.fetch_content(file)
                    self.put(file, target / file.relative_to(path))
        self.delete(path)

    def shown(self, text: str) -> str:
        """Returns a text with the addresses in the bucket in the place of the paths of the copy."""
        return text.replace(self._copies, f"{self._scheme}://")

    def close(self) -> None:
        """Removes the copy."""
        self._finalizer()

    @cached_property
    def file_system(self) -> "FileSystem":
        """The bucket's file system, connected when it is first used."""
        from pyarrow.fs import FileSystem

        return FileSystem.from_uri(f"{self._scheme}://{self._bucket}")[0]

    def _key(self, path: Path) -> str:
        """Returns the key of the file whose copy is at this path; Arrow's keys begin with the bucket's name."""
        return str(path).removeprefix(self._copies)

    def _content(self, key: str) -> bytes:
        tries = 0
        while True:
            try:
                with self.file_system.open_input_file(key) as file:
                    return bytes(file.readall())  # in one read, so that it is not mixed with a newer content
            except OSError as error:  # for example because the file was removed or replaced since it was opened
                tries += 1
                if tries == TRIES or isinstance(error, FileNotFoundError):
                    raise


def _remove_copy(root: Path, lock: Any) -> None:
    shutil.rmtree(root, ignore_errors=True)
    lock.close()


def _remove_left_over() -> None:
    """Removes the copies of processes that were killed."""
    for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError), open(lock, "rb") as file:  # some belong to other users, or are in use
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
