"""Optimisers and learning rates. A rate is a function of the step alone, so there is no scheduler state to save."""

import math
from typing import Any

import torch
from torch import Tensor, nn, optim

from trainable.config import TrialConfig
from trainable.torch_changes import uncompiled

WARM_UP = 0.25  # share of the steps in which the one-cycle rate rises
STEP_EPOCHS = 7  # the published StepLR(7, 0.1)


def new_optimizer(config: TrialConfig, model: nn.Module) -> optim.Optimizer:
    """Its rate, on a GPU, is a tensor there: what is captured in a CUDA graph reads it anew at each step."""
    parameters = list(model.parameters())
    device = parameters[0].device
    on_gpu = device.type == "cuda"
    lr = torch.tensor(config.lr, device=device) if on_gpu else config.lr
    kinds: dict[str, tuple[Any, dict[str, object]]] = {
        "sgd": (optim.SGD, {"momentum": 0.9}),
        "nesterov": (optim.SGD, {"momentum": 0.9, "nesterov": True}),
        "adam": (optim.Adam, {"capturable": on_gpu}),
        "adamw": (optim.AdamW, {"capturable": on_gpu}),
    }
    kind, own = kinds[config.optimizer]
    # Fused: one call for all parameters instead of several for each.
    return uncompiled(kind)(parameters, lr=lr, weight_decay=config.weight_decay, fused=True, **own)


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
