"""A trained model of a sweep: its config, its weights, and what it says of images."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as read_safetensors
from torch import nn

from analysis.record import Record, SweepError, TrialRecord
from analysis.views import log_probabilities
from analysis.weights import check_weights
from trainable.batch import on_device
from trainable.config import TrialConfig
from trainable.files import DamagedError
from trainable.loop import predict_logits
from trainable.models import build, place


@dataclass(frozen=True)
class Trained:
    """A trained model.

    Attributes:
      trial: the number of the trial it comes from.
      image_size: height and width in pixels.
      weights: safetensors.
    """

    trial: int
    config: TrialConfig
    classes: tuple[str, ...]
    image_size: tuple[int, int]
    weights: bytes

    def on(self, device: torch.device | str) -> nn.Module:
        """The net from (N, 3, H, W) pixels in [0, 255] to (N, classes) logits, in evaluation mode.

        Raises:
          SweepError: the weights are not those of the config.
        """
        model = place(build(self.config.from_scratch(), len(self.classes), self.image_size), self.config.arch, device)
        try:
            model.load_state_dict(read_safetensors(self.weights))
        except (RuntimeError, SafetensorError) as error:
            raise SweepError(f"trial {self.trial}: its weights are not those of its config: {error}") from None
        return model.eval()

    @cached_property
    def _model(self) -> nn.Module:
        return self.on("cuda" if torch.cuda.is_available() else "cpu")

    def logits(self, images: np.ndarray) -> np.ndarray:
        """(N, classes) float32 of (N, 3, H, W) uint8 pixels of this size, on a GPU where there is one."""
        return predict_logits(self.config, self._model, on_device(images, next(self._model.parameters()).device))

    def log_probabilities(self, images: np.ndarray, is_averaged: bool) -> np.ndarray:
        """`analysis.views.log_probabilities` of this model, on a GPU where there is one."""
        return log_probabilities(self.config, self._model, images, is_averaged)


def trained(record: Record, trial: TrialRecord) -> Trained:
    """The model of a trial at its best epoch.

    Raises:
      SweepError: its weights are not there, or are damaged.
    """
    if trial.weights is None:
        raise SweepError(
            f"{trial.folder}: holds no best.safetensors, the weights of the trial; restore the file, "
            f"or see `python -m search.check {record.folder}`"
        )
    try:
        check_weights(trial.weights, trial.config, trial.best_epoch)
    except DamagedError as error:
        raise SweepError(f"{error}; see `python -m search.check {record.folder}`") from None
    height, width = record.settings["image_size"]
    config = TrialConfig.from_dict(trial.config)
    return Trained(trial.number, config, tuple(record.classes), (height, width), trial.weights.read_bytes())
