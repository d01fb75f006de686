"""The folder of torch.hub, in which torchvision and timm keep the files that they fetch by their addresses."""

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

ANSWER_SECONDS = 60.0  # within which a server sends something
NAME = re.compile(r"-([0-9a-f]{8,64})\.")  # the beginning of a file's sha256 in its name, as torch.hub has it


def folder() -> Path:
    """See https://docs.pytorch.org/docs/stable/hub.html#where-are-my-downloaded-models-saved."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    # Not `Path.expanduser`, which raises for a user without a home, as in a container under a random number.
    return Path(os.path.expanduser(os.environ.get("TORCH_HOME", f"{cache}/torch"))) / "hub" / "checkpoints"


def path_of(url: str) -> Path:
    return folder() / os.path.basename(urlsplit(url).path)


def files_of(name: str) -> list[Path]:
    """Returns the files that may be of a net, by their names alone."""
    return sorted(folder().glob(f"{name}*"))


def check(path: Path, digest: str) -> None:
    """Checks a file that lies in the folder, whose sha256 this is.

    Raises:
      WeightsError: it is not the one that its name promises: torch.hub checks a file as it fetches it alone.
    """
    promised = NAME.search(path.name)
    if promised and not digest.startswith(promised[1]):
        raise WeightsError(
            f"{path}: is damaged: its sha256 must begin with {promised[1]}, got {digest}; delete it, and it is fetched "
            "anew"
        )


def fetch(arch: str, url: str, licence: str, say: Say) -> Path:
    """Fetches a file through torch.hub, which writes it whole and compares it with the sha256 in its name.

    Raises:
      WeightsError: it cannot.
    """
    from urllib.request import Request, urlopen

    from torch.hub import download_url_to_file

    path = path_of(url)
    promised = NAME.search(path.name)
    with cannot_fetch(arch, shown(url)), _timeout():
        with urlopen(Request(url, headers={"User-Agent": "torch.hub"}, method="HEAD")) as answer:  # noqa: S310
            size = int(answer.headers.get("Content-Length") or 0)
        say(fetching(arch, size, licence, shown(url), path.parent))
        path.parent.mkdir(parents=True, exist_ok=True)
        download_url_to_file(url, str(path), promised[1] if promised else None, progress=sys.stderr.isatty())
        if size and path.stat().st_size != size:  # the connection broke off, and no sha256 tells
            got = path.stat().st_size
            path.unlink()
            raise WeightsError(f"{arch}: {shown(url)} sent {got:,} of {size:,} bytes; run the same command again")
    return path


@contextmanager
def _timeout() -> Iterator[None]:
    """torch.hub waits for ever otherwise."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(ANSWER_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
