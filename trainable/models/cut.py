"""Cuts a net behind a stage: later stages are left out, and the mean of the stage's map is classified."""

from torch import Tensor, nn
from torch.nn import functional as F

from sweep.trainable.models.calls import calls_of
from sweep.trainable.models.stage_maps import features
from sweep.trainable.models.staged import Stages, stages


class Cut(nn.Module):
    """The first stages of a net, followed by a linear layer on the mean of their last map."""

    def __init__(self, net: nn.Module, number: int, classes: int, images: Tensor, dropout: float) -> None:
        """Cuts a net, which is changed in place.

        Args:
          number: the number of the last stage that is kept.
          images: (N, 3, H, W), N at least 1, normalised, at the size that the net takes.
          dropout: probability, before the linear layer.
        """
        super().__init__()
        net_stages = stages(net, images)
        channels = features(net, images, (number,))[0].shape[1]
        for name in _called_after(net, net_stages.ends[number - 1], images):
            left_out = net.get_submodule(name)
            # The net may check how many members a list has, so each is replaced by a blank of its own.
            blank = nn.Sequential(*(nn.Identity() for _ in left_out.children()))
            net.set_submodule(name, blank if isinstance(left_out, nn.Sequential) else nn.Identity())
        self.net, self.number, self.dropout = net, number, dropout
        self.head = nn.Linear(channels, classes)
        ends = tuple(f"net.{name}" for name in net_stages.ends[:number])
        groups = [[f"net.{name}" for name in group] for group in net_stages.parameters[:number]]
        grouped_names = {name for group in groups for name in group}
        groups[-1] += [
            name for name, _ in self.named_parameters() if name.startswith("net.") and name not in grouped_names
        ]
        self.found_stages = Stages(ends, (), (*map(tuple, groups), (), ("head.weight", "head.bias")))

    def forward(self, images: Tensor) -> Tensor:
        """Returns the (N, classes) logits of normalised images."""
        (last_map,) = features(self.net, images, (self.number,))
        return self.head(F.dropout(last_map.mean((2, 3)), self.dropout, self.training))


def cut(net: nn.Module, number: int, classes: int, images: Tensor, dropout: float | None) -> nn.Module:
    """Returns the first `number` stages of the net with a new classifier, or the net itself if it has no more."""
    return net if number >= stages(net, images).count else Cut(net, number, classes, images, dropout or 0.0)


def _called_after(net: nn.Module, end: str, images: Tensor) -> list[str]:
    """Returns the outermost modules that are called only after the end of a stage, by their names."""
    calls = calls_of(net, images)
    limit = next(call.ended for call in calls if call.name == end)
    late_names = {call.name for call in calls} - {call.name for call in calls if call.began < limit}
    return [name for name in late_names if not any(name.startswith(f"{other}.") for other in late_names)]
