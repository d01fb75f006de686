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
        self._waiting: dict[int, float] = {}
        self._first: set[int] = set()  # the trials that are in their first epoch
        self._resumed = 0

    def next(self, now: float, may_draw: bool) -> New | Resume | None:
        """Draws a config while there is time for first epochs, then resumes the best waiting trial."""
        if may_draw and now < self._until:
            return New()
        if self._first or not self._waiting or self._resumed >= math.ceil(self._share * len(self._epochs)):
            return None
        self._resumed += 1
        number = max(self._waiting, key=lambda each: (self._waiting[each], -each))
        del self._waiting[number]
        return Resume(number, self._epochs[number])

    def begun(self, number: int, config: Values) -> int:
        """Lets a new trial run for one epoch."""
        self._epochs.append(config["epochs"])
        self._first.add(number)
        return 1

    def reported(self, number: int, values: np.ndarray) -> int | None:
        """Lets the trial wait after its first epoch."""
        self._first.remove(number)
        self._waiting[number] = float(values[-1])
        return None

    def ended(self, number: int, values: np.ndarray, has_diverged: bool) -> None:
        """Takes note that the trial no longer is in its first epoch."""
        self._first.discard(number)


KIND = PolicyKind("one_epoch", "one epoch, then the best", OneEpoch, draws_configs=False)
