"""Trains many random configs for one epoch, and then the best of them to their end, in the order of their values."""

import math

import numpy as np

from benchmarks.replay.contract import New, Resume
from benchmarks.replay.policies import PolicyKind, Task
from sweep.storage.sweep_file import Values

FIRST_SECONDS = 1 / 2  # the share of the time for first epochs
BEST = 1 / 3  # the share of the configs that are trained to the end, if the number of configs is limited


class OneEpoch:
    """The policy: first epochs, then the best trials."""

    def __init__(self, task: Task) -> None:
        self._until = FIRST_SECONDS * task.limit.seconds
        self._share = 1.0 if task.limit.trials is None else BEST
        self._epochs: list[int] = []
        self._waiting_values: dict[int, float] = {}  # by trial, after its first epoch
        self._in_first_epoch: set[int] = set()  # numbers of trials
        self._resumed_count = 0

    def next(self, now: float, may_draw: bool) -> New | Resume | None:
        """Draws a config while there is time for first epochs, then resumes the best waiting trial."""
        if may_draw and now < self._until:
            return New()
        max_resumed = math.ceil(self._share * len(self._epochs))
        if self._in_first_epoch or not self._waiting_values or self._resumed_count >= max_resumed:
            return None
        self._resumed_count += 1
        number = max(self._waiting_values, key=lambda each: (self._waiting_values[each], -each))
        del self._waiting_values[number]
        return Resume(number, self._epochs[number])

    def begun(self, number: int, config: Values) -> int:
        """Lets a new trial run for one epoch."""
        self._epochs.append(config["epochs"])
        self._in_first_epoch.add(number)
        return 1

    def reported(self, number: int, values: np.ndarray) -> int | None:
        """Lets the trial wait after its first epoch."""
        self._in_first_epoch.remove(number)
        self._waiting_values[number] = float(values[-1])
        return None

    def ended(self, number: int, values: np.ndarray, has_diverged: bool) -> None:
        """Takes note that the trial is no longer in its first epoch."""
        self._in_first_epoch.discard(number)


KIND = PolicyKind("one_epoch", "one epoch, then the best", OneEpoch, draws_configs=False)
