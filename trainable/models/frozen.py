"""The frozen parts of a net, which keep the weights that they came with.

They are not saved with a trial; whoever loads the trial gets them from their source again.
"""

from collections.abc import Mapping

from torch import Tensor, nn


def freeze(module: nn.Module) -> None:
    """Marks a part of a net as frozen: all its parameters and buffers keep their values."""
    module.requires_grad_(False)
    module.is_frozen = True  # type: ignore[assignment]


def judge(model: nn.Module) -> None:
    """Puts all frozen parts of a net into evaluation mode, while the rest of the net trains."""
    for module in model.modules():
        if getattr(module, "is_frozen", False):
            module.training = False


def names(model: nn.Module) -> frozenset[str]:
    """Returns the names that all frozen parameters and buffers have in the model's state dict."""
    prefixes = [prefix for prefix, module in model.named_modules() if getattr(module, "is_frozen", False)]
    return frozenset(
        name for name in model.state_dict() if any(prefix == "" or name.startswith(f"{prefix}.") for prefix in prefixes)
    )


def own_weights(model: nn.Module) -> dict[str, Tensor]:
    """Returns the state dict without its frozen part, which is what a trial has learnt."""
    frozen_names = names(model)
    return {name: tensor for name, tensor in model.state_dict().items() if name not in frozen_names}


def load_own(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Loads what `own_weights` returned, or a whole state dict; frozen weights that are not in it stay as they are.

    Raises:
      RuntimeError: the weights belong to another net.
    """
    frozen_names = names(model)
    frozen_weights = {name: tensor for name, tensor in model.state_dict().items() if name in frozen_names}
    model.load_state_dict({**frozen_weights, **weights})
