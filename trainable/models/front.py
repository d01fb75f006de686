"""Freezes the front of a net: its first stages keep the weights and the statistics that they came with."""

from torch import Tensor, nn

from sweep.trainable.models import frozen
from sweep.trainable.models.calls import calls_of
from sweep.trainable.models.staged import classifier_names, stages


def freeze_front(net: nn.Module, count: int, images: Tensor) -> None:
    """Freezes the first `count` stages of a net; if it has no more than that, everything but the classifier.

    Args:
      images: (N, 3, H, W), normalised, of the size that the net takes; N may be 1.
    """
    about, calls = stages(net, images), calls_of(net, images)
    if count < about.count:
        limit = max(call.ended for call in calls if call.name == about.ends[count - 1])
    else:
        last = classifier_names(net)
        limit = min(call.began for call in calls if call.name in last)
    late = {call.name for call in calls if call.ended > limit}
    for name in {call.name for call in calls} - late:
        frozen.freeze(net.get_submodule(name))
    own = dict(net.named_parameters())
    for names in about.parameters[: min(count, about.count)]:  # some parameters belong to no module that is called
        for name in names:
            own[name].requires_grad_(False)
