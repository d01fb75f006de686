"""Files that are packed as one stream: gzip, bzip2, xz."""

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator

from sweep.datasets.trees.regions import Region, RegionFile
from sweep.datasets.trees.unpacked import CHUNK

XZ_MEMORY = 256 << 20  # bytes that unpacking may use; a file of `xz -9` needs 65 MiB


def stream_of(region: Region) -> Callable[[], Iterator[bytes]] | None:
    """Returns a function that unpacks a stream from its beginning; None if it is not packed in one of these ways."""
    head = region.read(0, 6)
    for begins, read in ((b"\x1f\x8b", _gzip), (b"BZh", _bzip2), (b"\xfd7zXZ\x00", _xz)):
        if head.startswith(begins):
            return lambda read=read: read(region)  # type: ignore[misc]
    return None


def _gzip(region: Region) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=RegionFile(region), mode="rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _bzip2(region: Region) -> Iterator[bytes]:
    with bz2.BZ2File(RegionFile(region), "rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _xz(region: Region) -> Iterator[bytes]:
    """Yields the unpacked chunks of an xz file."""
    # LZMAFile is not used, because it allocates as much memory as the file asks for, up to 4 GiB.
    start, rest = 0, b""
    while start < region.size or rest.strip(b"\0"):
        decompressor = lzma.LZMADecompressor(memlimit=XZ_MEMORY)
        while not decompressor.eof:
            if decompressor.needs_input and not rest:
                rest, start = region.read(start, CHUNK), start + CHUNK
                if not rest:
                    raise EOFError("its end is missing")
            yield decompressor.decompress(rest, CHUNK)
            rest = b""
        rest = decompressor.unused_data
