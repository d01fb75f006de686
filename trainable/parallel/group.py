"""The common work of the processes of a trial within the training loop.

All of them hold the same weights. Each process gets a part of every batch, and the gradients of the parts are added up
before the optimiser changes the weights. This is the arithmetic of DistributedDataParallel (Li et al. 2020, arXiv
2006.15704). Its class is not used, because it already adds up gradients while others are still computed: a process
short of memory, which must do its part again in smaller pieces, could not take back what it had added.
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


ENDING_SECONDS = 10.0  # how long to wait, after contact with a process is lost, until its end is known


@dataclass(frozen=True)
class BatchPart:
    """The images of a batch from which one process learns.

    Attributes:
      rows: (n,) int64, rows of the training images.
      share: how much these images count in the gradient of the whole batch; the shares of all processes add up to 1.
      times: how much an image counts in the sum of the batch's losses; below 1 if every process has it.
    """

    rows: Tensor
    share: float = 1.0
    times: float = 1.0


class Group:
    """The processes that train a trial together; by default only this one, and then nothing needs to be exchanged.

    Attributes:
      rank: the number of this process, from 0.
      size: how many processes there are.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @property
    def is_alone(self) -> bool:
        """Whether this process trains the trial by itself."""
        return self.size == 1

    def begin(self, config: "TrialConfig", data: "Dataset", state: "TrainState") -> None:
        """Prepares a net for joint training; called once per net, before its first epoch.

        At that time the first process has the weights with which all processes begin.
        """

    def begin_epoch(self) -> None:
        """Prepares an epoch of a net; called before each of them."""

    def failure(self, seconds: float = 0.0) -> BaseException | None:
        """Returns why another process has ended; None as long as this process knows of no such end.

        Args:
          seconds: how long to wait for it at most.
        """
        return None

    def parts(self, batches: Iterable[Tensor]) -> list[BatchPart]:
        """Returns this process's part of each batch.

        If a batch is too small to be split, such as the last one of an epoch, every process learns from all of it,
        because batch norm cannot compute a variance from a single image.
        """
        return [self._part(batch) for batch in batches]

    def _part(self, batch: Tensor) -> BatchPart:
        """Returns this process's part of a batch."""
        if self.is_alone:
            return BatchPart(batch)
        if len(batch) < SMALLEST_MICRO_BATCH * self.size:
            return BatchPart(batch, 1 / self.size, 1 / self.size)
        rows = batch.tensor_split(self.size)[self.rank]
        return BatchPart(rows, len(rows) / len(batch))

    def largest_part(self, images: int) -> int:
        """Returns the number of images in the largest part of a batch of `images`."""
        return images if images < SMALLEST_MICRO_BATCH * self.size else -(-images // self.size)

    def agree(self, tensor: Tensor) -> Tensor:
        """Gives all processes the first one's tensor, because GPUs of different kinds may draw different numbers."""
        if not self.is_alone:
            with self._explain_errors():
                dist.broadcast(tensor, 0)
        return tensor

    def total(self, tensor: Tensor) -> Tensor:
        """Returns the sum over all processes."""
        if not self.is_alone:
            with self._explain_errors():
                dist.all_reduce(tensor)
        return tensor

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Adds up the gradients of all processes; a parameter that has none in this process counts as zero."""
        if self.is_alone:
            return
        trained_parameters = [parameter for parameter in parameters if parameter.requires_grad]
        for parameter in trained_parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in trained_parameters if parameter.grad is not None]
        # All in one tensor: one call for each of hundreds of small tensors would take longer than the addition.
        sums = self.total(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        parts = sums.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def predict(
        self, images: Tensor | Pixels, models: Iterable[nn.Module], predict: Callable[[Tensor | Pixels], np.ndarray]
    ) -> np.ndarray:
        """Returns (N, classes) float32 logits of all images, each computed by one of the processes.

        Args:
          models: the models that predict, and those from which they are made. They get the batch statistics of
            the first process, so that all processes predict with the same net.
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
        own_rows = slice(ends[self.rank], ends[self.rank + 1])
        logits = torch.from_numpy(predict(_row_range(images, own_rows)))
        all_logits = logits.new_empty(len(images), logits.shape[1])
        all_logits[own_rows] = logits
        with self._explain_errors():
            for rank, (start, end) in enumerate(pairwise(ends)):
                dist.broadcast(all_logits[start:end], rank)
        return all_logits.numpy()

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        """Raises the reason why another process ended, instead of the error that its silence causes in this one."""
        try:
            yield
        except RuntimeError as error:
            failure = self.failure(ENDING_SECONDS)
            if failure is None:
                raise
            raise failure from error
        if failure := self.failure():  # then a GPU may have received anything, even without an error
            raise failure


def _row_range(images: Tensor | Pixels, rows: slice) -> Tensor | Pixels:
    """Returns a range of rows of the images."""
    if isinstance(images, Tensor):
        return images[rows]
    return ChosenPixels(images, np.arange(rows.start, rows.stop))


ALONE = Group()
