"""Gives nodes that do not see the driver's files the pixels of a sweep, a block at a time."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from datasets.pixels.copies import block_of
from datasets.pixels.stored import StoredPixels

if TYPE_CHECKING:
    from datasets.pixels.dataset import Dataset


class Blocks:
    """An actor on the driver's node, which reads the file there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def block(self, number: int) -> bytes:
        return block_of(self.path, number)


def blocks_of(data: "Dataset") -> Any:
    """Returns the actor that gives the blocks of the data's pool; None where its pixels are in an array."""
    images = data.valid.images
    if not isinstance(images, StoredPixels):
        return None
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(num_cpus=0)(Blocks).options(scheduling_strategy=here, max_concurrency=4).remote(images.path)
