"""What the processes of a trial do together within the training loop.

They hold the same weights. Of each batch every process has a part, and the gradients of the parts are added up before
the optimizer changes the weights, as in DistributedDataParallel (Li et al. 2020, arXiv 2006.15704), whose arithmetic
this is. Its class is not used, because that one adds gradients while others are still computed: a process short of
memory, which does its part again in smaller pieces, could not take back what it had added already.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from sweep.datasets.pixels import Pixels
from sweep.datasets.pixels.rows import ChosenPixels
from sweep.trainable.batch import SMALLEST_MICRO_BATCH

if TYPE_CHECKING:
    from sweep.datasets.pixels.dataset import Dataset
    from sweep.trainable.config import TrialConfig
    from sweep.trainable.state import TrainState


ENDING_SECONDS = 10.0  # in which it is known that another process has come to its end, once this one has lost it


@dataclass(frozen=True)
class Part:
    """The images of a batch that one process learns from.

    Attributes:
      rows: (n,) int64, of the training images.
      share: of these images in the gradient of the whole batch; the shares of all processes add up to 1.
      times: how often an image counts in the sum of the batch's losses.
    """

    rows: Tensor
    share: float = 1.0
    times: float = 1.0


class Group:
    """The processes that train a trial together; by default this one alone, for which every method does nothing.

    Attributes:
      rank: which of them this is, from 0.
      size: how many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @property
    def is_alone(self) -> bool:
        return self.size == 1

    def begin(self, config: "TrialConfig", data: "Dataset", state: "TrainState") -> None:
        """Called once a net, before its first epoch, when the weights of the first process are those to begin with."""

    def begin_epoch(self) -> None:
        """Called before each epoch of a net."""

    def failure(self, seconds: float = 0.0) -> BaseException | None:
        """Returns why another process came to an end; None while all of them run, as far as this one knows.

        Args:
          seconds: to wait for that, at most.
        """
        return None

    def parts(self, batches: Iterable[Tensor]) -> list[Part]:
        """Returns this process's part of each batch.

        A batch that is too small to be split, the last one of an epoch for example, is learnt from whole by every
        process: batch norm has no variance in a single image.
        """
        return [self._part(batch) for batch in batches]

    def _part(self, batch: Tensor) -> Part:
        if self.is_alone:
            return Part(batch)
        if len(batch) < SMALLEST_MICRO_BATCH * self.size:
            return Part(batch, 1 / self.size, 1 / self.size)
        rows = batch.tensor_split(self.size)[self.rank]
        return Part(rows, len(rows) / len(batch))

    def most(self, images: int) -> int:
        """Returns how many images the largest part of a batch of so many has."""
        return images if images < SMALLEST_MICRO_BATCH * self.size else -(-images // self.size)

    def agree(self, tensor: Tensor) -> Tensor:
        """Returns what the first process has: GPUs of different kinds may draw different numbers from one seed."""
        if not self.is_alone:
            with self._watched():
                dist.broadcast(tensor, 0)
        return tensor

    def total(self, tensor: Tensor) -> Tensor:
        """Returns the sum over all processes."""
        if not self.is_alone:
            with self._watched():
                dist.all_reduce(tensor)
        return tensor

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Adds up the gradients of all processes; a parameter without one in this process counts as zero."""
        if self.is_alone:
            return
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        for parameter in trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in trained if parameter.grad is not None]
        # In one piece: a call for each of hundreds of small tensors would take longer than the addition.
        added = self.total(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        parts = added.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def predict(
        self, images: Tensor | Pixels, models: Iterable[nn.Module], predict: Callable[[Tensor | Pixels], np.ndarray]
    ) -> np.ndarray:
        """Returns (N, classes) float32 logits of all images, each computed by one of the processes.

        Args:
          models: which predict, or from which those are made that do; they get the batch statistics of the first
            process, so that all processes predict by the same net.
          predict: returns the logits of some of the images.
        """
        if self.is_alone:
            return predict(images)
        for model in models:
            for buffer in model.buffers():
                buffer.copy_(self.agree(buffer.contiguous()))
        if len(images) < self.size:
            return predict(images)
        ends = [len(images) * rank // self.size for rank in range(self.size + 1)]
        own = slice(ends[self.rank], ends[self.rank + 1])
        logits = torch.from_numpy(predict(_some(images, own)))
        every = logits.new_empty(len(images), logits.shape[1])
        every[own] = logits
        with self._watched():
            for rank, (start, end) in enumerate(pairwise(ends)):
                dist.broadcast(every[start:end], rank)
        return every.numpy()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Raises what another process came to its end by, in place of what its silence leads to here."""
        try:
            yield
        except RuntimeError as error:
            failure = self.failure(ENDING_SECONDS)
            if failure is None:
                raise
            raise failure from error
        if failure := self.failure():  # what a GPU was given may be anything
            raise failure


def _some(images: Tensor | Pixels, rows: slice) -> Tensor | Pixels:
    if isinstance(images, Tensor):
        return images[rows]
    return ChosenPixels(images, np.arange(rows.start, rows.stop))


ALONE = Group()
