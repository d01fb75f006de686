"""Where the data of a sweep lies, as `sweep.json` records it. Imports nothing heavy.

It is an absolute path, or `demo-images`: the images that were generated in the sweep's own folder, which move with
it. A repeat and a refit lie in the folder of their search, and use its images.
"""

import os
from pathlib import Path

DEMO = "demo-images"


def own_images(folder: Path, kind: str = "search") -> Path:
    """Returns where the generated images of a sweep lie, there or not; `kind` as `sweep.json` has it."""
    home = folder.resolve()
    return (home if kind == "search" else home.parent) / DEMO


def to_place(folder: Path, kind: str, recorded: str) -> str:
    """Returns the absolute path of the data that `sweep.json` in `folder` records."""
    own = own_images(folder, kind)
    # Sweeps of before have the absolute path of their images, which is another one once the folder was moved.
    if recorded == DEMO or (os.path.basename(recorded) == DEMO and own.is_dir()):
        return str(own)
    return recorded


def to_record(folder: Path, kind: str, place: str) -> str:
    """Returns what `sweep.json` in `folder` records of data that lies at `place`."""
    return DEMO if is_same(place, str(own_images(folder, kind))) else place


def is_same(place: str, other: str) -> bool:
    """Whether both paths lead to one place, which need not exist."""
    return os.path.realpath(place) == os.path.realpath(other)
