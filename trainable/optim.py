"""Optimisers and learning rates.

A learning rate is a function of the step alone, so there is no scheduler state to save.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn, optim

from sweep.trainable.config import TrialConfig
from sweep.trainable.models import is_of_catalogue
from sweep.trainable.models.staged import found_stages
from sweep.trainable.torch_changes import uncompiled

ONE_CYCLE_WARM_UP = 0.25  # share of the steps, unless the config names one
STEP_EPOCHS = 7  # the published StepLR(7, 0.1)


def new_optimizer(config: TrialConfig, model: nn.Module) -> optim.Optimizer:
    """Returns the optimiser of a config for the parameters of a model that train.

    On a GPU the learning rates are tensors there, because a captured CUDA graph reads them anew at each step.
    """
    groups = parameter_groups(config, model)
    device = groups[0]["params"][0].device
    on_gpu = device.type == "cuda"
    for group in groups:
        rate = config.lr * group["factor"]
        group["lr"] = torch.tensor(rate, device=device) if on_gpu else rate
    kinds: dict[str, tuple[Any, dict[str, object]]] = {
        "sgd": (optim.SGD, {"momentum": 0.9}),
        "nesterov": (optim.SGD, {"momentum": 0.9, "nesterov": True}),
        "adam": (optim.Adam, {"capturable": on_gpu}),
        "adamw": (optim.AdamW, {"capturable": on_gpu}),
    }
    kind, options = kinds[config.optimizer]
    # fused=True: one call for all parameters of a group instead of several calls for each parameter.
    return uncompiled(kind)(groups, lr=groups[0]["lr"], weight_decay=config.weight_decay, fused=True, **options)


def parameter_groups(config: TrialConfig, model: nn.Module) -> list[dict[str, Any]]:
    """Returns the parameters that train, in groups, each with its `factor` of the learning rate.

    For a net that is named by its catalogue, timm/NAME for example, there is no weight decay for norms, for biases, and
    for parameters that the net itself exempts, such as positions and tokens. Each stage has its own rate if the config
    sets `layer_decay`. Any other net is one group, as when its results were published, unless its config sets
    `layer_decay`.
    """
    if not is_of_catalogue(config.arch) and config.layer_decay is None:
        return [{"params": list(model.parameters()), "factor": 1.0}]
    exempt = _exempt(model)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for factor, parameters in _by_rate(config, model):
        for parameter in parameters:
            if parameter.requires_grad:
                decays = parameter.ndim > 1 and parameter not in exempt
                groups.setdefault((factor, config.weight_decay if decays else 0.0), []).append(parameter)
    return [
        {"params": parameters, "factor": factor, "weight_decay": weight_decay}
        for (factor, weight_decay), parameters in groups.items()
    ]


def _exempt(model: nn.Module) -> set[nn.Parameter]:
    """Returns the parameters that nets of timm within the model declare to be without weight decay."""
    exempt: set[nn.Parameter] = set()
    for net in model.modules():
        exempt_names: Any = getattr(net, "no_weight_decay", set)
        parameters = dict(net.named_parameters())
        exempt.update(parameters[name] for name in exempt_names() if name in parameters)
    return exempt


def _by_rate(config: TrialConfig, model: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
    """Returns all parameters in groups, each with its factor of the rate: 1 for the last layer, less before it."""
    if config.layer_decay is None:
        return [(1.0, list(model.parameters()))]
    *_, net = model.children()
    parameters = dict(net.named_parameters())
    groups = [group for group in found_stages(net).parameters if group]
    return [
        (config.layer_decay**distance, [parameters[name] for name in group])
        for distance, group in enumerate(reversed(groups))
    ]


def kept_by(optimizer: optim.Optimizer) -> dict[str, Tensor]:
    """Returns the tensors that an optimiser keeps between steps, by parameter index and name, such as `0.exp_avg`."""
    return {
        f"{index}.{name}": torch.as_tensor(value)
        for index, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
        if value is not None
    }


def put_back(optimizer: optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Copies the tensors that `kept_by` returned for an optimiser of the same kind into this one.

    Raises:
      ValueError: a tensor belongs to a parameter that this optimiser does not have, or has another shape than it.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    by_index = {str(index): parameter for index, parameter in enumerate(parameters)}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        parameter = by_index.get(index)
        if parameter is None or tensor.shape not in (parameter.shape, ()):
            raise ValueError(f"optimizer.{name}, which is of no parameter of its config")
        # It has the memory layout and device of its parameter, as if the optimiser itself had made it.
        value = torch.empty_like(parameter).copy_(tensor) if tensor.ndim else tensor.to(parameter.device, copy=True)
        optimizer.state[parameter][key] = value


def set_lr(optimizer: optim.Optimizer, lr: float) -> None:
    """Sets the learning rate of every group to `lr` times the group's factor."""
    for group in optimizer.param_groups:
        rate = lr * group["factor"]
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def lr_at(config: TrialConfig, step: int, steps_per_epoch: int) -> float:
    """Returns the learning rate of `step`, which counts from 0 over the whole trial.

    The rate rises linearly from 0 to `lr` during the warm-up. Its share of the steps is `warmup` of the config; where
    that is None, it is a quarter for onecycle and 0 for the others. After the warm-up:

    onecycle falls linearly to 0 at the end. cosine falls along half a cosine to 0. step divides the rate by 10 every 7
    epochs of the trial. constant stays at `lr`.
    """
    progress = step / (config.epochs * steps_per_epoch)
    warmup = config.warmup if config.warmup is not None else ONE_CYCLE_WARM_UP if config.schedule == "onecycle" else 0.0
    if progress < warmup:
        return config.lr * (progress / warmup)
    phase = (progress - warmup) / (1 - warmup) if warmup else progress
    match config.schedule:
        case "onecycle":
            return config.lr * ((1 - progress) / (1 - warmup))
        case "cosine":
            return config.lr * (1 + math.cos(math.pi * phase)) / 2
        case "step":
            return config.lr * 0.1 ** (step // steps_per_epoch // STEP_EPOCHS)
        case _:
            return config.lr
