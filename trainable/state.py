"""A trial between two epochs: in memory, and as one checkpoint file."""

import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from datasets.pixels.dataset import Dataset
from datasets.pixels.rows import ChosenPixels
from storage import paths
from storage.files import DamagedError, make_folder, remove
from storage.store import store_of
from storage.sweep_file import RENAMED_METRICS, Values
from storage.tensors import read_tensors, save_tensors
from trainable.averaged import Averaged
from trainable.config import ConfigError, TrialConfig
from trainable.metrics import DEFAULT, is_name, named
from trainable.metrics.contract import Metric
from trainable.metrics.history import EpochMetrics, class_dtype, read_history
from trainable.metrics.kept import epochs_kept, kept_form
from trainable.models import frozen
from trainable.models.net import build, place
from trainable.optim import new_optimizer
from trainable.worker.order import KEPT_CHECKPOINTS


class CheckpointError(DamagedError):
    """A checkpoint file is cut, altered, or of another trial."""


@dataclass
class TrainState:
    """Everything that decides how a trial goes on, and what is kept of it.

    Attributes:
      micro_batch: images a forward pass, from now on.
      averaged: the mean of the model's weights, where the config asks for it.
      valid_classes: an (N,) array of `class_dtype` an epoch, the predicted class of each validation image.
      best_epoch: the first of the epochs with the best metric; 0 before the first.
      fold: which net of its trial it is, from 1, where there is one for each fold; else None.
      best_weights, best_logits: of the net that predicts, its weights without what is frozen and (N, classes) float32
        logits at that epoch.
      rungs: the epochs after which the trial may be stopped.
      kept: of epochs beside the best one, by their numbers, what `trainable.metrics.kept` says.
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

    @property
    def epochs_done(self) -> int:
        return len(self.history)

    @property
    def predictor(self) -> nn.Module:
        """The net that predicts, is judged and is kept: the mean of the weights where there is one."""
        return self.averaged.model if self.averaged else self.model

    def add_epoch(self, metrics: EpochMetrics, logits: np.ndarray) -> None:
        """Keeps an epoch, and its weights if it is the best so far."""
        self.history.append(replace(metrics, fold=self.fold))
        self.valid_classes.append(logits.argmax(axis=1).astype(class_dtype(logits.shape[1])))
        values, there = self.metric.of_epochs(self.history), {**self.kept, metrics.epoch: logits}
        if self.best_logits is not None:
            there[self.best_epoch] = self.best_logits
        epochs = epochs_kept(self.metric, values, self.rungs, logits.size)
        self.kept = {epoch: kept_form(there[epoch]) for epoch in epochs if epoch in there}
        if self.metric.best_epoch(values) == metrics.epoch:
            self.best_epoch, self.best_logits = metrics.epoch, logits
            weights = frozen.own_weights(self.predictor)
            self.best_weights = {name: tensor.detach().clone() for name, tensor in weights.items()}


@dataclass(frozen=True)
class Checkpoint:
    """What `save` wrote, whole: its parts fit each other.

    Attributes:
      config: `TrialConfig.to_dict()` of the trial.
      history: one epoch at least.
      model, averaged: the weights now, and their mean; empty where the config asks for none. What is frozen is in none.
      best: the weights that predict, at the best epoch.
      optimizer: by the index of the parameter and the optimizer's own name, `0.momentum_buffer`.
      valid_classes: (epochs, N) of `class_dtype`.
      valid_logits: (N, classes) float32, at the best epoch.
      rows: (N,) int64, of a fold that is finished: which of all images its validation images are; else None.
      kept: (N, classes) float16 of other epochs, by their numbers.

    The tensors are mapped from the file: what is to outlive it must be copied.
    """

    config: Values
    metric: str
    history: list[EpochMetrics]
    model: dict[str, Tensor]
    averaged: dict[str, Tensor]
    best: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    valid_classes: np.ndarray
    valid_logits: np.ndarray
    kept: dict[int, np.ndarray]
    rows: np.ndarray | None = None

    @property
    def fold(self) -> int | None:
        """Which net of its trial it is of, from 1, where there is one for each fold."""
        return self.history[0].fold

    @property
    def best_epoch(self) -> int:
        metric = named(self.metric)
        return metric.best_epoch(metric.of_epochs(self.history))


def new_state(
    config: TrialConfig, data: Dataset, metric: str = DEFAULT, device: str = "cpu", rungs: tuple[int, ...] = ()
) -> TrainState:
    """The state before the first epoch; weights are a function of the config's seed."""
    torch.manual_seed(config.seed)
    model = place(build(config, len(data.classes), data.image_size), config.arch, device)
    averaged = None if config.ema is None else Averaged(model, config.ema)
    judge = named(metric).for_classes(data.classes)
    optimizer = new_optimizer(config, model)
    return TrainState(model, optimizer, judge, config.batch_size, averaged, fold=data.of_fold, rungs=rungs)


def save(state: TrainState, config: TrialConfig, folder: Path) -> Path:
    """Writes `checkpoint-EPOCH.safetensors` into `folder`, whole or not at all, and keeps the two newest.

    Of a net for a fold the epochs of the folds before count as well.
    """
    averaged = frozen.own_weights(state.averaged.model) if state.averaged else {}
    kept_by_optimizer = state.optimizer.state_dict()["state"].items()
    tensors: dict[str, Tensor] = {
        **{f"model.{name}": tensor for name, tensor in frozen.own_weights(state.model).items()},
        **{f"averaged.{name}": tensor for name, tensor in averaged.items()},
        **{
            f"optimizer.{index}.{name}": torch.as_tensor(value)
            for index, values in kept_by_optimizer
            for name, value in values.items()
            if value is not None
        },
        **{f"kept.{epoch}": torch.from_numpy(logits) for epoch, logits in state.kept.items()},
    }
    epochs_before = ((state.fold or 1) - 1) * config.epochs
    path = paths.checkpoint_path(folder, epochs_before + state.epochs_done)
    _write(path, state, config, tensors)
    for older in paths.checkpoints(folder)[KEPT_CHECKPOINTS:]:
        remove(older)
    return path


def save_finished(state: TrainState, config: TrialConfig, data: Dataset, folder: Path) -> Path:
    """Writes `fold-FOLD.safetensors` into `folder`, whole or not at all, and then removes its checkpoints.

    It has what is kept of the net: its weights and its predictions at its best epoch, and its history.

    Args:
      data: the fold's.
    """
    assert state.fold is not None
    assert isinstance(data.valid.images, ChosenPixels)
    path = paths.fold_path(folder, state.fold)
    _write(path, state, config, {"rows": torch.from_numpy(data.valid.images.rows)})
    for checkpoint in paths.checkpoints(folder):
        remove(checkpoint)
    return path


def read_finished(trial: Path, up_to_attempt: int) -> dict[int, Checkpoint]:
    """Returns what `save_finished` wrote of a trial, by the folds; of one that is damaged what an older attempt has."""
    found: dict[int, Checkpoint] = {}
    for fold, places in paths.finished_folds(trial, up_to_attempt).items():
        for path in places:
            with suppress(CheckpointError):
                checkpoint = read_checkpoint(path)
                if checkpoint.fold == fold and checkpoint.rows is not None:
                    found[fold] = checkpoint
                    break
    return found


def _write(path: Path, state: TrainState, config: TrialConfig, tensors: dict[str, Tensor]) -> None:
    """Writes these tensors, with what is kept of every net."""
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
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_tensors(path, own, metadata)


def load(
    path: Path, config: TrialConfig, data: Dataset, metric: str, device: str = "cpu", rungs: tuple[int, ...] = ()
) -> TrainState:
    """The state that `save` wrote.

    Raises:
      CheckpointError: the file is damaged, or is of another config or other data.
      OSError: it is in a bucket that cannot be read.
    """
    checkpoint = read_checkpoint(path)
    try:
        written = TrialConfig.from_dict(checkpoint.config)  # not compared as it stands there: a field may be newer
    except ConfigError as error:
        raise CheckpointError(path, f"holds no config: {error}") from error
    if written != config or checkpoint.metric != metric:
        raise CheckpointError(path, f"written by another config: {checkpoint.config}")
    # Its weights are the file's, but for those that are frozen.
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
    parameters = [parameter for group in state.optimizer.param_groups for parameter in group["params"]]
    by_index = {str(index): parameter for index, parameter in enumerate(parameters)}
    for name, tensor in checkpoint.optimizer.items():
        index, _, key = name.partition(".")
        parameter = by_index.get(index)
        if parameter is None or tensor.shape not in (parameter.shape, ()):
            raise CheckpointError(path, f"holds optimizer.{name}, which is of no parameter of its config")
        # Like its parameter in layout and device, as the optimizer itself would have made it.
        value = torch.empty_like(parameter).copy_(tensor) if tensor.ndim else tensor.to(parameter.device, copy=True)
        state.optimizer.state[parameter][key] = value
    state.history = checkpoint.history
    state.micro_batch = checkpoint.history[-1].micro_batch
    state.valid_classes = list(checkpoint.valid_classes)
    state.best_epoch = checkpoint.best_epoch
    state.best_weights = {name: tensor.to(device, copy=True) for name, tensor in checkpoint.best.items()}
    state.best_logits = checkpoint.valid_logits
    state.kept = checkpoint.kept
    return state


def read_checkpoint(path: Path) -> Checkpoint:
    """Raises:
    CheckpointError: the file cannot be read, or is not, to the bit, what `save` wrote.
    OSError: it is in a bucket that cannot be read.
    """
    with suppress(FileNotFoundError):  # told of below
        store_of(path).fetch_content(path)
    try:
        return _checkpoint(*read_tensors(path))
    except DamagedError as error:
        raise CheckpointError(error.path, error.found) from error
    except OSError as error:
        raise CheckpointError(path, str(error)) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(path, f"no checkpoint: {error}") from error


def _checkpoint(metadata: dict[str, str], tensors: dict[str, Tensor]) -> Checkpoint:
    """Raises, among others, ValueError: the parts do not fit each other."""
    history = read_history(json.loads(metadata["history"]))
    classes, logits = tensors["valid_classes"].numpy(), tensors["valid_logits"].numpy()
    metric = RENAMED_METRICS.get(metadata["metric"], metadata["metric"])
    if not history or not is_name(metric):
        raise ValueError("it has no epoch, or no known metric")
    dtypes = class_dtype(logits.shape[1]) if logits.ndim == 2 else None, np.float32
    if (classes.dtype, logits.dtype) != dtypes or classes.shape != (len(history), len(logits)):
        raise ValueError("its predictions are not those of its epochs")
    if len({metrics.fold for metrics in history}) > 1:
        raise ValueError("its epochs are those of several folds")
    if "rows" in tensors and tensors["rows"].shape != (len(logits),):
        raise ValueError("its rows are not those of its predictions")
    kept = {int(epoch): tensor.numpy() for epoch, tensor in _under("kept.", tensors).items()}
    if any(each.dtype != np.float16 or each.shape != logits.shape for each in kept.values()):
        raise ValueError("its predictions of some epochs are not of its images and classes")
    if not kept.keys() <= set(range(1, len(history) + 1)):
        raise ValueError("it has predictions of epochs that it has not")
    return Checkpoint(
        config=json.loads(metadata["config"]),
        metric=metric,
        history=history,
        model=_under("model.", tensors),
        averaged=_under("averaged.", tensors),
        best=_under("best.", tensors),
        optimizer=_under("optimizer.", tensors),
        valid_classes=classes.copy(),
        valid_logits=logits.copy(),
        rows=None if (rows := tensors.get("rows")) is None else rows.numpy().copy(),
        kept={epoch: each.copy() for epoch, each in kept.items()},
    )


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _shapes(tensors: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}
