"""What is in a data set, by the plainest means: the libraries that made it, and no code of the project."""

import csv
import gzip
import io
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".jfif")
BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*", b"GIF87a", b"GIF89a")
HIDDEN = ("__MACOSX", "@eaDir")
BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, NotImplementedError, EOFError, OSError, ValueError),
    *(struct.error, RuntimeError, pa.ArrowException),
)
MOST_BYTES = 64 << 20  # of a file that is unpacked here


def files_of(path: Path) -> dict[str, bytes]:
    """Returns the files; a link is one where it leads to a file within the data."""
    if path.is_dir():
        root = path.resolve()
        files = (file for file in path.rglob("*") if file.is_file() and file.resolve().is_relative_to(root))
        return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}
    return unpacked(path.name, path.read_bytes())


def unpacked(name: str, data: bytes) -> dict[str, bytes]:
    """Returns the files of an archive; one that cannot be read is empty, for then it must not be used."""
    files = {}
    if name.lower().endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                if member.external_attr >> 28 != 0o12 and not member.is_dir():
                    inner = member.filename.replace("\\", "/")
                    files[inner] = b""
                    with suppress(*BROKEN):
                        files[inner] = archive.read(member) if member.file_size < MOST_BYTES else b""
                        continue
                    if member.compress_type == zipfile.ZIP_STORED:  # an archive in it has checksums of its own
                        start = member.header_offset + 30 + len(member.filename.encode())
                        files[inner] = data[start : start + member.file_size]
    elif name.lower().endswith((".tar", ".tar.gz", ".tgz")):
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                if member.isreg() and (file := archive.extractfile(member)):
                    files[member.name] = file.read() if member.size < MOST_BYTES else b""
    elif name.lower().endswith(".gz"):
        files[Path(name).stem] = gzip.GzipFile(fileobj=io.BytesIO(data)).read(MOST_BYTES)
    else:
        raise ValueError(f"no archive: {name}")
    return {re.sub("/+", "/", inner.removeprefix("./")): data for inner, data in files.items()}


def images_of(path: Path, notes: Sequence[str], ids: Collection[str]) -> int:
    """Returns how many images there are, in files, in archives and in the rows of containers.

    Args:
      notes: say which packed files are not opened, being unpacked beside, and that a table is not read.
      ids: of the images that are used.
    """
    beside = any("being unpacked beside" in note for note in notes)
    return sum(_images(name, data, notes, ids) for name, data in _every_file(files_of(path), beside).items())


def _every_file(files: dict[str, bytes], beside: bool) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    folders = {name[:at] for name in files for at in range(len(name)) if name[at] == "/"}
    for name, data in files.items():
        is_hidden = any(part.startswith(".") or part in HIDDEN for part in name.split("/"))
        stem = re.sub(r"(\.tar)?\.\w+$", "", name)
        is_archive = name.lower().endswith((".zip", ".tar", ".tar.gz", ".tgz"))
        is_packed_table = re.search(r"(ubyte|\.idx|\.csv|\.tsv|\.txt|\.json|\.jsonl|\.npy|\.npz)\.gz$", name.lower())
        if is_hidden:
            continue
        if not (is_archive or is_packed_table) or (beside and (stem in folders or name.removesuffix(".gz") in files)):
            found[name] = data
            continue
        with suppress(*BROKEN):
            inner = unpacked(name, data)
            found |= {f"{name}/{one}": own for one, own in _every_file(inner, beside).items()}
    return found


def _images(name: str, data: bytes, notes: Sequence[str], ids: Collection[str]) -> int:
    """Returns how many images a file is or holds."""
    stem, _, suffix = name.rpartition("/")[2].lower().rpartition(".")
    with suppress(*BROKEN):
        if suffix == "npz":
            arrays = unpacked("x.zip", data)
            return sum(_rows_of(one) for inner, one in arrays.items() if inner.endswith(".npy"))
        if suffix == "npy":
            return _rows_of(data)
        if "idx" in stem + suffix and data[:2] == b"\0\0" and len(data) > 4:
            axes = struct.unpack_from(f">{data[3]}I", data, 4)
            return axes[0] if len(axes) == 3 else 0
        if suffix == "parquet":
            columns = pq.read_table(io.BytesIO(data)).schema
            return pq.read_metadata(io.BytesIO(data)).num_rows if "image" in columns.names else 0
        if suffix == "csv" and b"pixel" in data[:99]:
            rows = [row for row in csv.reader(io.StringIO(data.decode())) if row]
            is_used = any(f"{name}/" in each for each in ids)
            return (
                len(rows) - 1 if is_used or ".csv)" not in " ".join(notes) else 0
            )  # a note counts one that is not read
    return is_image(name, data)


def is_image(name: str, data: bytes) -> bool:
    """Says whether a file is an image by its suffix or, where it has none, by its first bytes."""
    stem, dot, suffix = name.rpartition("/")[2].lower().rpartition(".")
    if stem and dot and suffix.isalnum() and not suffix.isdigit():
        return f".{suffix}" in SUFFIXES
    return data.startswith(BEGINNINGS) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def _rows_of(data: bytes) -> int:
    """Returns how many images a .npy file holds; none where it cannot be read, for its neighbours may be."""
    try:
        array = np.load(io.BytesIO(data))
    except BROKEN:
        return 0
    return len(array) if array.ndim in (3, 4) and min(array.shape[1:3]) > 1 else 0
