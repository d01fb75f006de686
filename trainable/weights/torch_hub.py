"""The folder of torch.hub, in which torchvision and timm store the files that they fetch from a web address."""

import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from sweep.trainable.weights.contract import Say, WeightsError
from sweep.trainable.weights.failures import cannot_fetch, fetching, shown

ANSWER_SECONDS = 60.0  # the longest wait for anything from a server
NAME = re.compile(r"-([0-9a-f]{8,64})\.")  # torch.hub's file names contain the beginning of the sha256


def folder() -> Path:
    """Returns the folder.

    See https://docs.pytorch.org/docs/stable/hub.html#where-are-my-downloaded-models-saved.
    """
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    # Not `Path.expanduser`: it raises for a user without a home, for example in a container under a random user id.
    return Path(os.path.expanduser(os.environ.get("TORCH_HOME", f"{cache}/torch"))) / "hub" / "checkpoints"


def path_of(url: str) -> Path:
    """Returns the place in the folder of the file that is fetched from an address."""
    return folder() / os.path.basename(urlsplit(url).path)


def files_of(name: str) -> list[Path]:
    """Returns the files that may belong to a net, judging by their names alone."""
    return sorted(folder().glob(f"{name}*"))


def check(path: Path, digest: str) -> None:
    """Compares the sha256 of a file in the folder with the beginning of it in the file's name.

    torch.hub itself checks a file only when it fetches it.

    Raises:
      WeightsError: they differ, so the file is damaged.
    """
    match = NAME.search(path.name)
    if match and not digest.startswith(match[1]):
        raise WeightsError(
            f"{path}: is damaged: its sha256 must begin with {match[1]}, got {digest}; delete it, and it is fetched "
            "anew"
        )


def fetch(arch: str, url: str, licence: str, say: Say) -> Path:
    """Fetches a file with torch.hub, which writes it completely and compares it with the sha256 in its name.

    Raises:
      WeightsError: it cannot be fetched, or is not complete.
    """
    from urllib.request import Request, urlopen

    from torch.hub import download_url_to_file

    path = path_of(url)
    match = NAME.search(path.name)
    with cannot_fetch(arch, shown(url)), _timeout():
        with urlopen(Request(url, headers={"User-Agent": "torch.hub"}, method="HEAD")) as answer:  # noqa: S310
            size = int(answer.headers.get("Content-Length") or 0)
        say(fetching(arch, size, licence, shown(url), path.parent))
        path.parent.mkdir(parents=True, exist_ok=True)
        download_url_to_file(url, str(path), match[1] if match else None, progress=sys.stderr.isatty())
        if size and path.stat().st_size != size:  # the connection broke off, and the name may have no sha256
            sent_bytes = path.stat().st_size
            path.unlink()
            raise WeightsError(
                f"{arch}: {shown(url)} sent {sent_bytes:,} of {size:,} bytes; run the same command again"
            )
    return path


@contextmanager
def _timeout() -> Iterator[None]:
    """Limits how long torch.hub waits for a server in the block; otherwise it would wait for ever."""
    old_timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(ANSWER_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(old_timeout)
