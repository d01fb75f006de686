"""Optimisers and learning rates. A rate is a function of the step alone, so there is no scheduler state to save."""

import math

import torch
from torch import Tensor, nn, optim

from trainable.config import TrialConfig
from trainable.torch_changes import uncompiled

WARM_UP = 0.25  # share of the steps in which the one-cycle rate rises
STEP_EPOCHS = 7  # the published StepLR(7, 0.1)


def new_optimizer(config: TrialConfig, model: nn.Module) -> optim.Optimizer:
    """Its rate, on a GPU, is a tensor there: what is captured in a CUDA graph reads it anew at each step."""
    parameters, decay = list(model.parameters()), config.weight_decay
    device = parameters[0].device
    on_gpu = device.type == "cuda"
    lr = torch.tensor(config.lr, device=device) if on_gpu else config.lr
    # Fused: one call for all parameters instead of several for each.
    match config.optimizer:
        case "adam":
            return uncompiled(optim.Adam)(parameters, lr=lr, weight_decay=decay, fused=True, capturable=on_gpu)
        case "adamw":
            return uncompiled(optim.AdamW)(parameters, lr=lr, weight_decay=decay, fused=True, capturable=on_gpu)
        case _:
            nesterov = config.optimizer == "nesterov"
            return uncompiled(optim.SGD)(
                parameters, lr=lr, weight_decay=decay, momentum=0.9, nesterov=nesterov, fused=True
            )


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
