"""The mean of a net's weights over its last steps, which predicts better than the weights of any single step."""

import copy

import torch
from torch import Tensor, nn

FIRST_STEPS = 10  # at the start step t has at least the weight (FIRST_STEPS - 1) / (FIRST_STEPS + t) in the mean


class Averaged:
    """A copy of a net whose weights are the exponential moving average of the net's own.

    The statistics of batch norm are averaged like the weights. Parameters that do not train are shared with the net,
    not copied. On a GPU an update takes a kernel or two after each step; it is not part of the step's CUDA graph.

    Attributes:
      model: the copy; it predicts and never trains.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Copies the net.

        Args:
          decay: the weight of the previous mean at each step, [0, 1).
        """
        self.decay = decay
        frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
        self.model = copy.deepcopy(model, {id(parameter): parameter for parameter in frozen}).eval()
        self.model.requires_grad_(False)
        pairs = list(zip(_tensors(self.model), _tensors(model), strict=True))
        self.means = [pair for pair in pairs if pair[0] is not pair[1] and pair[0].is_floating_point()]
        self.counts = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Adds the net's present weights to the mean.

        Args:
          step: from 0, over the whole trial. The decay is smaller in the first steps, so that the mean soon forgets the
            weights from before training.
        """
        share = max(1 - self.decay, (FIRST_STEPS - 1) / (FIRST_STEPS + step))
        means, weights = zip(*self.means, strict=True)
        torch._foreach_lerp_(list(means), list(weights), share)  # one call for all tensors
        for count, net_count in self.counts:
            count.copy_(net_count)


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]
