"""The training loop in plain torch: no Ray, no folders, no command line.

What is random in an epoch (order, augmentation, mixing, dropout) is a function of
(seed, epoch), so a trial that was stopped and continued ends like one that was not.
"""

import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datasets.augment import compose, per_image
from datasets.batched import batched
from datasets.images import Dataset
from trainable.config import TrialConfig
from trainable.optim import lr_at
from trainable.precision import autocast
from trainable.state import EpochMetrics, TrainState, is_finite

PREDICT_PIXELS = 2**22  # of a batch without gradients: 83 images of 224x224; at most 1,024 images


class Diverged(ArithmeticError):
    """A loss, or a prediction, is no finite number any more."""


def train(config: TrialConfig, data: Dataset, state: TrainState) -> Iterator[EpochMetrics]:
    """Trains from `state` to the config's last epoch, one epoch a step; `state` is ready to be saved at each.

    Raises:
      Diverged: the loss or the predictions of an epoch are not finite.
    """
    device = next(state.model.parameters()).device
    images, labels = on_device(data.train.images, device), torch.as_tensor(data.train.labels, device=device)
    valid_images = on_device(data.valid.images, device)
    assert data.valid.labels is not None
    augment = _augmentation(config, images.shape[2] == images.shape[3])
    steps = steps_per_epoch(config, len(labels))
    while state.epochs_done < config.epochs:
        started = time.monotonic()
        epoch = state.epochs_done + 1
        generator = epoch_generator(config.seed, epoch, device)
        order = torch.randperm(len(labels), generator=generator, device=device)
        state.model.train()
        total_loss = torch.zeros((), device=device)
        for step in range(steps):
            lr = lr_at(config, (epoch - 1) * steps + step, steps)
            for group in state.optimizer.param_groups:
                group["lr"] = lr
            chosen = order[step * config.batch_size : (step + 1) * config.batch_size]
            batch = augment(images[chosen], generator)
            loss = _loss(config, state.model, batch, labels[chosen], generator)
            state.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            state.optimizer.step()
            total_loss += loss.detach() * len(chosen)
        logits = predict_logits(config, state.model, valid_images)
        metrics = EpochMetrics(
            epoch=epoch,
            train_loss=float(total_loss) / min(len(labels), steps * config.batch_size),
            **evaluate(logits, data.valid.labels, len(data.classes)),
            lr=lr,
            seconds=time.monotonic() - started,
        )
        if not is_finite(metrics):
            raise Diverged(f"epoch {epoch}: train_loss={metrics.train_loss}, valid_loss={metrics.valid_loss}")
        state.add_epoch(metrics, logits)
        yield metrics


def steps_per_epoch(config: TrialConfig, images: int) -> int:
    """Batches an epoch; a last one of a single image is left out, for batch norm has no variance there."""
    full, rest = divmod(images, config.batch_size)
    return full + (rest > 1)


def epoch_generator(seed: int, epoch: int, device: torch.device) -> torch.Generator:
    """The source of an epoch's randomness; dropout draws from torch's global generator, so that is seeded too."""
    mixed = int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)
    torch.manual_seed(mixed)
    return torch.Generator(device).manual_seed(mixed)


def on_device(images: np.ndarray, device: torch.device) -> Tensor:
    """(N, H, W, 3) uint8 pixels as an (N, 3, H, W) uint8 tensor in channels-last layout; on CPU without a copy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray shares arrays read-only, and torch warns of those
        return torch.from_numpy(images).to(device).permute(0, 3, 1, 2)


def _augmentation(config: TrialConfig, square: bool) -> Callable[[Tensor, torch.Generator], Tensor]:
    """The config's pipeline on a whole batch where each of its transforms can, else image by image.

    Images that are not square are not transposed: the batch has one shape.
    """
    pipeline = compose({name: p for name, p in config.augmentation.items() if square or name != "transpose"})
    on_batch = batched(pipeline)
    if on_batch is not None:
        return on_batch

    def on_each(images: Tensor, generator: torch.Generator) -> Tensor:
        seed = torch.randint(2**31, (), generator=generator, device=generator.device)
        return per_image(pipeline, images, int(seed))

    return on_each


def _loss(config: TrialConfig, model: nn.Module, batch: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    mixing = config.mixup + config.cutmix
    if mixing > 0:
        draw, share = torch.rand(2, generator=generator, device=generator.device).tolist()
        if draw < mixing:
            partner = torch.randperm(len(batch), generator=generator, device=batch.device)
            mix = _cutmix if draw >= config.mixup else _mixup
            batch, share = mix(batch, partner, share, generator)
            logits = _forward(config, model, batch)
            first = F.cross_entropy(logits, labels, label_smoothing=config.label_smoothing)
            second = F.cross_entropy(logits, labels[partner], label_smoothing=config.label_smoothing)
            return share * first + (1 - share) * second
    return F.cross_entropy(_forward(config, model, batch), labels, label_smoothing=config.label_smoothing)


def _mixup(batch: Tensor, partner: Tensor, share: float, _: torch.Generator) -> tuple[Tensor, float]:
    """Zhang et al. 2018 with alpha 1: the share of the first image is uniform."""
    return share * batch + (1 - share) * batch[partner], share


def _cutmix(batch: Tensor, partner: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, float]:
    """Yun et al. 2019 with alpha 1: a box of the partner, its area uniform before it is clipped at the border."""
    height, width = batch.shape[2:]
    centre_y, centre_x = torch.rand(2, generator=generator, device=generator.device).tolist()
    half = (1 - share) ** 0.5 / 2
    top, bottom = (min(1.0, max(0.0, centre_y + side * half)) for side in (-1, 1))
    left, right = (min(1.0, max(0.0, centre_x + side * half)) for side in (-1, 1))
    rows, columns = slice(int(top * height), int(bottom * height)), slice(int(left * width), int(right * width))
    mixed = batch.clone()
    mixed[:, :, rows, columns] = batch[partner][:, :, rows, columns]
    cut = (rows.stop - rows.start) * (columns.stop - columns.start)
    return mixed, 1 - cut / (height * width)


def _forward(config: TrialConfig, model: nn.Module, batch: Tensor) -> Tensor:
    with autocast(config.arch, batch.device):
        return model(batch).float()


@torch.no_grad()
def predict_logits(config: TrialConfig, model: nn.Module, images: Tensor) -> np.ndarray:
    """(N, classes) float32 logits of (N, 3, H, W) pixels, in batches, without augmentation."""
    model.eval()
    size = max(1, min(1024, PREDICT_PIXELS // (images.shape[2] * images.shape[3])))
    batches = [_forward(config, model, batch) for batch in images.split(size)]
    return torch.cat(batches).cpu().numpy()


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
