"""Several heads on one frozen net, as a single net that runs the frozen one once for all of them."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from sweep.trainable.models import stage_maps, staged
from sweep.trainable.models.head import HeadNet


def share_backbone(model: nn.Module, others: Iterable[nn.Module]) -> None:
    """Makes a head use the backbone of another head, if the weights of both backbones are equal to the last bit.

    Args:
      model, others: nets of any kind as `trainable.models.net.build` returns them, on one device.
    """
    if (head := head_of(model)) is None:
        return
    for other in map(head_of, others):
        if other is not None and _are_equal(head.filled(), other.filled()):
            head.backbone = other.filled()
            return


def head_of(model: nn.Module) -> HeadNet | None:
    """Returns the head behind the layer that normalises, or None if the model is something else."""
    net = model[1] if isinstance(model, nn.Sequential) and len(model) == 2 else None
    return net if isinstance(net, HeadNet) else None


def _are_equal(net: nn.Module, other: nn.Module) -> bool:
    """Returns whether two frozen nets give the same features; their classifiers, which no head reads, may differ."""
    if net is other:
        return True
    weights, other_weights = net.state_dict(), other.state_dict()
    features = weights.keys() - set(staged.found_stages(net).parameters[-1])
    return (
        type(net) is type(other)
        and weights.keys() == other_weights.keys()
        and all(torch.equal(weights[name], other_weights[name]) for name in features)
    )


class HeadsTogether(nn.Module):
    """Maps pixels to the logits of several heads, which stand side by side in one row per image."""

    def __init__(self, models: Sequence[nn.Module]) -> None:
        """Joins the heads.

        Args:
          models: heads that share one backbone (see `share_backbone`) and the way in which it takes pixels.
        """
        super().__init__()
        self.models = nn.ModuleList(models)
        self.heads = [head for head in map(head_of, models) if head is not None]
        self.stages = sorted({number for head in self.heads for number in head.stages})

    def forward(self, pixels: Tensor) -> Tensor:
        """Returns (N, heads * classes) logits of (N, 3, H, W) pixels."""
        normalize, _ = self.models[0].children()
        images = normalize(pixels)
        outputs = stage_maps.features(self.heads[0].filled(), images, self.stages)
        maps = dict(zip(self.stages, outputs, strict=True))
        with torch.autocast(images.device.type, enabled=False):  # as when a head computes alone
            logits = [head.from_maps([maps[number] for number in head.stages]) for head in self.heads]
        return torch.cat(logits, dim=1)
