"""Last layers with dropout in front, for nets that have none; the names of their weights stay the same."""

from torch import Tensor, nn
from torch.nn import functional as F


class DroppedLinear(nn.Linear):
    """A linear layer that applies dropout to its input; `dropout` is the probability."""

    dropout = 0.0

    def forward(self, input: Tensor) -> Tensor:
        """Returns the layer's output for an input some of whose numbers are dropped in training."""
        return super().forward(F.dropout(input, self.dropout, self.training))


class DroppedConv2d(nn.Conv2d):
    """A convolution that applies dropout to its input; `dropout` is the probability."""

    dropout = 0.0

    def forward(self, input: Tensor) -> Tensor:
        """Returns the layer's output for an input some of whose numbers are dropped in training."""
        return super().forward(F.dropout(input, self.dropout, self.training))
