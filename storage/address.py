"""The text by which a person names the place of a sweep: a path, or the address of a folder in a bucket.

To add a cloud that Arrow can open, add its scheme to `SCHEMES`; for any other, write its `Store` in a file of its own.
"""

from pathlib import Path
from urllib.parse import urlsplit

SCHEMES = ("s3", "gs")


def is_address(text: str) -> bool:
    """Says whether a text is an address and no path: whatever has a scheme, also one that is not known."""
    return ":/" in text


def open_place(text: str) -> Path:
    """Returns the path of the folder that a text names: of an address that of a copy, with nothing fetched yet.

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
    from storage.bucket import BucketStore  # which most sweeps do not need

    return BucketStore(parts.scheme, parts.netloc, names).folder
