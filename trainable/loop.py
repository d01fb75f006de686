"""The training loop in plain torch: it knows no Ray, no folders and no command line.

Everything that is random in an epoch (order, augmentation, mixing, dropout) is a function of
(seed, epoch), so a trial that was stopped and continued ends like one that was not.
"""

import math
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from sweep.datasets.pixels import Pixels
from sweep.datasets.pixels.dataset import Dataset
from sweep.trainable.batch import predict_batch
from sweep.trainable.config import TrialConfig
from sweep.trainable.features import Prepared
from sweep.trainable.head_start import start_head
from sweep.trainable.images import parts as parts_of
from sweep.trainable.images import placed
from sweep.trainable.inputs import as_floats, inputs_of
from sweep.trainable.inputs import prepare as prepare_inputs
from sweep.trainable.metrics import measure
from sweep.trainable.metrics.history import EpochMetrics, is_finite
from sweep.trainable.models import family_of, frozen
from sweep.trainable.models.net import seen_size
from sweep.trainable.objective import Objective
from sweep.trainable.optim import lr_at, set_lr
from sweep.trainable.parallel.group import ALONE, Group
from sweep.trainable.precision import forward
from sweep.trainable.sampling import Sampling
from sweep.trainable.state import TrainState
from sweep.trainable.step import Step

# Gradients in float16 are scaled, at first by 65,536 and after each overflow by half as much. Training has diverged
# if they overflow even at this scale.
SMALLEST_SCALE = 1.0


class Diverged(ArithmeticError):
    """The training diverged: a loss or a prediction is not a finite number any more."""


def prepare(config: TrialConfig, data: Dataset, state: TrainState) -> Iterator[Prepared]:
    """Computes the outputs of a net's frozen part for the images, in steps that take seconds.

    The results are kept on disk, where other trials read them too. `train` computes whatever is still missing.

    Yields:
      After each step, how far the computation is.
    """
    family = family_of(config.arch)
    if family.prepare:
        yield from family.prepare(config, data, state)
    elif not family.train:
        yield from prepare_inputs(config, data, state.model)


def train(config: TrialConfig, data: Dataset, state: TrainState, group: Group = ALONE) -> Iterator[EpochMetrics]:
    """Trains `state` up to the config's last epoch, and yields the metrics of each epoch.

    Whenever it yields, `state` may be saved; training continues from a saved state as if it had not been interrupted.

    Args:
      group: the processes that train this trial together; each of them calls this function.

    Raises:
      Diverged: the loss or the predictions of an epoch are not finite, or the gradients overflow float16 at any scale.
      torch.OutOfMemoryError: not even micro-batches of two images fit into memory.
    """
    family_train = family_of(config.arch).train
    if family_train:
        yield from family_train(config, data, state)
        return
    device = next(state.model.parameters()).device
    inputs = inputs_of(config, data, state.model)
    images = inputs.images
    sampling = Sampling(inputs.labels[:images], len(data.classes), config.balanced)
    objective = Objective(config, sampling, device)
    if config.head_start and not state.epochs_done and group.rank == 0:
        start_head(config, inputs, state, objective)
    group.begin(config, data, state)
    step, predictor = Step(config, inputs, state, device, objective, group), inputs.part(state.predictor)
    valid_images = placed(inputs.valid, device)
    steps = steps_per_epoch(config, images)
    while state.epochs_done < config.epochs:
        started = time.monotonic()
        group.begin_epoch()
        epoch = state.epochs_done + 1
        step.seed(epoch)
        order = group.agree(inputs.rows(sampling.order(step.generator), step.generator))
        step.part_draws(epoch)
        state.model.train()
        frozen.judge(state.model)
        total_loss = torch.zeros((), device=device)
        parts = group.parts(order.split(config.batch_size)[:steps])
        step.begin([part.rows for part in parts])
        for number, part in enumerate(parts):
            steps_done = (epoch - 1) * steps + number
            lr = lr_at(config, steps_done, steps)
            set_lr(state.optimizer, lr)
            total_loss += step(part)
            if state.averaged:
                state.averaged.update(steps_done)
        view = as_floats if inputs.are_maps else None
        predict = partial(predict_logits, config, predictor, view=view, size=inputs.size)
        logits = group.predict(valid_images, [state.model, state.predictor], predict)
        metrics = EpochMetrics(
            epoch=epoch,
            train_loss=float(group.total(total_loss)) / min(images, steps * config.batch_size),
            **measure(data.valid.truth, logits, state.metric),
            lr=lr,
            seconds=time.monotonic() - started,
            micro_batch=state.micro_batch,
        )
        if not is_finite(metrics):
            score = "" if metrics.score is None else f", {state.metric.label}={metrics.score}"
            raise Diverged(f"epoch {epoch}: train_loss={metrics.train_loss}, valid_loss={metrics.valid_loss}{score}")
        if state.scaler and state.scaler.get_scale() < SMALLEST_SCALE:
            raise Diverged(f"epoch {epoch}: gradients overflow float16 however small they are scaled")
        state.add_epoch(metrics, logits)
        yield metrics


def steps_per_epoch(config: TrialConfig, images: int) -> int:
    """Returns the number of batches in an epoch.

    A last batch of a single image is left out, because batch norm cannot compute a variance from one image.
    """
    full, remainder = divmod(images, config.batch_size)
    return full + (remainder > 1)


@torch.no_grad()
def predict_logits(
    config: TrialConfig,
    model: nn.Module,
    images: Tensor | Pixels,
    view: Callable[[Tensor], Tensor] | None = None,
    size: int | None = None,
) -> np.ndarray:
    """Returns the (N, classes) float32 logits of (N, 3, H, W) pixels, computed in batches and without augmentation.

    If a batch does not fit into memory, it tries again with half as many images.

    Args:
      images: on the model's device, or in any other place where pixels are kept.
      view: changes each batch before the model sees it, for example flips it.
      size: images per batch; None chooses it by the size at which the model sees the images.

    Raises:
      torch.OutOfMemoryError: not even a single image fits into memory.
    """
    model.eval()
    device = next(model.parameters()).device
    size = size or predict_batch(seen_size(model, (images.shape[2], images.shape[3])))
    while True:
        try:
            batches = parts_of(images, size, device)
            logits = [forward(config.arch, model, view(batch) if view else batch) for batch in batches]
            return torch.cat(logits).cpu().numpy()
        except torch.OutOfMemoryError:
            if size == 1:
                raise
        torch.cuda.empty_cache()  # so that other trials on the same GPU can have the memory
        size = math.ceil(size / 2)
