"""A trial between two epochs: in memory, and as one checkpoint file."""

import json
import math
import re
import zlib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from datasets.images import Dataset
from trainable.config import TrialConfig
from trainable.files import written_whole
from trainable.models import build
from trainable.optim import new_optimizer

KEPT_CHECKPOINTS = 2  # the newest, and the one before it should the newest be damaged

METRICS = {"accuracy": "valid_accuracy", "balanced_accuracy": "valid_balanced_accuracy", "loss": "valid_loss"}


class CheckpointError(Exception):
    """A checkpoint file is cut, altered, or of another config; the message names it."""


@dataclass(frozen=True)
class EpochMetrics:
    epoch: int  # from 1
    train_loss: float  # mean over the images, with label smoothing and mixing
    valid_loss: float  # cross entropy
    valid_accuracy: float  # [0, 1]
    valid_balanced_accuracy: float  # mean of the classes' accuracies
    lr: float  # of the epoch's last step
    seconds: float


@dataclass
class TrainState:
    """Everything that decides how a trial goes on, and what is kept of it.

    Attributes:
      metric: `accuracy`, `balanced_accuracy` (larger is better) or `loss` (smaller is).
      valid_classes: an (N,) uint8 array an epoch, the predicted class of each validation image.
      best_epoch: the first of the epochs with the best metric; 0 before the first.
      best_weights, best_logits: the model and its (N, classes) float32 logits at that epoch.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    metric: str
    history: list[EpochMetrics] = field(default_factory=list)
    valid_classes: list[np.ndarray] = field(default_factory=list)
    best_epoch: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    best_logits: np.ndarray | None = None

    @property
    def epochs_done(self) -> int:
        return len(self.history)

    def add_epoch(self, metrics: EpochMetrics, logits: np.ndarray) -> None:
        """Keeps an epoch, and its weights if it is the best so far."""
        self.history.append(metrics)
        self.valid_classes.append(logits.argmax(axis=1).astype(np.uint8))
        if best_epoch([getattr(m, METRICS[self.metric]) for m in self.history], self.metric) == metrics.epoch:
            self.best_epoch, self.best_logits = metrics.epoch, logits
            self.best_weights = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}


def best_epoch(values: list[float], metric: str) -> int:
    """The first epoch, from 1, with the best value."""
    pick = min if metric == "loss" else max
    return 1 + values.index(pick(values))


def new_state(config: TrialConfig, data: Dataset, metric: str = "accuracy", device: str = "cpu") -> TrainState:
    """The state before the first epoch; weights are a function of the config's seed."""
    torch.manual_seed(config.seed)
    height, width = data.train.images.shape[1:3]
    model = build(config, len(data.classes), (height, width)).to(device)
    return TrainState(model, new_optimizer(config, model), metric)


def save(state: TrainState, config: TrialConfig, folder: Path) -> Path:
    """Writes `checkpoint-EPOCH.safetensors` into `folder`, whole or not at all, and keeps the two newest."""
    tensors: dict[str, Tensor] = {}
    for name, tensor in state.model.state_dict().items():
        tensors[f"model.{name}"] = tensor
    for name, tensor in state.best_weights.items():
        tensors[f"best.{name}"] = tensor
    for index, values in state.optimizer.state_dict()["state"].items():
        for name, value in values.items():
            if value is not None:
                tensors[f"optimizer.{index}.{name}"] = torch.as_tensor(value)
    tensors["valid_classes"] = torch.from_numpy(np.stack(state.valid_classes))
    assert state.best_logits is not None
    tensors["valid_logits"] = torch.from_numpy(state.best_logits)
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    metadata = {
        "config": json.dumps(config.to_dict()),
        "metric": state.metric,
        "best_epoch": str(state.best_epoch),
        "history": json.dumps([asdict(metrics) for metrics in state.history]),
        "crc32": str(_crc32(tensors)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"checkpoint-{state.epochs_done:04d}.safetensors"
    with written_whole(path) as partial:
        save_file(tensors, partial, metadata)
    for older in checkpoints(folder)[KEPT_CHECKPOINTS:]:
        older.unlink(missing_ok=True)
    return path


def load(path: Path, config: TrialConfig, data: Dataset, metric: str, device: str = "cpu") -> TrainState:
    """The state that `save` wrote.

    Raises:
      CheckpointError: the file is damaged, or was written by another config.
    """
    metadata, tensors = read_checkpoint(path)
    if json.loads(metadata["config"]) != config.to_dict() or metadata["metric"] != metric:
        raise CheckpointError(f"{path}: written by another config: {metadata['config']}")
    state = new_state(config, data, metric, device)
    model_state, best = _under("model.", tensors), _under("best.", tensors)
    state.model.load_state_dict(model_state)
    parameters = [parameter for group in state.optimizer.param_groups for parameter in group["params"]]
    for name, tensor in _under("optimizer.", tensors).items():
        index, _, key = name.partition(".")
        parameter = parameters[int(index)]
        # Like its parameter in layout and device, as the optimizer itself would have made it.
        value = torch.empty_like(parameter).copy_(tensor) if tensor.shape == parameter.shape else tensor
        state.optimizer.state[parameter][key] = value
    state.history = [EpochMetrics(**metrics) for metrics in json.loads(metadata["history"])]
    state.valid_classes = list(tensors["valid_classes"].numpy())
    state.best_epoch = int(metadata["best_epoch"])
    state.best_weights = {name: tensor.to(device) for name, tensor in best.items()}
    state.best_logits = tensors["valid_logits"].numpy()
    return state


def read_checkpoint(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a checkpoint, checked against its checksum.

    Raises:
      CheckpointError: the file cannot be read, or its checksum differs.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error
    missing = {"config", "metric", "best_epoch", "history", "crc32"} - set(metadata)
    if missing or metadata["crc32"] != str(_crc32(tensors)):
        raise CheckpointError(f"{path}: damaged: the checksum differs")
    return metadata, tensors


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoint files of an attempt, the newest first."""
    found = [path for path in folder.glob("checkpoint-*.safetensors") if re.fullmatch(r"checkpoint-\d+", path.stem)]
    return sorted(found, key=lambda path: int(path.stem.split("-")[1]), reverse=True)


def is_finite(metrics: EpochMetrics) -> bool:
    return all(math.isfinite(getattr(metrics, f.name)) for f in fields(metrics))


def _under(prefix: str, tensors: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _crc32(tensors: dict[str, Tensor]) -> int:
    crc = 0
    for name in sorted(tensors):
        crc = zlib.crc32(name.encode(), crc)
        crc = zlib.crc32(tensors[name].numpy().tobytes(), crc)
    return crc
