"""Finds the split that the path of a container means."""

import re
from collections.abc import Iterable

from sweep.datasets.sources.split_names import TRAIN, split_in, split_of
from sweep.storage.sweep_file import DataOptions

TEN_THOUSAND = re.compile("t10k")  # the name of the test images of MNIST


def split_in_path(path: str) -> str | None:
    """Returns the split that a path means; if several parts mean one, the last decides."""
    for part in reversed(path.split("/")):
        stem = TEN_THOUSAND.sub("test", re.sub(r"\.\w+$", "", part))
        if split := split_in(stem):
            return split
    return None


def split_of_container(path: str, options: DataOptions) -> str | None:
    """Returns the split of a container: by a flag that names it or a folder above it, otherwise by its path."""
    for split, flag in (("train", options.train), ("validation", options.valid), ("test", options.test)):
        if flag is not None and f"{path}/".startswith(flag.removeprefix("./").rstrip("/") + "/"):
            return split
    return split_in_path(path)


def are_splits(values: Iterable[str]) -> bool:
    """Returns whether every value is the name of a split, and train is among them."""
    splits = {split_of(value) for value in set(values)}
    return TRAIN in splits and None not in splits
