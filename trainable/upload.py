"""Puts the pixels that threads read into a batch, which is in the host's memory or on a GPU."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

Read = Callable[[np.ndarray], None]  # fills an array with the pixels of some images


class Way(Protocol):
    """The way of pixels into a batch on one device.

    The caller that takes the batches calls `empty` and `arrived`; the threads that read call `fill`.
    """

    def empty(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Returns a batch to be filled."""
        ...

    def fill(self, part: Tensor, read: Read) -> Any:
        """Fills some images of a batch; returns a value from which `arrived` knows when they are there."""
        ...

    def arrived(self, batch: Tensor, filled: Sequence[Any]) -> Tensor:
        """Returns the batch for use, once each of its parts has been filled."""
        ...


class HostBatches:
    """Batches in the host's memory, into which the threads read; another device gets a copy when it is used."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def empty(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Returns a batch in the host's memory."""
        return torch.empty(tuple(shape), dtype=dtype)

    def fill(self, part: Tensor, read: Read) -> Any:
        """Reads some images straight into their part of the batch."""
        read(part.numpy())

    def arrived(self, batch: Tensor, filled: Sequence[Any]) -> Tensor:
        """Returns the batch on the device: itself on a CPU, else a copy."""
        return batch.to(self.device)


class Upload:
    """Batches on a GPU, to which each thread immediately copies the pixels that it has read, from pinned memory.

    The copies go through a stream of their own, beside whatever the GPU computes. Neither the host nor the GPU's other
    work waits for a batch before it is used.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.stream = device, torch.cuda.Stream(device)

    def empty(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Returns a batch on the GPU, from the memory of the stream that fills it."""
        with torch.cuda.stream(self.stream):  # owns the memory: once given back, it serves later batches of this stream
            return torch.empty(tuple(shape), dtype=dtype, device=self.device)

    def fill(self, part: Tensor, read: Read) -> torch.cuda.Event:
        """Reads some images and starts their copy to the GPU; returns the event that marks the end of the copy."""
        with torch.cuda.stream(self.stream):  # it also selects its device; a new thread would use the first GPU
            pinned = torch.empty(part.shape, dtype=part.dtype, pin_memory=True)
            read(pinned.numpy())
            part.copy_(pinned, non_blocking=True)
            return self.stream.record_event()

    def arrived(self, batch: Tensor, filled: Sequence[torch.cuda.Event]) -> Tensor:
        """Returns the batch, after making the GPU's current stream wait for the copies of its parts."""
        current_stream = torch.cuda.current_stream(self.device)
        for event in filled:
            current_stream.wait_event(event)
        batch.record_stream(current_stream)  # no later batch gets its memory before that stream is done with it
        return batch


@cache
def way_to(device: torch.device) -> Way:
    """Returns the way to a device, always the same one, because only the stream that freed memory can reuse it."""
    return Upload(device) if device.type == "cuda" else HostBatches(device)
