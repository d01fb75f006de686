"""Captures work on a GPU as a CUDA graph: on small images a kernel ends before the host has launched the next one."""

from collections.abc import Callable

import torch
from torch import Tensor


def has_graphs(device: torch.device) -> bool:
    """Returns whether work on a device can be captured and replayed."""
    return device.type == "cuda"


class Graphed:
    """A function, captured once and replayed at each call: the same kernels on the same memory, launched together.

    The function must have run before, so that everything that it allocates only once exists. Its random generators
    advance from call to call as they would without a graph, and may be seeded anew. The next call overwrites a result.

    Raises:
      torch.OutOfMemoryError: there is not enough memory for the graph, which nothing else may use from now on.
      RuntimeError: the function does something that no graph can do, for example it waits for the device.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], example: Tensor) -> None:
        self.input = example.clone()
        self.graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.current_stream()
        # The threads that read images keep running; their CUDA calls must not become part of the graph.
        capture = torch.cuda.graph(self.graph, capture_error_mode="thread_local")
        with torch.cuda.stream(stream), capture:  # the current stream again, even if the capture fails
            self.output = function(self.input)

    def __call__(self, value: Tensor) -> Tensor:
        """Replays the graph for this input; returns its output, which the next call overwrites."""
        self.input.copy_(value)
        self.graph.replay()
        return self.output
