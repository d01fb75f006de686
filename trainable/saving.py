"""Writes the state of a trial between two epochs into one checkpoint file, and restores the trial from it."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sweep.datasets.pixels.dataset import Dataset
from sweep.datasets.pixels.rows import ChosenPixels
from sweep.storage import paths
from sweep.storage.files import make_folder, remove
from sweep.storage.tensors import save_tensors
from sweep.trainable.checkpoint import SCALER, CheckpointError, read_checkpoint
from sweep.trainable.config import ConfigError, TrialConfig
from sweep.trainable.models import frozen
from sweep.trainable.optim import kept_by, put_back
from sweep.trainable.state import TrainState, new_state
from sweep.trainable.worker.order import KEPT_CHECKPOINTS


def save(state: TrainState, config: TrialConfig, folder: Path) -> Path:
    """Writes `checkpoint-EPOCH.safetensors` into `folder`, whole or not at all, and keeps the two newest.

    With folds, the epoch in the name counts the epochs of the earlier folds as well.
    """
    averaged = frozen.own_weights(state.averaged.model) if state.averaged else {}
    tensors: dict[str, Tensor] = {
        **{f"model.{name}": tensor for name, tensor in frozen.own_weights(state.model).items()},
        **{f"averaged.{name}": tensor for name, tensor in averaged.items()},
        **{f"optimizer.{name}": tensor for name, tensor in kept_by(state.optimizer).items()},
        **{f"kept.{epoch}": torch.from_numpy(logits) for epoch, logits in state.kept.items()},
        **_scaler_tensors(state),
    }
    epochs_before = ((state.fold or 1) - 1) * config.epochs
    path = paths.checkpoint_path(folder, epochs_before + state.epochs_done)
    _write(path, state, config, tensors)
    for old_path in paths.checkpoints(folder)[KEPT_CHECKPOINTS:]:
        remove(old_path)
    return path


def save_finished(state: TrainState, config: TrialConfig, data: Dataset, folder: Path) -> Path:
    """Writes `fold-FOLD.safetensors` into `folder`, whole or not at all, and then removes its checkpoints.

    The file holds the net's weights and predictions at its best epoch, and its history.

    Args:
      data: the data of the fold.
    """
    assert state.fold is not None
    assert isinstance(data.valid.images, ChosenPixels)
    path = paths.fold_path(folder, state.fold)
    _write(path, state, config, {"rows": torch.from_numpy(data.valid.images.rows)})
    for checkpoint in paths.checkpoints(folder):
        remove(checkpoint)
    return path


def load(
    path: Path, config: TrialConfig, data: Dataset, metric: str, device: str = "cpu", rungs: tuple[int, ...] = ()
) -> TrainState:
    """Returns the state that `save` wrote.

    Raises:
      CheckpointError: the file is damaged, or belongs to another config or other data.
      OSError: the file is in a bucket that cannot be read.
    """
    checkpoint = read_checkpoint(path)
    try:
        file_config = TrialConfig.from_dict(checkpoint.config)  # as a config: a field may be newer than the file
    except ConfigError as error:
        raise CheckpointError(path, f"holds no config: {error}") from error
    if file_config != config or checkpoint.metric != metric:
        raise CheckpointError(path, f"written by another config: {checkpoint.config}")
    # The weights come from the file, except the frozen ones, which come from the pretrained net.
    has_frozen = config.backbone or config.frozen_stages
    state = new_state(config if has_frozen else config.from_scratch(), data, metric, device, rungs)
    expected = _shapes(frozen.own_weights(state.model))
    averaged = expected if state.averaged else {}
    if [_shapes(part) for part in (checkpoint.model, checkpoint.averaged, checkpoint.best)] != [
        expected,
        averaged,
        expected,
    ]:
        raise CheckpointError(path, "holds other weights than its config has")
    is_of_fold = checkpoint.fold == data.of_fold
    if not is_of_fold or checkpoint.valid_logits.shape != (len(data.valid.images), len(data.classes)):
        raise CheckpointError(path, "holds predictions of other images or classes")
    frozen.load_own(state.model, checkpoint.model)
    if state.averaged:
        frozen.load_own(state.averaged.model, checkpoint.averaged)
    try:
        put_back(state.optimizer, checkpoint.optimizer)
    except ValueError as error:
        raise CheckpointError(path, f"holds {error}") from error
    if state.scaler and checkpoint.scaler:
        state.scaler.load_state_dict({**state.scaler.state_dict(), **checkpoint.scaler})
    state.history = checkpoint.history
    state.micro_batch = checkpoint.history[-1].micro_batch
    state.valid_classes = list(checkpoint.valid_classes)
    state.best_epoch = checkpoint.best_epoch
    state.best_weights = {name: tensor.to(device, copy=True) for name, tensor in checkpoint.best.items()}
    state.best_logits = checkpoint.valid_logits
    state.kept = checkpoint.kept
    return state


def _scaler_tensors(state: TrainState) -> dict[str, Tensor]:
    """Returns the scale of the gradients and the count that decides when it grows; empty without a scaler."""
    values = state.scaler.state_dict() if state.scaler else {}
    return {f"scaler.{name}": torch.tensor(values[name]) for name in SCALER if name in values}


def _write(path: Path, state: TrainState, config: TrialConfig, tensors: dict[str, Tensor]) -> None:
    """Writes these tensors, together with the best weights, the predictions, the config and the history."""
    assert state.best_logits is not None
    tensors |= {f"best.{name}": tensor for name, tensor in state.best_weights.items()}
    tensors["valid_classes"] = torch.from_numpy(np.stack(state.valid_classes))
    tensors["valid_logits"] = torch.from_numpy(state.best_logits)
    metadata = {
        "config": json.dumps(config.to_dict()),
        "metric": state.metric.name,
        "history": json.dumps([metrics.to_dict() for metrics in state.history]),
    }
    make_folder(path.parent)
    copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_tensors(path, copies, metadata)


def _shapes(tensors: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}
