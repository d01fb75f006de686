"""Finds out whether a trial's step may be replayed as a CUDA graph: it is captured once, and its results are compared.

A graph repeats the kernels of one step, and nothing that the host did in that step. A step that waits for the device
cannot be captured at all. A step in which the host draws, counts or decides something anew can be captured, but each
replay would repeat the host's first choice. So a graph is used only if a step leaves the host as it was, and if two
replays do what two steps do.

The answer is kept on this machine for each kind of step (`identity`), for other trials and workers; another device or
version has an answer of its own. How fast the graph is plays no part, because two runs must do the same.
"""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sweep.storage import user_code
from sweep.trainable.config import TrialConfig
from sweep.trainable.graphed import Graphed
from sweep.trainable.models.known import known
from sweep.trainable.precision import numerics
from sweep.trainable.state import TrainState
from sweep.trainable.undo import StateCopy

VERSION = 1  # must change whenever a step of the same identity may get another answer
STEPS = 2  # to compare; two, because the second one begins with the weights that the first one has changed
# The largest difference of losses and gradients. A replay has the kernels of a step, but a GPU does not always add in
# the same order. In bf16 a rounding is 2**-8 of a number, and those of 100 layers in a row come to 2**-8 * 100**0.5,
# 4 % of the gradients. A repeated choice that ought to have changed, such as which layers are dropped, moves them by a
# multiple of that.
TOLERANCE = 0.05
# The largest difference of the changes of the weights. It is larger because an optimizer that divides by the size of a
# gradient makes whole steps of small gradients, whose sign a rounding may have decided. If a replay changes no weight
# at all, the difference is 1.
TOLERANCE_OF_CHANGES = 0.5

SHORT_OF_MEMORY = "the GPU's memory is too short for one"
Function = Callable[[Tensor], Tensor]


class UndecidedError(RuntimeError):
    """The step that was tried overflowed, so that there is nothing to compare."""


def graph_of(
    step: Function, example: Tensor, state: TrainState, generator: torch.Generator, about: dict[str, Any]
) -> tuple[Graphed | None, str]:
    """Returns the graph of a step, or None and the reason why it has none.

    Afterwards the trial is as it was before, except that the gradients of its last step are dropped.

    Args:
      step: learns from the images whose rows it is given, and returns the sum of their losses.
      example: the rows of one batch.
      generator: the generator that the step draws from beside torch's own.
      about: the `identity` of the step.

    Raises:
      UndecidedError: there is no answer yet; ask again after some steps.
    """
    copy = StateCopy(state, generator)
    graphs: list[Graphed] = []

    def find() -> str:
        graph, reason = _try_graph(step, example, state, copy)
        graphs.extend([graph] if graph else [])
        return reason

    try:
        if reason := known({"graph": VERSION, **about}, find):
            return None, reason
        return (graphs or [Graphed(step, example)])[0], ""
    except UndecidedError:
        raise
    except torch.OutOfMemoryError:  # not kept, because the next trial may have enough memory
        return None, SHORT_OF_MEMORY
    except RuntimeError as error:
        return None, _first_line(error)
    finally:
        copy.restore()


def identity(config: TrialConfig, part: nn.Module, batch: Sequence[int], device: torch.device) -> dict[str, Any]:
    """Returns everything that decides whether a step can be a graph, except the versions of the libraries.

    A rate, a probability or another fraction changes no kernel, so it only counts whether it is 0.

    Args:
      part: the part of the net that is trained.
      batch: the shape of a step's images, (N, C, H, W).
    """
    fields = {name: bool(value) if isinstance(value, float) else value for name, value in config.to_dict().items()}
    layers = [[name, f"{type(module).__module__}.{type(module).__qualname__}"] for name, module in part.named_modules()]
    weights = [[name, [*parameter.shape], parameter.requires_grad] for name, parameter in part.named_parameters()]
    return {
        "fields": {name: value for name, value in fields.items() if name not in ("seed", "epochs")},
        "code": user_code.digest(config.arch) if user_code.is_reference(config.arch) else "",
        "net": hashlib.sha256(json.dumps([layers, weights]).encode()).hexdigest(),
        "batch": list(batch),
        "format": str(numerics(config.arch, device).format),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    }


def _try_graph(step: Function, example: Tensor, state: TrainState, copy: StateCopy) -> tuple[Graphed | None, str]:
    expected = [_Outcome.measure(step, example, state) for _ in range(STEPS)]
    changes, host_change = copy.changes(), copy.host.first_change()
    copy.restore()
    if host_change:
        return None, f"each of its steps changes something on the host, {host_change}"
    if not all(outcome.is_finite for outcome in expected):
        raise UndecidedError
    try:
        graph = Graphed(step, example)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        return None, _first_line(error)
    parameters = _trained_parameters(state)
    gradients = [parameter.grad for parameter in parameters]  # where each replay will leave them
    copy.restore()
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    outcomes = [_Outcome.measure(graph, example, state) for _ in range(STEPS)]
    pairs = list(zip(outcomes, expected, strict=True))
    differences = {
        "losses": max(_difference([one.loss], [other.loss]) for one, other in pairs) / TOLERANCE,
        "gradients": max(_difference(one.gradients, other.gradients) for one, other in pairs) / TOLERANCE,
        "weights": _difference(copy.changes(), changes) / TOLERANCE_OF_CHANGES,
    }
    largest = max(differences, key=lambda name: differences[name])
    if differences[largest] > 1:
        return None, f"replayed, its steps have other {largest}"
    return graph, ""


@dataclass(frozen=True)
class _Outcome:
    """A copy of what a step computes, because a graph overwrites its results at the next replay."""

    loss: Tensor
    gradients: list[Tensor]

    @staticmethod
    def measure(step: Function, example: Tensor, state: TrainState) -> "_Outcome":
        loss = step(example).clone()
        zero = torch.zeros((), device=loss.device)
        return _Outcome(loss, [zero if each.grad is None else each.grad.clone() for each in _trained_parameters(state)])

    @property
    def is_finite(self) -> bool:
        return all(bool(tensor.isfinite().all()) for tensor in (self.loss, *self.gradients))


def _trained_parameters(state: TrainState) -> list[nn.Parameter]:
    return [parameter for group in state.optimizer.param_groups for parameter in group["params"]]


def _difference(tensors: list[Tensor], expected: list[Tensor]) -> float:
    """Returns the norm of the difference relative to that of the expected tensors; infinity if it is not a number."""
    if [tensor.shape for tensor in tensors] != [tensor.shape for tensor in expected]:
        return math.inf  # they belong to other parameters
    norm, difference = (
        float(torch.stack([tensor.float().norm() for tensor in group]).norm())
        for group in (expected, [one - other for one, other in zip(tensors, expected, strict=True)])
    )
    ratio = difference / norm if norm else difference
    return math.inf if math.isnan(ratio) else ratio


def _first_line(error: RuntimeError) -> str:
    return str(error).strip().partition("\n")[0]
