"""What a machine has, as seen on it: the driver's own, and each node of a cluster, where a worker calls this."""

import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import distributions

from sweep.storage.bucket import open_place
from sweep.storage.files import save_bytes
from sweep.storage.store import store_of
from sweep.storage.versions import VERSIONS

DRIVER_FILE = "driver"  # what the driver leaves for the nodes to find


@dataclass(frozen=True)
class Machine:
    """Attributes:
    python: its version.
    versions: of the packages that decide the results; empty of one that is not installed.
    opencv: the builds of OpenCV that are installed.
    gpus: that torch can use; None where it was not asked.
    free_bytes: where the sweep lies; None where that cannot be reached.
    storage: why the sweep's folder cannot be read and written; empty where it can.
    """

    python: str
    versions: dict[str, str]
    opencv: list[str]
    gpus: int | None
    free_bytes: int | None
    storage: str


def look(place: str, name: str, counts_gpus: bool) -> Machine:
    """Returns what this machine has; leaves a file of this name in the folder, whose text is the name.

    Args:
      place: the path or the address of a folder made by the driver for this look, with `DRIVER_FILE` in it.
      counts_gpus: imports torch, which takes seconds.
    """
    free_bytes, storage, folder = None, "", open_place(place)
    try:
        store_of(folder).fetch(folder)
        (folder / DRIVER_FILE).read_bytes()
        save_bytes(folder / name, name.encode())
        free_bytes = shutil.disk_usage(folder).free
    except FileNotFoundError:
        storage = "does not see what the driver wrote there"
    except OSError as error:
        storage = store_of(folder).shown(str(error))
    finally:
        store_of(folder).close()
    installed = {str(each.metadata["Name"]).lower(): each.version for each in reversed(list(distributions()))}
    versions = {name: installed.get(name, "") for name in VERSIONS}
    opencv = sorted(name for name in installed if name.startswith("opencv-"))
    gpus = _gpus() if counts_gpus else None
    return Machine(platform.python_version(), versions, opencv, gpus, free_bytes, storage)


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()
