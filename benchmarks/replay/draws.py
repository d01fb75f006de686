"""The sources of a policy's configs: the order that all policies share, or a sampler that learns."""

from typing import Protocol

import numpy as np

from sweep.storage.sweep_file import Values
from sweep.trainable.config import TrialConfig


class Draws(Protocol):
    """Draws configs, and is told how the trials go.

    All values are the best so far after each epoch.
    """

    def draw(self) -> TrialConfig | None:
        """Returns the next trial's config; None for the one with its number in the order that all policies share."""

    def begun(self, number: int, config: Values) -> None:
        """Takes note of the trial's config, which is not the drawn one if the world does not have that one."""

    def is_never_stopped(self, number: int) -> bool:
        """Returns whether a trial runs to its end whatever its values are."""

    def passed(self, number: int, values: np.ndarray) -> None:
        """Takes note of a trial that continues from a rung."""

    def paused(self, number: int, values: np.ndarray) -> None:
        """Takes note of a trial that waits at a rung."""

    def stopped(self, number: int, values: np.ndarray) -> None:
        """Takes note of a trial that ends at a rung."""

    def ended(self, number: int, values: np.ndarray, has_diverged: bool) -> None:
        """Takes note of a trial that ran to its end or diverged."""


class CommonDraws:
    """Draws the configs in the order that all policies share, and learns nothing."""

    def draw(self) -> TrialConfig | None:
        """Returns None, which means the next config in the shared order."""
        return None

    def begun(self, number: int, config: Values) -> None:
        """Ignores the trial."""
        pass

    def is_never_stopped(self, number: int) -> bool:
        """Returns False, because any trial may be stopped."""
        return False

    def passed(self, number: int, values: np.ndarray) -> None:
        """Ignores the trial."""
        pass

    def paused(self, number: int, values: np.ndarray) -> None:
        """Ignores the trial."""
        pass

    def stopped(self, number: int, values: np.ndarray) -> None:
        """Ignores the trial."""
        pass

    def ended(self, number: int, values: np.ndarray, has_diverged: bool) -> None:
        """Ignores the trial."""
        pass
