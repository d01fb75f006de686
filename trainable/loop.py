"""The training loop in plain torch: no Ray, no folders, no command line.

What is random in an epoch (order, augmentation, mixing, dropout) is a function of
(seed, epoch), so a trial that was stopped and continued ends like one that was not.

A batch for which a GPU's memory is short goes through in micro-batches whose gradients
add up to those of the whole batch; the trial stays with them, across a restart too.

On a GPU most steps are a CUDA graph, see `trainable.graphed`, with the same draws and kernels.
"""

import math
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datasets.augment import compose, from_text, per_image
from datasets.batched import batched, take
from datasets.dataset import Dataset
from trainable.batch import SMALLEST_MICRO_BATCH, Batch, draw_mix
from trainable.config import ConfigError, TrialConfig
from trainable.graphed import NETS, Graphed
from trainable.metrics import EpochMetrics, is_finite
from trainable.optim import lr_at, set_lr
from trainable.precision import autocast
from trainable.state import TrainState

if TYPE_CHECKING:  # datasets.augment keeps it from asking a package index
    from albumentations import Compose

PREDICT_PIXELS = 2**22  # of a batch without gradients: 83 images of 224x224; at most 1,024 images
STEPS_BEFORE_GRAPH = 3  # in which the optimizer, cuDNN and the augmentation make what they keep


class Diverged(ArithmeticError):
    """A loss, or a prediction, is no finite number any more."""


def train(config: TrialConfig, data: Dataset, state: TrainState) -> Iterator[EpochMetrics]:
    """Trains from `state` to the config's last epoch, one epoch a step; `state` is ready to be saved at each.

    Raises:
      Diverged: the loss or the predictions of an epoch are not finite.
      torch.OutOfMemoryError: not even micro-batches of two images fit.
    """
    device = next(state.model.parameters()).device
    step = _Step(config, data, state, device)
    valid_images = on_device(data.valid.images, device)
    assert data.valid.labels is not None
    images = len(data.train.images)
    steps = steps_per_epoch(config, images)
    while state.epochs_done < config.epochs:
        started = time.monotonic()
        epoch = state.epochs_done + 1
        step.seed(epoch)
        order = torch.randperm(images, generator=step.generator, device=device)
        state.model.train()
        total_loss = torch.zeros((), device=device)
        for number in range(steps):
            lr = lr_at(config, (epoch - 1) * steps + number, steps)
            set_lr(state.optimizer, lr)
            total_loss += step(order[number * config.batch_size : (number + 1) * config.batch_size])
        logits = predict_logits(config, state.model, valid_images)
        metrics = EpochMetrics(
            epoch=epoch,
            train_loss=float(total_loss) / min(images, steps * config.batch_size),
            **evaluate(logits, data.valid.labels, len(data.classes)),
            lr=lr,
            seconds=time.monotonic() - started,
            micro_batch=state.micro_batch,
        )
        if not is_finite(metrics):
            raise Diverged(f"epoch {epoch}: train_loss={metrics.train_loss}, valid_loss={metrics.valid_loss}")
        state.add_epoch(metrics, logits)
        yield metrics


def steps_per_epoch(config: TrialConfig, images: int) -> int:
    """Batches an epoch; a last one of a single image is left out, for batch norm has no variance there."""
    full, rest = divmod(images, config.batch_size)
    return full + (rest > 1)


def on_device(images: np.ndarray, device: torch.device) -> Tensor:
    """(N, 3, H, W) uint8 pixels as a tensor; on CPU without a copy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray shares arrays read-only, and torch warns of those
        return torch.from_numpy(images).to(device)


class _Step:
    """Augments the images chosen for it, learns from them, and returns the sum of their losses.

    Attributes:
      generator: on the device, of what is drawn per image.
      mixing: on the host, of what is drawn per batch: a number drawn on a GPU would be waited for.
    """

    def __init__(self, config: TrialConfig, data: Dataset, state: TrainState, device: torch.device) -> None:
        self.config, self.state = config, state
        self.images = on_device(data.train.images, device)
        self.labels = torch.as_tensor(data.train.labels, device=device)
        self.images_a_step = min(config.batch_size, len(self.images))  # but for an epoch's last one
        square = self.images.shape[2] == self.images.shape[3]
        self.augment = _augmentation(config, square)
        self.surroundings = _Surroundings(state.model, device)
        self.generator, self.mixing = torch.Generator(device), torch.Generator()
        self.until_graphed = STEPS_BEFORE_GRAPH if _can_be_graphed(config, device, square) else math.inf
        self.graph: Graphed | None = None

    def seed(self, epoch: int) -> None:
        """Dropout draws from torch's global generator, so that is seeded too."""
        mixed = np.random.SeedSequence([self.config.seed, epoch]).generate_state(2, np.uint64)
        per_image, per_batch = (int(number >> 1) for number in mixed)
        torch.manual_seed(per_image)
        self.generator.manual_seed(per_image)
        self.mixing.manual_seed(per_batch)

    def __call__(self, chosen: Tensor) -> Tensor:
        mix = draw_mix(self.config, self.mixing)
        graph = None if mix else self._graph(chosen)
        if graph:
            return graph(chosen)
        self.until_graphed -= 1
        batch = Batch(self.augment(take(self.images, chosen), self.generator), self.labels[chosen])
        if mix:
            batch = mix(batch, self.mixing)
        loss = _backpropagated(self.config, self.state, batch, self.surroundings)
        self.state.optimizer.step()
        return loss

    def _graph(self, chosen: Tensor) -> Graphed | None:
        """Of a step without mixing, if it is time, and if these images are as many as in most steps and fit at once."""
        if self.until_graphed > 0 or not len(chosen) == self.images_a_step <= self.state.micro_batch:
            return None
        if self.graph is None:
            try:
                self.graph = Graphed(self._without_host, chosen, self.generator)
            except torch.OutOfMemoryError:
                self.until_graphed = math.inf
        return self.graph

    def _without_host(self, chosen: Tensor) -> Tensor:
        """The same, of a batch that is not mixed and that fits."""
        batch = Batch(self.augment(take(self.images, chosen), self.generator), self.labels[chosen])
        self.state.optimizer.zero_grad(set_to_none=True)
        loss = _accumulated(self.config, self.state.model, batch, self.state.micro_batch)
        self.state.optimizer.step()
        return loss


def _can_be_graphed(config: TrialConfig, device: torch.device, square: bool) -> bool:
    """Whether steps are all of the device's work, and the same again and again."""
    return device.type == "cuda" and config.arch in NETS and batched(pipeline(config, square)) is not None


def _augmentation(config: TrialConfig, square: bool) -> Callable[[Tensor, torch.Generator], Tensor]:
    """The config's pipeline on a whole batch where each of its transforms can, else image by image."""
    augmentation = pipeline(config, square)
    on_batch = batched(augmentation)
    if on_batch is not None:
        return on_batch

    def on_each(images: Tensor, generator: torch.Generator) -> Tensor:
        seed = torch.randint(2**31, (), generator=generator, device=generator.device)
        return per_image(augmentation, images, int(seed))

    return on_each


def pipeline(config: TrialConfig, square: bool = True) -> "Compose":
    """What the config does to an image.

    Args:
      square: images that are not are not transposed, unless by a pipeline of the user's own: a batch has one shape.

    Raises:
      ConfigError: the config's own pipeline cannot be read.
    """
    if config.pipeline is None:
        return compose({name: p for name, p in config.augmentation.items() if square or name != "transpose"})
    try:
        return from_text(config.pipeline)
    except ValueError as error:
        raise ConfigError(f"`pipeline` must be a Compose as datasets.augment.to_text writes it: {error}") from error


class _Surroundings:
    """What a pass in training changes beside gradients: kept, so that a batch can be done again as if never begun."""

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self.buffers = list(model.buffers())  # batch norm's running mean and variance
        self.kept = [buffer.clone() for buffer in self.buffers]
        on_gpu = device.type == "cuda"  # dropout draws from its device's global generator
        self.generator = torch.cuda.default_generators[device.index] if on_gpu else torch.default_generator

    def keep(self) -> None:
        torch._foreach_copy_(self.kept, self.buffers)  # all in one call, at a fifth of the time of one each
        self.drawn = self.generator.get_state()

    def restore(self) -> None:
        torch._foreach_copy_(self.buffers, self.kept)
        self.generator.set_state(self.drawn)


def _backpropagated(config: TrialConfig, state: TrainState, batch: Batch, surroundings: _Surroundings) -> Tensor:
    """Leaves the gradients of the batch's mean loss in the model, and returns the sum of its images' losses.

    Short of memory, it halves `state.micro_batch` and does the same batch again.
    """
    surroundings.keep()
    state.optimizer.zero_grad(set_to_none=True)
    while True:
        try:
            return _accumulated(config, state.model, batch, state.micro_batch)
        except torch.OutOfMemoryError:
            size = min(state.micro_batch, len(batch.labels))
            if size <= SMALLEST_MICRO_BATCH:
                raise
        # Not before the except block has ended: until then its traceback holds the tensors of the failed pass.
        state.optimizer.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()  # for the other trials on the same GPU too; does nothing where there is none
        surroundings.restore()
        state.micro_batch = math.ceil(size / 2)


def _accumulated(config: TrialConfig, model: nn.Module, batch: Batch, micro_batch: int) -> Tensor:
    """`_backpropagated`, in micro-batches of a given size."""
    total = torch.zeros((), device=batch.images.device)
    for part in batch.parts(micro_batch):
        loss = _loss(config, model, part)
        # Not the share as the gradient to begin with: for that torch imports sympy, 1 s for a worker.
        (loss * (len(part.labels) / len(batch.labels))).backward()
        total += loss.detach() * len(part.labels)
    return total


def _loss(config: TrialConfig, model: nn.Module, batch: Batch) -> Tensor:
    logits = _forward(config, model, batch.images)
    loss = F.cross_entropy(logits, batch.labels, label_smoothing=config.label_smoothing)
    if batch.partners is None:
        return loss
    second = F.cross_entropy(logits, batch.partners, label_smoothing=config.label_smoothing)
    return batch.share * loss + (1 - batch.share) * second


def _forward(config: TrialConfig, model: nn.Module, batch: Tensor) -> Tensor:
    with autocast(config.arch, batch.device):
        return model(batch).float()


@torch.no_grad()
def predict_logits(config: TrialConfig, model: nn.Module, images: Tensor) -> np.ndarray:
    """(N, classes) float32 logits of (N, 3, H, W) pixels, in batches, without augmentation."""
    model.eval()
    size = max(1, min(1024, PREDICT_PIXELS // (images.shape[2] * images.shape[3])))
    while True:
        try:
            return torch.cat([_forward(config, model, batch) for batch in images.split(size)]).cpu().numpy()
        except torch.OutOfMemoryError:
            if size == 1:
                raise
        torch.cuda.empty_cache()  # see `_backpropagated`
        size = math.ceil(size / 2)


def evaluate(logits: np.ndarray, labels: np.ndarray, classes: int) -> dict[str, float]:
    """Loss, accuracy, and the mean accuracy of the classes that occur in `labels`."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted.astype(np.float64)).sum(axis=1))
    right = logits.argmax(axis=1) == labels
    per_class = [right[labels == c].mean() for c in range(classes) if (labels == c).any()]
    return {
        "valid_loss": float((log_sum - shifted[np.arange(len(labels)), labels]).mean()),
        "valid_accuracy": float(right.mean()),
        "valid_balanced_accuracy": float(np.mean(per_class)),
    }
