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
    """Returns the views in which training showed each image, with how often it showed them.

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
    choices = [tuple(compress(names, are_on)) for are_on in product((False, True), repeat=len(names))]
    shown = {on: prod(shares[name] if name in on else 1 - shares[name] for name in names) for on in choices}
    return {on: share for on, share in shown.items() if share > 0}


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
    return np.concatenate([found for (found,) in by_batch([Answering(config, model, is_averaged)], images)])


def by_batch(nets: Sequence[Answering], images: Pixels) -> Iterator[list[np.ndarray]]:
    """Yields what all nets predict for one batch of images after the other, so that no more is in memory at once.

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
        found = {net: logs for group in groups for net, logs in _of_batch(group, batch).items()}
        yield [found[net] for net in nets]


def _groups(nets: Sequence[Answering]) -> list[list[Answering]]:
    """Returns the nets in groups: heads on the same frozen net in one group, any other net in a group of its own."""
    groups: dict[object, list[Answering]] = {}
    for net in nets:
        alone = net.config.backbone is None
        groups.setdefault(net if alone else _front(net), []).append(net)
    return list(groups.values())


def _front(net: Answering) -> object:
    """Returns an object that is equal for two heads if they can share one pass of the frozen net.

    They can if they stand on the same frozen net and give it the pixels in the same way.
    """
    from sweep.trainable.models.heads_together import head_of

    head, arch, device = head_of(net.model), net.config.arch, next(net.model.parameters()).device
    takes = family_of(arch).preprocessing(net.config), net.config.input_size, numerics(arch, device)
    return id(head.filled()) if head else net, takes


def _of_batch(group: list[Answering], batch: Tensor) -> dict[Answering, np.ndarray]:
    """Returns the (n, classes) log probabilities of each net of a group, for the n images of a batch."""
    height, width = batch.shape[2:]
    shown = {net: net.views((height, width)) for net in group}
    means: dict[Answering, np.ndarray | float] = dict.fromkeys(group, 0.0)
    for view in dict.fromkeys(view for views in shown.values() for view in views):
        asked = [net for net in group if view in shown[net]]
        for net, logits in zip(asked, _logits(asked, batch, view), strict=True):
            means[net] += shown[net][view] * softmax(logits)
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
    return {known.kind.__name__: (known.view, known.needs_square) for known in transforms().values() if known.view}
