"""Test-time averaging: the mean of the probabilities over the flips and transposes that a config trained with.

Each view has the weight with which training showed it. A net that saw one image in five flipped is worse on flipped
images, and equal weights would cost it more than the averaging gains. With these weights, upside down views do no harm
even if images have an up and a down: 43 nets trained from scratch gained 0.4 points with all their views, as much as
with left and right alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress, product
from math import prod

import numpy as np
from torch import Tensor, nn

from sweep.datasets.augment import transforms
from sweep.datasets.pixels import Pixels
from sweep.trainable.batch import predict_batch
from sweep.trainable.config import TrialConfig
from sweep.trainable.images import parts, placed
from sweep.trainable.loop import predict_logits
from sweep.trainable.metrics.contract import softmax
from sweep.trainable.models import family_of
from sweep.trainable.precision import numerics
from sweep.trainable.step import pipeline


def views(config: TrialConfig, image_size: tuple[int, int]) -> dict[tuple[str, ...], float]:
    """Returns the views in which training showed each image, and how often it showed each view.

    Args:
      config: the config of the trial.
      image_size: height and width in px; images that are not square are not transposed.

    Returns:
      The share of each view, all adding up to 1, by the names of the transforms that make the view. The first view is
      the image itself, with no names. It is the only one if the config trained without flips.
    """
    is_square = image_size[0] == image_size[1]
    shares = {type(transform).__name__: transform.p for transform in pipeline(config, is_square) if transform.p > 0}
    if config.flip:  # a head is trained on each image and its mirror image equally
        shares["HorizontalFlip"] = 0.5
    names = [name for name, (_, needs_square) in _forms().items() if name in shares and (is_square or not needs_square)]
    choices = [tuple(compress(names, are_used)) for are_used in product((False, True), repeat=len(names))]
    view_shares = {view: prod(shares[name] if name in view else 1 - shares[name] for name in names) for view in choices}
    return {view: share for view, share in view_shares.items() if share > 0}


@dataclass(frozen=True, eq=False)
class Answering:
    """A net that is asked for predictions.

    Attributes:
      config: the config with which it was trained.
      model: the module from (N, 3, H, W) pixels to (N, classes) logits.
      is_averaged: whether its probabilities are averaged over its views; otherwise it sees the images as they are.
    """

    config: TrialConfig
    model: nn.Module
    is_averaged: bool

    def views(self, image_size: tuple[int, int]) -> dict[tuple[str, ...], float]:
        """Returns the views that the net is shown, with their shares, as the function `views` does."""
        return views(self.config, image_size) if self.is_averaged else {(): 1.0}


def log_probabilities(config: TrialConfig, model: nn.Module, images: Pixels, is_averaged: bool) -> np.ndarray:
    """Returns the (N, classes) float32 log probabilities that a net gives to images.

    Args:
      config: the config with which the net was trained.
      model: the net.
      images: (N, 3, H, W) uint8.
      is_averaged: whether probabilities are averaged over the views; otherwise the net sees the images as they are.
    """
    return np.concatenate([logs for (logs,) in by_batch([Answering(config, model, is_averaged)], images)])


def by_batch(nets: Sequence[Answering], images: Pixels) -> Iterator[list[np.ndarray]]:
    """Yields the predictions of all nets, one batch of images after the other, so that memory holds a single batch.

    Args:
      nets: the nets, all on the same device.
      images: (N, 3, H, W) uint8.

    Yields:
      (n, classes) float32 log probabilities of each net, for the n images of the batch.
    """
    device = next(nets[0].model.parameters()).device
    height, width = images.shape[2:]
    groups = _groups(nets)
    for batch in parts(placed(images, device), predict_batch((height, width)), device):
        logs_of_net = {net: logs for group in groups for net, logs in _predict_group(group, batch).items()}
        yield [logs_of_net[net] for net in nets]


def _groups(nets: Sequence[Answering]) -> list[list[Answering]]:
    """Returns the nets in groups: heads on the same frozen net in one group, any other net in a group of its own."""
    groups: dict[object, list[Answering]] = {}
    for net in nets:
        is_alone = net.config.backbone is None
        groups.setdefault(net if is_alone else _backbone_key(net), []).append(net)
    return list(groups.values())


def _backbone_key(net: Answering) -> object:
    """Returns an object that is equal for two heads if they can share one pass of the frozen net.

    They can if they stand on the same frozen net and give it the pixels in the same way.
    """
    from sweep.trainable.models.heads_together import head_of

    head, arch, device = head_of(net.model), net.config.arch, next(net.model.parameters()).device
    input_form = family_of(arch).preprocessing(net.config), net.config.input_size, numerics(arch, device)
    return id(head.filled()) if head else net, input_form


def _predict_group(group: list[Answering], batch: Tensor) -> dict[Answering, np.ndarray]:
    """Returns the (n, classes) log probabilities of each net of a group, for the n images of a batch."""
    height, width = batch.shape[2:]
    views_of_net = {net: net.views((height, width)) for net in group}
    means: dict[Answering, np.ndarray | float] = dict.fromkeys(group, 0.0)
    for view in dict.fromkeys(view for views in views_of_net.values() for view in views):
        nets = [net for net in group if view in views_of_net[net]]
        for net, logits in zip(nets, _logits(nets, batch, view), strict=True):
            means[net] += views_of_net[net][view] * softmax(logits)
    return {net: np.log(np.maximum(mean, 1e-30)).astype(np.float32) for net, mean in means.items()}


def _logits(group: list[Answering], batch: Tensor, view: tuple[str, ...]) -> list[np.ndarray]:
    """Returns the (n, classes) logits of each net of a group, for one view of the n images of a batch."""
    config, model = group[0].config, group[0].model
    if len(group) > 1:
        from sweep.trainable.models.heads_together import HeadsTogether

        model = HeadsTogether([net.model for net in group])
    height, width = batch.shape[2:]
    size = predict_batch(family_of(config.arch).preprocessing(config).input_size(config, (height, width)))
    return np.split(predict_logits(config, model, batch, partial(_view, view), size), len(group), axis=1)


def _view(names: tuple[str, ...], pixels: Tensor) -> Tensor:
    for name in names:
        pixels = _forms()[name][0](pixels)
    return pixels.contiguous()


def _forms() -> dict[str, tuple[Callable[[Tensor], Tensor], bool]]:
    """Returns, by albumentations' names of the transforms, how each makes a view and whether it needs square images."""
    return {
        transform.kind.__name__: (transform.view, transform.needs_square)
        for transform in transforms().values()
        if transform.view
    }
