"""One training step: augmentation, forward pass, backward pass, optimizer.

A batch that does not fit in the GPU's memory is processed in micro-batches, whose gradients add up to those of the
whole batch; the trial keeps their size from then on, across a restart too. On a GPU with CUDA most steps are replays of
a CUDA graph, if the net can be captured as one: see `trainable.probe`.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from sweep.datasets.augment.batch_rows import Change
from sweep.datasets.augment.batched import batched, unsupported
from sweep.datasets.augment.pipeline import compose, from_text, per_image
from sweep.trainable.batch import SMALLEST_MICRO_BATCH, Batch, draw_mix
from sweep.trainable.config import ConfigError, TrialConfig
from sweep.trainable.graphed import Graphed, has_graphs
from sweep.trainable.images import TrainingImages
from sweep.trainable.inputs import Inputs, as_floats
from sweep.trainable.objective import Objective
from sweep.trainable.parallel.group import ALONE, BatchPart, Group
from sweep.trainable.precision import forward
from sweep.trainable.probe import SHORT_OF_MEMORY, UndecidedError, graph_of, identity
from sweep.trainable.state import TrainState

if TYPE_CHECKING:
    from albumentations import Compose

STEPS_BEFORE_GRAPH = 3  # in which the optimizer, cuDNN and the augmentation allocate what they keep
NO_GRAPH = "its steps are launched kernel by kernel, not as a CUDA graph"


class Step:
    """Augments the images chosen for it, learns from them, and returns the sum of their losses.

    Attributes:
      generator: for the random draws per image, on the device.
      mixing: for the random draws per batch, on the host, so that it need not wait for the GPU.

    Raises, when called:
      torch.OutOfMemoryError: not even micro-batches of two images fit.
    """

    def __init__(
        self,
        config: TrialConfig,
        inputs: Inputs,
        state: TrainState,
        device: torch.device,
        objective: Objective,
        group: Group = ALONE,
    ) -> None:
        """Prepares the steps of a trial.

        Args:
          group: the processes that train the trial together; this one alone by default.

        Raises:
          ConfigError: the config's own pipeline cannot be read.
        """
        self.config, self.state, self.objective, self.group = config, state, objective, group
        self.images_a_step = group.largest_part(min(config.batch_size, inputs.images))  # the last one may have fewer
        self.images = TrainingImages(inputs.train, device, self.images_a_step)
        self.labels, self.part = inputs.labels, inputs.part(state.model)
        augment_batch: Change | None = as_floats
        if not inputs.are_maps:
            height, width = inputs.train.shape[2:]
            augmentation = pipeline(config, square=height == width)
            augment_batch = batched(augmentation)
        self.augment = augment_batch or _one_by_one(augmentation)
        self.training = [parameter for group in state.optimizer.param_groups for parameter in group["params"]]
        self.surroundings = _Surroundings(state.model, device)
        self.generator, self.mixing = torch.Generator(device), torch.Generator()
        self.graph: Graphed | None = None
        self.steps_until_graph: float = STEPS_BEFORE_GRAPH if has_graphs(device) else math.inf
        self.identity = partial(identity, config, self.part, (self.images_a_step, *inputs.train.shape[1:]), device)
        if has_graphs(device) and augment_batch is None:
            transforms = ", ".join(each.partition("(")[0] for each in unsupported(augmentation))
            self._do_without_graph(f"{transforms} of its pipeline is done image by image, on the host")
        elif has_graphs(device) and not group.is_alone:
            self._do_without_graph(f"{group.size} processes add up their gradients in each")

    def begin(self, batch_rows: Sequence[Tensor]) -> None:
        """Announces an epoch's batches, so that their images are read ahead.

        Args:
          batch_rows: for each batch of the epoch, in order, the rows of its training images: (N,) int64, on the device.
        """
        self.images.begin(batch_rows)

    def seed(self, epoch: int) -> None:
        """Seeds all draws of an epoch: per image, per batch, and by dropout."""
        per_image, per_batch = self._seeds(epoch)
        self._seed_images(per_image)
        self.mixing.manual_seed(per_batch)

    def part_draws(self, epoch: int) -> None:
        """Gives each process its own draws for its images; called after all processes have drawn the same order."""
        if self.group.rank:
            self._seed_images(self._seeds(epoch, self.group.rank)[0])

    def _seeds(self, epoch: int, *ranks: int) -> tuple[int, int]:
        per_image, per_batch = np.random.SeedSequence([self.config.seed, epoch, *ranks]).generate_state(2, np.uint64)
        return int(per_image >> 1), int(per_batch >> 1)

    def _seed_images(self, seed: int) -> None:
        """Seeds the draws per image; dropout draws from torch's global generator, so that is seeded too."""
        torch.manual_seed(seed)
        self.generator.manual_seed(seed)

    def __call__(self, part: BatchPart) -> Tensor:
        """Does one step, and returns the sum of the losses of its images.

        Args:
          part: the next of the batches that `begin` was given.
        """
        rows = part.rows
        self.images.load()
        mix = draw_mix(self.config, self.mixing)
        graph = None if mix else self._graph(rows)
        if graph:
            return graph(rows)
        batch = self._batch(rows)
        if mix:
            batch = mix(batch, self.mixing)
        loss = self._backpropagated(batch, part.share)
        self.group.add_gradients(self.training)
        self._descend()
        return loss if part.times == 1 else loss * part.times

    def _batch(self, rows: Tensor) -> Batch:
        return Batch(self.augment(self.images.take(rows), self.generator), self.labels[rows])

    def _graph(self, rows: Tensor) -> Graphed | None:
        """Returns the CUDA graph for a batch that is not mixed, or None.

        There is none in the first steps, for a net that cannot be captured, for a batch that is smaller than most, and
        for one that goes through in micro-batches.
        """
        if not len(rows) == self.images_a_step <= self.state.micro_batch:
            return None
        if self.steps_until_graph > 0:
            self.steps_until_graph -= 1
            return None
        if self.graph is None:
            self._capture(rows)
        return self.graph

    def _capture(self, rows: Tensor) -> None:
        try:
            self.graph, reason = graph_of(self._device_step, rows, self.state, self.generator, self.identity())
        except UndecidedError:
            self.steps_until_graph = STEPS_BEFORE_GRAPH
            return
        if self.graph is None:
            self._do_without_graph(reason)

    def _do_without_graph(self, reason: str) -> None:
        self.state.note = f"{NO_GRAPH}: {reason}"
        self._give_back_memory()

    def _device_step(self, rows: Tensor) -> Tensor:
        """Does a step without mixing on a batch that fits in memory; no part of it waits for the host."""
        batch = self._batch(rows)
        self.state.optimizer.zero_grad(set_to_none=True)
        loss = self._accumulate(batch)
        self._descend()
        return loss

    def _descend(self) -> None:
        """Changes the weights by the gradients of the whole batch, which are clipped first if the config says so."""
        optimizer, scaler = self.state.optimizer, self.state.scaler
        if self.config.clip is not None:
            if scaler:
                scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(self.training, self.config.clip)
        if scaler is None:
            optimizer.step()
            return
        scaler.step(optimizer)
        scaler.update()

    def _backpropagated(self, batch: Batch, share: float) -> Tensor:
        """Leaves the gradients of the batch's mean loss in the model, and returns the sum of its images' losses.

        If memory is short, it does the same batch again: first without the graph, which holds as much memory as an
        eager step needs; then with `state.micro_batch` halved.

        Args:
          share: the weight of this batch's mean loss, [0, 1]; below 1 if it is this process's part of a larger batch.
        """
        self.surroundings.keep()
        self.state.optimizer.zero_grad(set_to_none=True)
        while True:
            try:
                return self._accumulate(batch, share)
            except torch.OutOfMemoryError:
                size = min(self.state.micro_batch, len(batch.labels))
                if self.graph is None and size <= SMALLEST_MICRO_BATCH:
                    raise
            # Memory is given back after the except block: until its end, its traceback holds the failed pass's tensors.
            if self.graph is None:
                self.state.micro_batch = math.ceil(size / 2)
                self._give_back_memory()
            else:
                self._do_without_graph(SHORT_OF_MEMORY)
            self.surroundings.restore()

    def _give_back_memory(self) -> None:
        """Frees unused memory, for other trials on the same GPU too, and the graph's, which is not made again."""
        self.graph, self.steps_until_graph = None, math.inf
        self.state.optimizer.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()  # does nothing where there is no GPU

    def _accumulate(self, batch: Batch, share: float = 1.0) -> Tensor:
        """Does what `_backpropagated` does, if memory is enough; raises torch.OutOfMemoryError if not."""
        total = torch.zeros((), device=batch.images.device)
        for part in batch.parts(self.state.micro_batch):
            loss = self._loss(part)
            # The share multiplies the loss; given to `backward` as a gradient, it would import sympy, 1 s for a worker.
            self._scale(loss * (share * len(part.labels) / len(batch.labels))).backward()
            total += loss.detach() * len(part.labels)
        # If the pass itself overflowed in float16, the step is skipped, and its loss, which is unknown, counts as 0.
        return total.nan_to_num(0, 0, 0) if self.state.scaler else total

    def _scale(self, loss: Tensor) -> Tensor:
        """Returns the loss, scaled so that its gradients are in the range of the format that they are computed in."""
        return self.state.scaler.scale(loss) if self.state.scaler else loss

    def _loss(self, batch: Batch) -> Tensor:
        logits = forward(self.config.arch, self.part, batch.images)
        loss = self.objective(logits, batch.labels)
        if batch.partners is None:
            return loss
        return batch.share * loss + (1 - batch.share) * self.objective(logits, batch.partners)


def pipeline(config: TrialConfig, square: bool = True) -> "Compose":
    """Returns the augmentation that a config does to an image.

    Args:
      square: whether the images are square. Others are not transposed, because a batch has one shape; a pipeline of the
        user's own is not changed.

    Raises:
      ConfigError: the config's own pipeline cannot be read.
    """
    if config.pipeline is None:
        return compose(config.augmentation, square)
    try:
        return from_text(config.pipeline)
    except ValueError as error:
        raise ConfigError(
            f"`pipeline` must be a Compose as datasets.augment.pipeline.to_text writes it: {error}"
        ) from error


def _one_by_one(augmentation: "Compose") -> Change:
    """Returns the change for a pipeline that has no batched form: it goes image by image."""

    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        seed = torch.randint(2**31, (), generator=generator, device=generator.device)
        return per_image(augmentation, images, int(seed))

    return change


class _Surroundings:
    """Keeps all that a training pass changes except the gradients, so that a batch can be repeated from the start."""

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self.buffers = list(model.buffers())  # batch norm's running mean and variance
        self.copies = [buffer.clone() for buffer in self.buffers]
        on_gpu = device.type == "cuda"  # dropout draws from its device's global generator
        self.generator = torch.cuda.default_generators[device.index] if on_gpu else torch.default_generator

    def keep(self) -> None:
        torch._foreach_copy_(self.copies, self.buffers)  # one call for all takes a fifth of the time of a call for each
        self.generator_state = self.generator.get_state()

    def restore(self) -> None:
        torch._foreach_copy_(self.buffers, self.copies)
        self.generator.set_state(self.generator_state)
