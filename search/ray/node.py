"""Finds out what a machine has; the driver calls this for its own machine, and a worker on each node of a cluster."""

import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import distributions

from sweep.storage.bucket import open_place
from sweep.storage.files import save_bytes
from sweep.storage.store import store_of
from sweep.storage.versions import VERSIONS

DRIVER_FILE = "driver"  # the file that the driver leaves for the nodes to find


@dataclass(frozen=True)
class Machine:
    """The facts about one machine that decide whether it can run trials.

    Attributes:
      python: the version of Python.
      versions: the versions of the packages that decide the results; an empty text for one that is not installed.
      opencv: the builds of OpenCV that are installed.
      gpus: how many GPUs torch can use; None if torch was not asked.
      free_bytes: free space where the sweep lies; None if that cannot be reached.
      storage: why the sweep's folder cannot be read and written; empty if it can.
    """

    python: str
    versions: dict[str, str]
    opencv: list[str]
    gpus: int | None
    free_bytes: int | None
    storage: str


def inspect_machine(place: str, name: str, counts_gpus: bool) -> Machine:
    """Returns what this machine has, and writes a file to show the driver that it can write the sweep's folder.

    Args:
      place: the path or the address of a folder that the driver made for this check, with `DRIVER_FILE` in it.
      name: the name of the file to write, and its text.
      counts_gpus: whether to count GPUs, for which torch is imported, which takes seconds.
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
    packages = {str(each.metadata["Name"]).lower(): each.version for each in reversed(list(distributions()))}
    versions = {name: packages.get(name, "") for name in VERSIONS}
    opencv = sorted(name for name in packages if name.startswith("opencv-"))
    gpus = _gpus() if counts_gpus else None
    return Machine(platform.python_version(), versions, opencv, gpus, free_bytes, storage)


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()
