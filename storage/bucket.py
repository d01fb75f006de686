"""Sweeps in a bucket: a process works on a copy, and what it writes is in the bucket before the write returns.

An address is `s3://BUCKET/PATH` or `gs://BUCKET/PATH`. Keys, region and endpoint are found as by the clouds' own
programs: AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL, ~/.aws, the role of the machine.

The copies of a process lie in one folder among its temporary files, as SCHEME/BUCKET/PATH. They are gone when it
ends; those of one that was killed, when the next one on the machine makes its own.
"""

import atexit
import fcntl
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from storage import paths

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

# pyarrow is imported where there is a bucket: 0.1 s that no other sweep needs.

SCHEMES = ("s3", "gs")
PREFIX = "sweep-copy-"
AT_ONCE = 16  # files that are fetched beside each other: each is little but waiting
TRIES = 3
OF_THE_COPY = (paths.LOCK, paths.LOG, paths.HUNG)  # written where they are, by other means than `storage.files`
WHEN_READ = "attempt-*/checkpoint-*"  # fetched by who reads it: the largest files there are, and most are never read
LOCK = "taken"  # in the folder of a process's copies, held while it lives


class _Copies:
    """Where this process has its copies; None before the first."""

    folder: Path | None = None
    lock: Any = None


def is_address(text: str) -> bool:
    return ":/" in text


def path_of(text: str) -> Path:
    """The path of a copy, which nothing has been fetched into yet, for an address; for any other text its path.

    Raises:
      ValueError: it is an address of another kind, or has a key or options in it.
    """
    if not is_address(text):
        return Path(text)
    parts = urlsplit(text)
    names = parts.path.strip("/").split("/")
    is_right = parts.scheme in SCHEMES and parts.netloc and not parts.query and not parts.fragment
    if not is_right or "@" in parts.netloc or not {"", ".", ".."}.isdisjoint(names):
        shown = f"{parts.scheme}://..." if {"@", "?", "#"} & set(text) else text  # there may be a key in it
        raise ValueError(f"must be s3://BUCKET/PATH or gs://BUCKET/PATH, without keys and options, got {shown}")
    return _copies().joinpath(parts.scheme, parts.netloc, *names)


def address_of(path: Path) -> str:
    """The address that a path in a copy has, else the path: what `path_of` takes, in this process or another."""
    parts = _parts(path)
    return f"{parts[0]}://{'/'.join(parts[1:])}" if parts else str(path)


def with_addresses(text: str) -> str:
    """A text for people: addresses in the place of the folders of their copies."""
    if _Copies.folder is None:
        return text
    for scheme in SCHEMES:
        text = text.replace(f"{_Copies.folder / scheme}/", f"{scheme}://")
    return text


def is_copy(path: Path) -> bool:
    return bool(_parts(path))


def fetch(folder: Path, whole: bool = True) -> None:
    """Makes the copy of a folder what the bucket has of it; brings no more than the folder's own files unless `whole`.

    `OF_THE_COPY` stay where the bucket has none; `WHEN_READ` are empty until `fetch_content`. Nothing to do where the
    folder is in no copy.

    Raises:
      OSError: the bucket cannot be read.
    """
    if not is_copy(folder):
        return
    from pyarrow.fs import FileSelector, FileType

    filesystem, key = _place(folder)

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
            path.write_bytes(_content(filesystem, about.path))

    folder.mkdir(parents=True, exist_ok=True)
    found = filesystem.get_file_info(FileSelector(key, recursive=whole, allow_not_found=True))
    there = {folder / about.path.removeprefix(f"{key}/") for about in found}
    for path in sorted(folder.rglob("*"), reverse=True) if whole else ():
        if path not in there and path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif path not in there and path.is_file() and path.name not in OF_THE_COPY:
            path.unlink()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(bring, found):
            pass


def fetch_content(path: Path) -> None:
    """Fetches a file that `fetch` has left empty; nothing where it is none of these.

    Raises:
      FileNotFoundError: the bucket does not have it any more.
      OSError: the bucket cannot be read.
    """
    if is_copy(path) and path.match(WHEN_READ) and not path.stat().st_size:
        partial = path.with_name(path.name + ".partial")  # a part of it would be taken for all of it
        partial.write_bytes(_content(*_place(path)))
        partial.replace(path)


def _content(filesystem: "FileSystem", key: str) -> bytes:
    tries = 0
    while True:
        try:
            with filesystem.open_input_file(key) as file:
                return bytes(file.readall())  # at once: what replaces it meanwhile is not mixed with it
        except OSError as error:  # gone or replaced since it was opened, among others
            tries += 1
            if tries == TRIES or isinstance(error, FileNotFoundError):
                raise


def put(content: Path, path: Path) -> None:
    """Makes a file's content that of `path` in the bucket, whole or not at all; nothing where `path` is in no copy.

    Raises:
      OSError: the bucket cannot be written.
    """
    if is_copy(path):
        filesystem, key = _place(path)
        data = content.read_bytes()

        def upload() -> None:
            with filesystem.open_output_stream(key) as stream:
                stream.write(data)

        # In a thread: what a signal's handler breaks off would be closed, and so completed, with what it has so far.
        with ThreadPoolExecutor(1) as beside:
            beside.submit(upload).result()


def delete(path: Path) -> None:
    """Removes a file from the bucket, or a folder with all in it; nothing where the path is in no copy.

    Raises:
      OSError: the bucket cannot be written.
    """
    if is_copy(path):
        filesystem, key = _place(path)
        with suppress(FileNotFoundError):
            (filesystem.delete_dir if path.is_dir() else filesystem.delete_file)(key)


def move(path: Path, target: Path) -> None:
    """Moves a file or folder in the bucket as it is about to be moved here; nothing where it is in no copy.

    What has gone from the bucket meanwhile is left out.

    Raises:
      OSError: the bucket cannot be written; what was there is there.
    """
    if is_copy(path):
        for file in [path, *path.rglob("*")]:
            if file.is_file():
                with suppress(FileNotFoundError):
                    fetch_content(file)
                    put(file, target / file.relative_to(path))
        delete(path)


@atexit.register
def drop_copies() -> None:
    """Removes the copies of this process; the next use of an address makes new ones."""
    if _Copies.folder is not None:
        shutil.rmtree(_Copies.folder, ignore_errors=True)
        _Copies.lock.close()
        _Copies.folder = None


def _parts(path: Path) -> tuple[str, ...]:
    """Scheme, bucket and the names of the key; empty where the path is in no copy."""
    if _Copies.folder is None or not path.is_relative_to(_Copies.folder):
        return ()
    return path.relative_to(_Copies.folder).parts


def _place(path: Path) -> tuple["FileSystem", str]:
    """The file system of a path in a copy, and the key there, with the bucket."""
    scheme, *names = _parts(path)
    return _filesystem(f"{scheme}://{names[0]}"), "/".join(names)


@lru_cache
def _filesystem(bucket: str) -> "FileSystem":
    from pyarrow.fs import FileSystem

    return FileSystem.from_uri(bucket)[0]


def _copies() -> Path:
    if _Copies.folder is None:
        _remove_left_over()
        folder = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
        file = open(folder / "new", "wb")  # noqa: SIM115 (held for the process's life)
        fcntl.flock(file, fcntl.LOCK_EX)
        os.rename(folder / "new", folder / LOCK)  # under this name it is never free while the process lives
        _Copies.folder, _Copies.lock = folder, file
    return _Copies.folder


def _remove_left_over() -> None:
    """The copies of processes that were killed."""
    for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError), open(lock, "rb") as file:  # another user's, or in use
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
