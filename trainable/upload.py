"""How pixels that threads read get into a batch: one in the host's memory, or one on a GPU."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

Read = Callable[[np.ndarray], None]  # fills an array with the pixels of some images


class Way(Protocol):
    """`empty` and `arrived` are called by whoever takes batches, `fill` by the threads that read."""

    def empty(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Returns a batch to be filled."""
        ...

    def fill(self, part: Tensor, read: Read) -> Any:
        """Fills some images of a batch; returns what `arrived` must be given of them."""
        ...

    def arrived(self, batch: Tensor, filled: Sequence[Any]) -> Tensor:
        """Returns the batch for use, once each of its parts has been filled."""
        ...


class InMemory:
    """Batches in the host's memory, into which the threads read; another device gets a copy when it is used."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def empty(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        return torch.empty(tuple(shape), dtype=dtype)

    def fill(self, part: Tensor, read: Read) -> Any:
        read(part.numpy())

    def arrived(self, batch: Tensor, filled: Sequence[Any]) -> Tensor:
        return batch.to(self.device)


class Upload:
    """Batches on a GPU. What a thread has read it sends off at once, from pinned memory.

    They go there on a stream of their own, beside whatever the GPU computes, and neither the host nor the GPU's other
    work waits for one before it is used.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.stream = device, torch.cuda.Stream(device)

    def empty(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        with torch.cuda.stream(self.stream):  # whose memory it is: given back, it serves later batches of the stream
            return torch.empty(tuple(shape), dtype=dtype, device=self.device)

    def fill(self, part: Tensor, read: Read) -> torch.cuda.Event:
        with torch.cuda.stream(self.stream):  # and so on its device, which in a new thread is the first GPU
            pinned = torch.empty(part.shape, dtype=part.dtype, pin_memory=True)
            read(pinned.numpy())
            part.copy_(pinned, non_blocking=True)
            return self.stream.record_event()

    def arrived(self, batch: Tensor, filled: Sequence[torch.cuda.Event]) -> Tensor:
        using = torch.cuda.current_stream(self.device)
        for event in filled:
            using.wait_event(event)
        batch.record_stream(using)  # its memory is not given to a later batch before that stream is done with it
        return batch


@cache
def way_to(device: torch.device) -> Way:
    """Returns the one of a device: memory that a stream has given back serves that stream alone."""
    return Upload(device) if device.type == "cuda" else InMemory(device)
