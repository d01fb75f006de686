"""The nets of a trial's folds as a single net, whose probabilities are the mean of theirs."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

PREFIX = "fold-{}."  # begins the names of a net's tensors in the file of all nets; folds count from 1
SMALLEST = 1e-30  # mean probabilities are raised to this, so that their logarithm is finite


class MeanOfNets(nn.Module):
    """Maps (N, 3, H, W) pixels to (N, classes) logits, which are the logarithms of the mean probabilities."""

    def __init__(self, nets: Sequence[nn.Module]) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, images: Tensor) -> Tensor:
        """Returns the logarithms of the nets' mean probabilities."""
        shares = torch.stack([net(images).float().softmax(dim=1) for net in self.nets])
        return shares.mean(dim=0).clamp(min=SMALLEST).log()
