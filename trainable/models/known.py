"""Facts about the nets of libraries, stored on this machine, because importing a library to ask it takes seconds.

The files lie in `~/.cache/sweep/nets/`. The name of each follows from everything that decides its content, including
the versions of the libraries. If that folder cannot be written, the library is asked each time.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from typing import Any

from sweep.datasets.pixels import cache as caches
from sweep.storage.files import save_bytes

LIBRARIES = ("timm", "torch", "torchvision")


def known(about: Mapping[str, Any], find: Callable[[], Any]) -> Any:
    """Returns the result of `find`, which the first call on this machine stores as JSON; its errors are not stored.

    Args:
      about: everything that decides the result, except the versions of the libraries.
    """
    name = json.dumps({**about, **versions()}, sort_keys=True)
    path = caches.folder() / "nets" / f"{hashlib.sha256(name.encode()).hexdigest()[:40]}.json"
    with suppress(OSError, ValueError, LookupError, TypeError):  # the file is missing or damaged
        return json.loads(path.read_bytes())["found"]
    content = json.dumps({"about": name, "found": find()})
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        save_bytes(path, content.encode())
    return json.loads(content)["found"]


@cache
def versions() -> dict[str, str]:
    """Returns the installed versions of the libraries that nets come from."""
    return {name: version(name) for name in LIBRARIES}
