"""Optimisers and learning rates. A rate is a function of the step alone, so there is no scheduler state to save."""

import inspect
import math
from typing import TypeVar

import torch
from torch import Tensor, nn, optim

from trainable.config import TrialConfig

WARM_UP = 0.25  # share of the steps in which the one-cycle rate rises
STEP_EPOCHS = 7  # the published StepLR(7, 0.1)
Kind = TypeVar("Kind", bound=optim.Optimizer)


def _uncompiled(kind: type[Kind]) -> type[Kind]:
    """The optimiser without what guards its methods against `torch.compile`.

    The guards' first call imports the compiler: 2 s and 150 MB for a worker, and nothing is compiled here.
    """
    guarded = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in guarded}
    return type(kind.__name__, (kind,), methods | {"step": torch.no_grad()(inspect.unwrap(kind.step))})


Adam, AdamW, SGD = _uncompiled(optim.Adam), _uncompiled(optim.AdamW), _uncompiled(optim.SGD)


def new_optimizer(config: TrialConfig, model: nn.Module) -> optim.Optimizer:
    """Its rate, on a GPU, is a tensor there: what is captured in a CUDA graph reads it anew at each step."""
    parameters, decay = list(model.parameters()), config.weight_decay
    device = parameters[0].device
    on_gpu = device.type == "cuda"
    lr = torch.tensor(config.lr, device=device) if on_gpu else config.lr
    # Fused: one call for all parameters instead of several for each.
    match config.optimizer:
        case "adam":
            return Adam(parameters, lr=lr, weight_decay=decay, fused=True, capturable=on_gpu)
        case "adamw":
            return AdamW(parameters, lr=lr, weight_decay=decay, fused=True, capturable=on_gpu)
        case _:
            nesterov = config.optimizer == "nesterov"
            return SGD(parameters, lr=lr, weight_decay=decay, momentum=0.9, nesterov=nesterov, fused=True)


def set_lr(optimizer: optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr


def lr_at(config: TrialConfig, step: int, steps_per_epoch: int) -> float:
    """The learning rate of `step`, counted from 0 over the whole trial.

    onecycle: linear from 0 to `lr` in the first quarter, linear to 0 at the end.
    cosine: from `lr` to 0. step: a tenth every 7 epochs. constant: `lr`.
    """
    done = step / (config.epochs * steps_per_epoch)
    match config.schedule:
        case "onecycle":
            return config.lr * (done / WARM_UP if done < WARM_UP else (1 - done) / (1 - WARM_UP))
        case "cosine":
            return config.lr * (1 + math.cos(math.pi * done)) / 2
        case "step":
            return config.lr * 0.1 ** (step // steps_per_epoch // STEP_EPOCHS)
        case _:
            return config.lr
