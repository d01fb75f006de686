"""Undoes training steps: keeps everything that a step changes, on the device and on the host, and puts it back."""

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sweep.trainable.state import TrainState

PLAIN = (type(None), bool, int, float, str, bytes, tuple)  # types of a module's attributes that can count steps


class StateCopy:
    """A copy of everything in a trial that a step changes, made at this moment.

    Tensors are put back where they lie, because a CUDA graph reads them there.
    """

    def __init__(self, state: TrainState, generator: torch.Generator) -> None:
        """Copies everything that a step changes.

        Args:
          generator: the generator that a step draws from beside torch's own.
        """
        self.model, self.optimizer, self.scaler = state.model, state.optimizer, state.scaler
        device = next(state.model.parameters()).device
        self.host = _Host(state.model, draws=device.type != "cpu")
        self.generators = [generator]
        if device.type == "cuda":  # dropout draws from its device's global generator
            self.generators.append(torch.cuda.default_generators[device.index or 0])
        elif device.type == "cpu":
            self.generators.append(torch.default_generator)
        self.generator_states = [each.get_state() for each in self.generators]
        self.optimizer_state = {parameter: dict(values) for parameter, values in state.optimizer.state.items()}
        optimizer_values = (value for values in self.optimizer_state.values() for value in values.values())
        self.tensors = [*state.model.parameters(), *state.model.buffers(), *filter(torch.is_tensor, optimizer_values)]
        self.copies = [tensor.detach().clone() for tensor in self.tensors]
        self.scale = state.scaler.state_dict() if state.scaler else {}

    @torch.no_grad()
    def changes(self) -> list[Tensor]:
        """Returns how much each weight of the net has changed since the copy was made."""
        parameters = list(self.model.parameters())
        return [weight - copy for weight, copy in zip(parameters, self.copies, strict=False)]

    @torch.no_grad()
    def restore(self) -> None:
        """Puts the trial back as it was, except that the gradients of its last step are dropped."""
        torch._foreach_copy_(self.tensors, self.copies)
        state = self.optimizer.state
        for parameter in [each for each in state if each not in self.optimizer_state]:
            del state[parameter]
        for parameter, values in self.optimizer_state.items():
            state[parameter].clear()
            state[parameter].update(values)
        self.optimizer.zero_grad(set_to_none=True)
        if self.scaler:
            self.scaler.load_state_dict(self.scale)
        for generator, generator_state in zip(self.generators, self.generator_states, strict=True):
            generator.set_state(generator_state)
        self.host.restore()


class _Host:
    """The state of the host that a step could change: its random generators, and the counters in the net's modules."""

    def __init__(self, model: nn.Module, draws: bool) -> None:
        """Notes the state of the host's generators and of the modules.

        Args:
          draws: whether to count a draw from torch's generator on the host as a change; on a CPU a step draws from it.
        """
        self.model, self.draws = model, draws
        self.python, self.numpy, self.torch = random.getstate(), np.random.get_state(), torch.get_rng_state()
        self.attributes = {name: _plain_attributes(module) for name, module in model.named_modules()}

    def first_change(self) -> str:
        """Returns in words the first thing that is not as it was; empty if everything is."""
        current = _Host(self.model, self.draws)
        if current.python != self.python:
            return "Python's generator of random numbers"
        if any(np.any(one != other) for one, other in zip(current.numpy, self.numpy, strict=True)):
            return "numpy's generator of random numbers"
        if self.draws and not torch.equal(current.torch, self.torch):
            return "torch's generator of random numbers on the host"
        for name, attributes in self.attributes.items():
            for attribute, value in attributes.items():
                if current.attributes[name].get(attribute, value) != value:
                    return f"`{attribute}` of its layer {name or 'net'}"
        return ""

    def restore(self) -> None:
        random.setstate(self.python)
        np.random.set_state(self.numpy)
        if self.draws:
            torch.set_rng_state(self.torch)
        for name, module in self.model.named_modules():
            vars(module).update(self.attributes[name])


def _plain_attributes(module: nn.Module) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if isinstance(value, PLAIN)}
