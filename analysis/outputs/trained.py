"""A trained model of a sweep: its config, its weights, the images that it takes, and its predictions for them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as read_safetensors
from safetensors.torch import save as write_safetensors
from torch import nn

from sweep.analysis.estimates.adjustments.contract import Fitted
from sweep.analysis.estimates.views import Answering, by_batch
from sweep.analysis.record import Record
from sweep.analysis.trial_record import TrialRecord
from sweep.datasets.decoders.recipe import Decoding
from sweep.datasets.pixels import Pixels
from sweep.storage import paths
from sweep.storage.errors import SweepError
from sweep.storage.files import DamagedError
from sweep.storage.programs import spelled
from sweep.storage.tensors import check_weights
from sweep.trainable.config import TrialConfig
from sweep.trainable.models import frozen
from sweep.trainable.models.head import fill
from sweep.trainable.models.mean_of_nets import PREFIX, MeanOfNets
from sweep.trainable.models.net import build, place
from sweep.trainable.weights import remember
from sweep.trainable.weights.contract import Weights
from sweep.trainable.weights.prepare import recorded


class ImageError(ValueError):
    """Images of a wrong type or size, for which a model would predict at random.

    The message says which rule they break, what they are and what to do.
    """


def check_images(images: Any, image_size: tuple[int, int], kind: type[np.ndarray] | type[torch.Tensor]) -> None:
    """Checks that images have the type and size that a model was trained on.

    Args:
      images: the images, which must be (N, 3, H, W) uint8 with at least one image.
      image_size: height and width in pixels that the model was trained on.
      kind: the type of array that is expected, `torch.Tensor` or `np.ndarray`.

    Raises:
      ImageError: the images are anything else.
    """
    height, width = image_size
    rule = f"images must be a {kind.__name__} of uint8 pixels in the shape (N, 3, {height}, {width})"
    if not isinstance(images, kind):
        ways_out = {
            np.ndarray: "torch.from_numpy(images)",
            torch.Tensor: "images.cpu().numpy()",
            object: "put the pixels of all images into one array",
        }
        way_out = next(words for other, words in ways_out.items() if isinstance(images, other))
        raise ImageError(f"{rule}, got a {type(images).__name__}; {way_out}")
    match tuple(images.shape):
        case (_, _, _):
            way_out = "; a single image is images[None]"
        case (0, _, _, _):
            way_out = "; give it one image at least"
        case (_, channels, _, 3) if channels != 3:
            call = "permute(0, 3, 1, 2)" if kind is torch.Tensor else "transpose(0, 3, 1, 2)"
            way_out = f": the channels come last; images.{call} puts them where they belong"
        case (_, channels, _, _) if channels != 3:
            way_out = "; turn them into RGB, three channels: a grey one three times, an alpha channel left out"
        case (_, _, rows, columns) if (rows, columns) != (height, width):
            way_out = f"; resize them to {height} px in height and {width} px in width, the size that it was trained on"
        case (_, _, _, _) if images.dtype in (torch.uint8, np.uint8):
            return
        case (_, _, _, _):
            lowest, highest = float(images.min()), float(images.max())
            advice = "give the pixels as they are in the file, whole numbers from 0 to 255"
            if lowest >= 0 and highest <= 1:
                advice = "multiply them by 255, round, and convert them to uint8"
            elif lowest >= 0 and highest <= 255:
                advice = "convert them to uint8"
            way_out = f" from {lowest:g} to {highest:g}; {advice}: the model normalises by itself"
        case _:
            way_out = "; stack them, an image a row"
    raise ImageError(f"{rule}, got {str(images.dtype).removeprefix('torch.')} of shape {tuple(images.shape)}{way_out}")


@dataclass(frozen=True)
class Trained:
    """A trained model: one net, or one for each fold, whose probabilities are averaged.

    Attributes:
      trial: the number of the trial that trained the model.
      config: the config of the trial.
      classes: the names of the classes, in the order of the logits.
      image_size: height and width in pixels.
      weights: the bytes of a safetensors file; with folds, the name of each tensor begins with the net it belongs to.
      decoding: how the images were decoded that the model was trained on.
      pretrained: the weights of the pretrained nets with which the sweep began; `weights` leaves out those that were
        frozen.
      fitted, fitted_averaged: how predictions are adjusted, as they are and averaged over views; None where they are
        used without adjustment.
      folds: how many nets there are, one for each fold; None for a single net that was trained without folds.
    """

    trial: int
    config: TrialConfig
    classes: tuple[str, ...]
    image_size: tuple[int, int]
    weights: bytes
    decoding: Decoding
    pretrained: tuple[Weights, ...] = ()
    fitted: Fitted | None = None
    fitted_averaged: Fitted | None = None
    folds: int | None = None

    @cached_property
    def nets(self) -> "tuple[Trained, ...]":
        """The single nets of the model, each as a model of its own: one net, or one for each fold in their order.

        Raises:
          SweepError: the weights are damaged.
        """
        if self.folds is None:
            return (self,)
        try:
            tensors = read_safetensors(self.weights)
        except SafetensorError as error:
            raise SweepError(f"trial {self.trial}: its weights are damaged: {error}") from None
        prefixes = [PREFIX.format(fold) for fold in range(1, self.folds + 1)]
        parts = [
            {name.removeprefix(p): tensor for name, tensor in tensors.items() if name.startswith(p)} for p in prefixes
        ]
        return tuple(replace(self, weights=write_safetensors(part), folds=None) for part in parts)

    def fitted_of(self, is_averaged: bool) -> Fitted | None:
        """Returns how predictions are adjusted, averaged over views or as they are; None without adjustment."""
        return self.fitted_averaged if is_averaged else self.fitted

    def module_on(self, device: torch.device | str) -> nn.Module:
        """Returns the module from (N, 3, H, W) pixels in [0, 255] to (N, classes) logits, in evaluation mode.

        Raises:
          SweepError: the weights do not fit the config.
          UserError: the weights leave out frozen ones of a pretrained net, which is not on this machine.
        """
        if self.folds is not None:
            return MeanOfNets([net.module_on(device) for net in self.nets]).eval()
        model = self._build(self.config.from_scratch())
        try:
            weights = read_safetensors(self.weights)
            if not frozen.names(model) <= weights.keys():
                remember({each.arch: each for each in self.pretrained})
                model = self._build(self.config)
            frozen.load_own(place(model, self.config.arch, device), weights)
        except (RuntimeError, SafetensorError) as error:
            raise SweepError(f"trial {self.trial}: its weights are not those of its config: {error}") from None
        return model.eval()

    def _build(self, config: TrialConfig) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)  # so that frozen random weights are the same as in training
            return fill(build(config, len(self.classes), self.image_size))

    @cached_property
    def _model(self) -> nn.Module:
        return self.module_on("cuda" if torch.cuda.is_available() else "cpu")

    def log_probabilities(self, images: Pixels, is_averaged: bool) -> np.ndarray:
        """Returns the (N, classes) float32 log probabilities of images, computed on a GPU if there is one.

        Args:
          images: (N, 3, H, W) uint8 pixels.
          is_averaged: whether probabilities are averaged over the views that the model trained with.

        Raises:
          ImageError: the images are not of the type and size that the model was trained on.
        """
        nets = list[Answering]()
        for net in self.nets:
            nets.append(net.answering(images, is_averaged, nets))
        return np.concatenate([log_of_mean(logs) for logs in by_batch(nets, images)])

    def answering(self, images: Pixels, is_averaged: bool, others: Iterable[Answering] = ()) -> Answering:
        """Returns this model, which must have a single net, ready to predict images on a GPU if there is one.

        Args:
          images: the images that it will predict, (N, 3, H, W) uint8 pixels.
          is_averaged: whether probabilities are averaged over the views that the model trained with.
          others: nets that will predict the same images; if this model is a head, it shares their frozen net.

        Raises:
          ImageError: the images are not of the type and size that the model was trained on.
        """
        check_images(images if isinstance(images, np.ndarray) else images[:1], self.image_size, np.ndarray)
        if self.config.backbone is not None:
            from sweep.trainable.models.heads_together import share_backbone

            share_backbone(self._model, [other.model for other in others])
        return Answering(self.config, self._model, is_averaged)


def log_of_mean(logs: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the log of the mean probabilities of some nets, given the (n, classes) log probabilities of each."""
    return logs[0] if len(logs) == 1 else np.log(np.mean(np.exp(logs), axis=0))


def trained(record: Record, trial: TrialRecord) -> Trained:
    """Returns the model of a trial at its best epoch.

    Raises:
      SweepError: its weights are missing or damaged.
    """
    if trial.weights is None:
        raise SweepError(
            f"{trial.folder}: holds no best.safetensors, the weights of the trial; restore the file, "
            f"or see `{spelled('check')} {record.folder}`"
        )
    try:
        check_weights(trial.weights, trial.config, trial.best_epoch)
    except DamagedError as error:
        raise SweepError(f"{error}; see `{spelled('check')} {record.folder}`") from None
    pretrained = recorded(record.file.weights or {}, paths.pretrained(record.folder, record.file.kind))
    height, width = record.file.image_size
    return Trained(
        trial=trial.number,
        config=TrialConfig.from_dict(trial.config),
        classes=tuple(record.classes),
        image_size=(height, width),
        weights=trial.weights.read_bytes(),
        decoding=record.decoding,
        pretrained=tuple(pretrained.values()),
        folds=record.settings.folds,
    )
