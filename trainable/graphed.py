"""Work on a GPU as one CUDA graph: on small images a kernel ends before the host has launched the next one."""

from collections.abc import Callable

import torch
from torch import Tensor


def has_graphs(device: torch.device) -> bool:
    """Returns whether work on a device can be captured and replayed."""
    return device.type == "cuda"


class Graphed:
    """`function`, captured once and replayed at each call: the same kernels on the same memory, launched together.

    It must have run before, so that what it makes only once is there. Generators that it draws from go on from call to
    call as they would without a graph, and may be seeded anew. What it returned is overwritten by the next call.

    Raises:
      torch.OutOfMemoryError: its memory, which nothing else uses from now on, is not there.
      RuntimeError: it does what no graph can, to wait for the device for example.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], example: Tensor) -> None:
        self.input = example.clone()
        self.graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.current_stream()
        # The threads that read images go on meanwhile, and what they ask of CUDA is no part of it.
        capture = torch.cuda.graph(self.graph, capture_error_mode="thread_local")
        with torch.cuda.stream(stream), capture:  # back on it, should the capture fail
            self.output = function(self.input)

    def __call__(self, value: Tensor) -> Tensor:
        self.input.copy_(value)
        self.graph.replay()
        return self.output
