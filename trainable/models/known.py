"""What is known of a net of a library, kept on this machine: to ask the library is to import it, which takes seconds.

What is kept is named by all that decides it, the versions of the libraries among it, in `~/.cache/sweep/nets/`. Where
that folder cannot be written, the library is asked each time.
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
    """Returns what `find` returned the first time on this machine, as JSON has it; what it raises is not kept.

    Args:
      about: all that decides what is found, but for the versions of the libraries.
    """
    name = json.dumps({**about, **versions()}, sort_keys=True)
    path = caches.folder() / "nets" / f"{hashlib.sha256(name.encode()).hexdigest()[:40]}.json"
    with suppress(OSError, ValueError, LookupError, TypeError):  # not there, or damaged
        return json.loads(path.read_bytes())["found"]
    content = json.dumps({"about": name, "found": find()})
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        save_bytes(path, content.encode())
    return json.loads(content)["found"]


@cache
def versions() -> dict[str, str]:
    return {name: version(name) for name in LIBRARIES}
