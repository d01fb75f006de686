"""The start of fine-tuning: the last layer is set to the solution of a logistic head on the net's own features.

With a randomly drawn last layer, the first steps would spoil good features to suit a bad layer.
"""

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from sweep.trainable.config import ConfigError, TrialConfig
from sweep.trainable.features.solution import solve
from sweep.trainable.images import parts
from sweep.trainable.inputs import Inputs, as_floats
from sweep.trainable.models.calls import judged
from sweep.trainable.models.staged import classifier_names
from sweep.trainable.objective import Objective
from sweep.trainable.precision import forward
from sweep.trainable.state import TrainState

PENALTY = 0.1  # factor of the squared weights, for features of mean 0 and deviation 1
BLOCK = 4096  # images


def start_head(config: TrialConfig, inputs: Inputs, state: TrainState, objective: Objective) -> None:
    """Sets the last layer of the net, and of the mean of its weights if the config asks for one.

    Args:
      inputs: the trial's inputs; each training image is used once, without augmentation.
      objective: the trial's objective.

    Raises:
      ConfigError: the last layer of the net is not linear.
    """
    layers = _last_layers(config, state.model)
    features = _features(config, inputs, state.model, layers[0])
    mean, std = features.mean(0), features.std(0)
    std = torch.where(std > 1e-6 * (1 + mean.abs()), std, 1.0)
    features = features.sub_(mean).div_(std)
    head = nn.Linear(features.shape[1], len(layers[0].weight)).to(features.device)
    solve(
        head,
        lambda: features.split(BLOCK),
        inputs.labels[: inputs.images],
        PENALTY,
        objective.of_each_image_once(),
    )
    models = [state.model, *([state.averaged.model] if state.averaged else [])]
    with torch.no_grad():
        weight = head.weight / std
        bias = head.bias - weight @ mean
        for layer in itertools.chain(*(_last_layers(config, model) for model in models)):
            layer.weight.copy_(weight)
            if layer.bias is not None:
                layer.bias.copy_(bias)


def _last_layers(config: TrialConfig, model: nn.Module) -> list[nn.Linear]:
    """Returns the last layers of the net; a distilled net has two.

    Raises:
      ConfigError: one of them is not linear.
    """
    *_, net = model.children()
    layers = [net.get_submodule(name) for name in classifier_names(net)]
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    if not linear or len(linear) < len(layers):
        raise ConfigError(
            f"`head_start` needs a net whose last layer is linear, got arch={config.arch}; leave head_start out"
        )
    return linear


def _features(config: TrialConfig, inputs: Inputs, model: nn.Module, layer: nn.Linear) -> Tensor:
    """Returns the (N, F) input of the last layer for each training image."""
    features: list[Tensor] = []

    def keep(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        features.append(arguments[0].float().flatten(1))

    part, device = inputs.part(model), layer.weight.device
    handle = layer.register_forward_pre_hook(keep)
    try:
        with judged(model):
            for batch in _batches(inputs, device):
                forward(config.arch, part, batch)
    finally:
        handle.remove()
    return torch.cat(features)


def _batches(inputs: Inputs, device: torch.device) -> Iterator[Tensor]:
    """Yields all training images once, in batches, in the form in which the net takes them."""
    count = 0
    for batch in parts(inputs.train, inputs.size, device):
        batch = batch[: inputs.images - count]  # the mirror images follow and are not used
        count += len(batch)
        if not len(batch):
            return
        yield as_floats(batch) if inputs.are_maps else batch
