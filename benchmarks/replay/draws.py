"""Where the configs of a policy's trials come from: the order that all policies share, or a sampler that learns."""

from typing import Protocol

import numpy as np

from sweep.storage.sweep_file import Values
from sweep.trainable.config import TrialConfig


class Draws(Protocol):
    """Draws configs, and is told how the trials go, with the best value so far after each epoch."""

    def draw(self) -> TrialConfig | None:
        """Returns the next trial's config; None for the one that has its number in the order common to all policies."""

    def begun(self, number: int, config: Values) -> None:
        """Takes note of the config that the trial has, which is another one where the world has not the one drawn."""

    def is_never_stopped(self, number: int) -> bool:
        """Returns whether a trial runs to its end whatever its values are."""

    def passed(self, number: int, values: np.ndarray) -> None:
        """Takes note of a trial that goes on from a rung."""

    def paused(self, number: int, values: np.ndarray) -> None:
        """Takes note of a trial that waits at a rung."""

    def stopped(self, number: int, values: np.ndarray) -> None:
        """Takes note of a trial that ends at a rung."""

    def ended(self, number: int, values: np.ndarray, has_diverged: bool) -> None:
        """Takes note of a trial that ended by itself."""


class CommonDraws:
    """Draws the configs in the order that all policies share, whatever becomes of them."""

    def draw(self) -> TrialConfig | None:
        return None

    def begun(self, number: int, config: Values) -> None:
        pass

    def is_never_stopped(self, number: int) -> bool:
        return False

    def passed(self, number: int, values: np.ndarray) -> None:
        pass

    def paused(self, number: int, values: np.ndarray) -> None:
        pass

    def stopped(self, number: int, values: np.ndarray) -> None:
        pass

    def ended(self, number: int, values: np.ndarray, has_diverged: bool) -> None:
        pass
