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
    net_stages, calls = stages(net, images), calls_of(net, images)
    if count < net_stages.count:
        limit = max(call.ended for call in calls if call.name == net_stages.ends[count - 1])
    else:
        classifiers = classifier_names(net)
        limit = min(call.began for call in calls if call.name in classifiers)
    late_names = {call.name for call in calls if call.ended > limit}
    for name in {call.name for call in calls} - late_names:
        frozen.freeze(net.get_submodule(name))
    parameters = dict(net.named_parameters())
    # Some parameters belong to no module that is called.
    for names in net_stages.parameters[: min(count, net_stages.count)]:
        for name in names:
            parameters[name].requires_grad_(False)
