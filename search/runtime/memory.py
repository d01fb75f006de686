"""Limits how much of a worker's memory a trial may take; the limit is fixed for the sweep before its first trial.

A config that needs more is drawn again before it is written, so that no trial is spent on it.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.search.spaces.space import Space
from sweep.storage.sweep_file import Memory, Values
from sweep.trainable import models
from sweep.trainable.config import ConfigError, TrialConfig

if TYPE_CHECKING:
    from sweep.datasets.pixels.dataset import Dataset

CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # the limit of a container
DRIVER_BYTES = 1 << 30  # kept free on this machine for the driver, Ray, and whatever else runs
CUDA_BYTES = 2 << 30  # kept free on a machine with GPUs for CUDA's libraries, which all of its workers share
CLOSE = 0.5  # if no corner of a space needs this share of the limit, no draw can need more than the limit

GB = 1e9


@dataclass(frozen=True)
class MemoryLimit(Memory):
    """The memory that a trial may take, and whether a config stays within it.

    Attributes:
      worker: the bytes of a worker's memory; 0 for no limit. If trials run on GPUs, no config is refused by it, because
        too little is known of its use there.
      gpu: the bytes of a GPU's memory; 0 for no limit, or if trials run on no GPU.
      on_gpu: whether trials run on GPUs.
      classes: the number of classes.
      image_size: height and width in px.
    """

    classes: int
    image_size: tuple[int, int]

    @staticmethod
    def read(about: Memory | None, classes: int, image_size: Iterable[int]) -> "MemoryLimit | None":
        """Returns the limit that `sweep.json` stores; None for a sweep without one."""
        height, width = image_size
        return MemoryLimit(about.worker, about.gpu, about.on_gpu, classes, (height, width)) if about else None

    @property
    def memory(self) -> Memory:
        """The part that `sweep.json` stores."""
        return Memory(self.worker, self.gpu, self.on_gpu)

    def share(self, config: TrialConfig) -> float:
        """Returns which share of the available memory a config needs; above 1 it does not fit."""
        return max((need / capacity for need, capacity, _ in self._needs(config)), default=0.0)

    def why_too_large(self, config: TrialConfig) -> str:
        """Returns in words what a config needs and what there is; empty if it fits."""
        if self.share(config) <= 1:
            return ""
        need, capacity, owner = max(self._needs(config), key=lambda needs: needs[0] / needs[1])
        side = config.input_size  # the net resizes images to it
        size = "{}x{} px".format(*((side, side) if side else self.image_size))
        return f"about {need / GB:.1f} GB at {size}, of the {capacity / GB:.1f} GB that {owner} has for a trial"

    def may_lack(self, configs: list[TrialConfig]) -> list[str]:
        """Returns a sentence if trials on GPUs may need more of a worker's memory than there is; else nothing."""
        from sweep.trainable.size import size_of, worker_bytes  # imports torch

        if not self.on_gpu or not self.worker:
            return []
        sizes = [(config, size_of(config, self.classes, self.image_size)) for config in configs]
        need = max((worker_bytes(config, size, self.image_size, True) for config, size in sizes), default=0)
        if need <= self.worker:
            return []
        return [
            f"A trial may need about {need / GB:.1f} GB beside its GPU, and a worker has {self.worker / GB:.1f} GB: "
            "should trials run out of memory, let fewer run at a time with --concurrency."
        ]

    def less_than(self, other: "MemoryLimit") -> str:
        """Returns in words how this limit is lower than another one; empty if it is not."""
        for owner, limit, other_limit in (("worker", self.worker, other.worker), ("GPU", self.gpu, other.gpu)):
            if 0 < limit < other_limit:
                return (
                    f"A {owner} has {limit / GB:.1f} GB for a trial here, and had {other_limit / GB:.1f} GB where this "
                    "sweep began"
                )
        return ""

    def _needs(self, config: TrialConfig) -> list[tuple[int, int, str]]:
        """Returns for each kind of memory the bytes needed, the bytes available, and what has that memory."""
        from sweep.trainable.size import gpu_bytes, size_of, worker_bytes  # imports torch

        size, needs = size_of(config, self.classes, self.image_size), []
        if self.worker and not self.on_gpu:
            needs.append((worker_bytes(config, size, self.image_size), self.worker, "a worker"))
        if self.gpu:
            needs.append((gpu_bytes(config, size, self.image_size), self.gpu, "a GPU"))
        return needs

    def matters(self, corners: list[TrialConfig]) -> bool:
        """Returns whether a net of the space with these corners may come near the limit."""
        return any(self.share(config) > CLOSE for config in corners)

    def too_large(self, corners: list[TrialConfig]) -> set[str]:
        """Returns the architectures of which no corner fits."""
        return {arch for arch, configs in _by_family(corners).items() if min(map(self.share, configs)) > 1}

    def notes(self, corners: list[TrialConfig]) -> list[str]:
        """Returns a sentence for each architecture that is not drawn as the space describes it.

        Args:
          corners: the configs at the corners of the space, or all configs there are.

        Raises:
          ConfigError: nothing of the space fits.
        """
        families, too_large, notes = _by_family(corners), self.too_large(corners), []
        if too_large == families.keys():
            smallest = min(corners, key=self.share)
            raise ConfigError(
                f"no net of the space fits into memory: the smallest needs {self.why_too_large(smallest)}; make "
                "the images smaller with --image-size, let fewer trials run at a time with --concurrency, or search "
                "smaller nets or batches"
            )
        for arch, configs in families.items():
            smallest, largest = min(configs, key=self.share), max(configs, key=self.share)
            if arch in too_large:
                notes.append(f"{arch} is not drawn: it needs at least {self.why_too_large(smallest)}.")
            elif why := self.why_too_large(largest):
                notes.append(f"{arch}: the largest nets need {why}; what does not fit is not drawn.")
        return notes


def _by_family(configs: list[TrialConfig]) -> dict[str, list[TrialConfig]]:
    return {
        arch: [each for each in configs if each.arch == arch] for arch in dict.fromkeys(each.arch for each in configs)
    }


def why_too_large(space: Space, limit: MemoryLimit, params: Values) -> str:
    """Returns in words what a config needs and what there is; empty if it fits, or if parameters are missing."""
    return "" if space.missing(params) else limit.why_too_large(space.chosen(params))


def check_nets(configs: list[TrialConfig], data: "Dataset") -> None:
    """Checks the net of each config, by passing a batch of no images through it.

    Raises:
      ConfigError: a net does not fit the images, or its ImageNet weights are not on this machine.
      FeaturesError: the features kept for heads would be too large.
    """
    from sweep.trainable.features.store import bytes_of, check_size  # imports torch
    from sweep.trainable.size import size_of

    for config in configs:
        size = size_of(config, len(data.classes), data.image_size)
        if config.backbone:
            images, (side, _) = len(data.train.images), size.seen or data.image_size
            check_size(config.backbone, side, images, bytes_of(size.features, images))
        if config.pretrained:
            models.check(config)


def gpu_bytes(gpus_per_trial: float) -> int:
    """Returns the bytes that a trial may take of this machine's smallest GPU; 0 if there is none."""
    import torch

    sizes = [torch.cuda.get_device_properties(number).total_memory for number in range(torch.cuda.device_count())]
    return int(min(sizes, default=0) * min(1.0, gpus_per_trial))


def machine_bytes() -> int:
    """Returns the bytes of memory of this machine, or of this process's container, whatever else is running."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # there is no such file, or it says `max`
            total = min(total, int(Path(path).read_text(encoding="utf-8")))
    return total
