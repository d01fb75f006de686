"""Sends the pixels and the weights of a sweep, block by block, to nodes that do not see the driver's files."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sweep.datasets.far_files import block_of
from sweep.datasets.pixels.stored import StoredPixels
from sweep.trainable.weights import Weights, cache

if TYPE_CHECKING:
    from sweep.datasets.pixels.dataset import Dataset


class Blocks:
    """An actor on the driver's node that reads the files there for workers on other nodes."""

    def __init__(self, pixels: Path | None, weights: dict[str, Path]) -> None:
        self.pixels, self.weights = pixels, weights

    def block(self, number: int) -> bytes:
        """Returns a block of the file with the pixels."""
        assert self.pixels is not None
        return block_of(self.pixels, number)

    def size_of_weights(self, net: str) -> int:
        """Returns the bytes of the file with a pretrained net's weights."""
        return self.weights[net].stat().st_size

    def block_of_weights(self, net: str, number: int) -> bytes:
        """Returns a block of the file with a pretrained net's weights."""
        return block_of(self.weights[net], number)


def blocks_of(data: "Dataset", table: dict[str, Weights]) -> Any:
    """Starts and returns the actor that gives the blocks of the data's pool and of weights; None without such files."""
    images = data.valid.images
    pixels = images.path if isinstance(images, StoredPixels) else None
    if pixels is None and not table:
        return None
    files = {net: cache.path_of(net, weights.sha256) for net, weights in table.items()}
    home = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(num_cpus=0)(Blocks).options(scheduling_strategy=home, max_concurrency=4).remote(pixels, files)
