"""Holds a trial between two epochs in memory."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from sweep.datasets.pixels.dataset import Dataset
from sweep.trainable.averaged import Averaged
from sweep.trainable.config import TrialConfig
from sweep.trainable.metrics import DEFAULT, named
from sweep.trainable.metrics.contract import Metric
from sweep.trainable.metrics.history import EpochMetrics, class_dtype
from sweep.trainable.metrics.kept_epochs import epochs_kept, kept_form
from sweep.trainable.models import frozen
from sweep.trainable.models.net import build, place
from sweep.trainable.optim import new_optimizer
from sweep.trainable.precision import new_scaler


@dataclass
class TrainState:
    """Everything that decides how a trial continues, and everything that is kept of it.

    Attributes:
      micro_batch: how many images go through one forward pass from now on.
      averaged: the mean of the model's weights; None unless the config asks for it.
      scaler: scales the gradients if they are computed in float16; else None.
      note: what people should know about how this machine trains the trial; empty if there is nothing.
      valid_classes: for each epoch the predicted class of each validation image, an (N,) array of `class_dtype`.
      best_epoch: the first of the epochs with the best metric; 0 before the first epoch.
      fold: the net's fold, from 1, if the trial has a net for each fold; else None.
      best_weights, best_logits: of the predicting net at the best epoch: its weights without the frozen ones, and its
        validation logits, (N, classes) float32.
      rungs: the epochs after which the trial may be stopped.
      kept: the logits of other epochs that `trainable.metrics.kept_epochs` chooses, by the epochs' numbers.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    metric: Metric
    micro_batch: int
    averaged: Averaged | None = None
    history: list[EpochMetrics] = field(default_factory=list)
    valid_classes: list[np.ndarray] = field(default_factory=list)
    best_epoch: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    best_logits: np.ndarray | None = None
    fold: int | None = None
    rungs: tuple[int, ...] = ()
    kept: dict[int, np.ndarray] = field(default_factory=dict)
    scaler: torch.amp.GradScaler | None = None
    note: str = ""

    @property
    def epochs_done(self) -> int:
        """How many epochs are finished."""
        return len(self.history)

    @property
    def predictor(self) -> nn.Module:
        """The net that predicts, is judged and is kept: the one with the mean of the weights if there is one."""
        return self.averaged.model if self.averaged else self.model

    def add_epoch(self, metrics: EpochMetrics, logits: np.ndarray) -> None:
        """Adds an epoch with its validation logits, and keeps its weights if it is the best so far."""
        self.history.append(replace(metrics, fold=self.fold))
        self.valid_classes.append(logits.argmax(axis=1).astype(class_dtype(logits.shape[1])))
        values, known_logits = self.metric.of_epochs(self.history), {**self.kept, metrics.epoch: logits}
        if self.best_logits is not None:
            known_logits[self.best_epoch] = self.best_logits
        epochs = epochs_kept(self.metric, values, self.rungs, logits.size)
        self.kept = {epoch: kept_form(known_logits[epoch]) for epoch in epochs if epoch in known_logits}
        if self.metric.best_epoch(values) == metrics.epoch:
            self.best_epoch, self.best_logits = metrics.epoch, logits
            weights = frozen.own_weights(self.predictor)
            self.best_weights = {name: tensor.detach().clone() for name, tensor in weights.items()}


def new_state(
    config: TrialConfig, data: Dataset, metric: str = DEFAULT, device: str = "cpu", rungs: tuple[int, ...] = ()
) -> TrainState:
    """Returns the state before the first epoch; its weights are a function of the config's seed."""
    torch.manual_seed(config.seed)
    model = place(build(config, len(data.classes), data.image_size), config.arch, device)
    averaged = None if config.ema is None else Averaged(model, config.ema)
    judge = named(metric).for_classes(data.classes)
    optimizer = new_optimizer(config, model)
    scaler = new_scaler(config.arch, next(model.parameters()).device, optimizer)
    return TrainState(
        model, optimizer, judge, config.batch_size, averaged, fold=data.of_fold, rungs=rungs, scaler=scaler
    )
