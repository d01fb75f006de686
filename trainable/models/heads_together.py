"""Several heads on one frozen net as a single net, which runs the frozen one once for all of them."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from sweep.trainable.models import stage_maps, staged
from sweep.trainable.models.head import HeadNet


def share_backbone(model: nn.Module, others: Iterable[nn.Module]) -> None:
    """Gives a head the very backbone of another one that has the same weights to the last bit.

    Args:
      model, others: as `trainable.models.net.build` returns them, of any kind, on one device.
    """
    if (head := head_of(model)) is None:
        return
    for other in map(head_of, others):
        if other is not None and _are_equal(head.filled(), other.filled()):
            head.backbone = other.filled()
            return


def head_of(model: nn.Module) -> HeadNet | None:
    """Returns the head behind the layer that normalises; None where the model is something else."""
    net = model[1] if isinstance(model, nn.Sequential) and len(model) == 2 else None
    return net if isinstance(net, HeadNet) else None


def _are_equal(one: nn.Module, other: nn.Module) -> bool:
    """Returns whether two frozen nets give the same features; their classifiers, which no head reads, may differ."""
    if one is other:
        return True
    mine, theirs = one.state_dict(), other.state_dict()
    features = mine.keys() - set(staged.found_stages(one).parameters[-1])
    return (
        type(one) is type(other)
        and mine.keys() == theirs.keys()
        and all(torch.equal(mine[name], theirs[name]) for name in features)
    )


class HeadsTogether(nn.Module):
    """Pixels to the logits of several heads, side by side in one row an image."""

    def __init__(self, models: Sequence[nn.Module]) -> None:
        """Args:
        models: heads that share one backbone, `share_backbone`, and how it takes pixels.
        """
        super().__init__()
        self.models = nn.ModuleList(models)
        self.heads = [head for head in map(head_of, models) if head is not None]
        self.stages = sorted({number for head in self.heads for number in head.stages})

    def forward(self, pixels: Tensor) -> Tensor:
        normalize, _ = self.models[0].children()
        images = normalize(pixels)
        found = stage_maps.features(self.heads[0].filled(), images, self.stages)
        maps = dict(zip(self.stages, found, strict=True))
        with torch.autocast(images.device.type, enabled=False):  # as each head computes on its own
            logits = [head.from_maps([maps[number] for number in head.stages]) for head in self.heads]
        return torch.cat(logits, dim=1)
