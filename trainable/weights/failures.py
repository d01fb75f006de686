"""The messages about a fetch: one line before it begins, and one line if it fails, with what the user can do.

Messages of the clients are not repeated, because the addresses in them may contain keys.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from sweep.trainable.weights.contract import WeightsError

NO_NETWORK = "--weights FILE or DIR takes what is on this machine"


def fetching(arch: str, size: int, licence: str, place: str, folder: Path) -> str:
    """Returns the line that announces a fetch.

    Args:
      size: bytes.
      place: where the weights are fetched from, without keys.
    """
    return f"Fetches the weights of {arch} ({size / 1e6:,.1f} MB, licence {licence}) from {place} into {folder}."


def shown(url: str) -> str:
    """Returns an address without the parts that may contain a key."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"


@contextmanager
def cannot_fetch(arch: str, place: str) -> Iterator[None]:
    """Turns any error of a client in the block into a WeightsError."""
    try:
        yield
    except WeightsError:
        raise
    except Exception as error:
        raise WeightsError(f"{arch}: its weights cannot be fetched from {place}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Returns what went wrong in a fetch and what to do, without the words of the client."""
    status = getattr(getattr(error, "response", None), "status_code", None) or getattr(error, "code", None)
    if isinstance(status, int):
        refusal = ", which asks for an account or a consent there" if status in (401, 403) else ""
        return f"the server answered {status}{refusal}; {NO_NETWORK}"
    if isinstance(error, OSError) and error.filename and error.errno:
        return f"{os.fspath(error.filename)} cannot be written: {error.strerror}; free it, or name another cache folder"
    if "hash" in str(error):  # torch.hub raises a RuntimeError
        return "what came has another sha256 than its name promises; nothing of it is kept, run the same command again"
    kind = type(getattr(error, "reason", None) or error.__cause__ or error).__name__
    return f"no answer, or a broken one ({kind}); run the same command again, or {NO_NETWORK}"
