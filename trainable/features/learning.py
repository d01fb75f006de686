"""Trains a head in one epoch, on features that were computed once for all heads."""

import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from sweep.datasets.pixels.dataset import Dataset
from sweep.trainable.config import TrialConfig
from sweep.trainable.features import Prepared, computing
from sweep.trainable.features.computing import features_of
from sweep.trainable.features.matrix import Features
from sweep.trainable.loop import Diverged
from sweep.trainable.metrics import measure
from sweep.trainable.metrics.history import EpochMetrics, is_finite
from sweep.trainable.models.head import HeadNet
from sweep.trainable.state import TrainState

SPLITS = ("train", "validation")
Fit = Callable[[TrialConfig, nn.Module, Features, Tensor], float]


def prepare(config: TrialConfig, data: Dataset, state: TrainState) -> Iterator[Prepared]:
    """Computes the missing features, a step at a time."""
    if not state.epochs_done:
        normalise, net = _parts(state)
        yield from computing.prepare(config, data, SPLITS, net, normalise)


def train(config: TrialConfig, data: Dataset, state: TrainState, fit: Fit) -> Iterator[EpochMetrics]:
    """Trains a head in one epoch, as the `train` of its family; its seconds do not include the computation of features.

    Args:
      fit: trains the head on the features and labels of the training images, and returns its loss.

    Raises:
      Diverged: the loss is not finite.
    """
    if state.epochs_done:
        return
    normalise, net = _parts(state)
    train_features, valid_features = (features_of(config, data, split, net, normalise) for split in SPLITS)
    started = time.monotonic()
    labels = torch.tensor(data.train.truth, device=net.mean.device)
    mean, std = train_features.standardise()
    net.mean.copy_(mean)
    net.std.copy_(std)
    valid_features.standardise(mean, std)
    torch.manual_seed(config.seed)
    loss = fit(config, net.head, train_features, labels.repeat(train_features.count // len(labels)))
    net.head.eval()
    with torch.no_grad():
        logits = torch.cat([net.head(block) for block in valid_features.blocks()]).cpu().numpy()
    metrics = EpochMetrics(
        epoch=1,
        train_loss=loss,
        **measure(data.valid.truth, logits, state.metric),
        lr=config.lr,
        seconds=time.monotonic() - started,
        micro_batch=state.micro_batch,
    )
    if not is_finite(metrics):
        raise Diverged(f"train_loss={metrics.train_loss}, valid_loss={metrics.valid_loss}")
    state.add_epoch(metrics, logits)
    yield metrics


def _parts(state: TrainState) -> tuple[nn.Module, HeadNet]:
    """Returns the layer that normalises, and the net behind it."""
    normalise, net = state.model.children()
    assert isinstance(net, HeadNet)
    return normalise, net
