"""Work on a GPU as one CUDA graph: on small images a kernel ends before the host has launched the next one."""

from collections.abc import Callable

import torch
from torch import Tensor

# Their steps do not wait for the device, nor do they differ from one another: tests/test_gpu.py has them beside steps
# without a graph. What other nets of torchvision do inside is not known.
NETS = ("mlp", "cnn", "small_vgg", "small_resnet", "resnet18")


class Graphed:
    """`function`, captured once and replayed at each call: the same kernels on the same memory, launched together.

    It must have run before, so that what it makes only once is there, and draw from `generator` or from torch's own;
    both go on from call to call as they would without a graph. What it returned is overwritten by the next call.

    Raises:
      torch.OutOfMemoryError: its memory, which no one else uses from now on, is not there.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], example: Tensor, generator: torch.Generator) -> None:
        self.input = example.clone()
        self.graph = torch.cuda.CUDAGraph()
        self.graph.register_generator_state(generator)
        stream = torch.cuda.current_stream()
        with torch.cuda.stream(stream), torch.cuda.graph(self.graph):  # back on it, should the capture fail
            self.output = function(self.input)

    def __call__(self, value: Tensor) -> Tensor:
        self.input.copy_(value)
        self.graph.replay()
        return self.output
