"""One epoch of many random configs, then the best of these to their end, in the order of their values."""

import math

import numpy as np

from benchmarks.replay.contract import New, Resume
from benchmarks.replay.policies import PolicyKind, Task
from sweep.storage.sweep_file import Values

FIRST_SECONDS = 1 / 2  # of the seconds that there are: one epoch of as many configs as fit
BEST = 1 / 3  # of the configs, where it is their number that is limited


class OneEpoch:
    def __init__(self, task: Task) -> None:
        self._until = FIRST_SECONDS * task.limit.seconds
        self._share = 1.0 if task.limit.trials is None else BEST
        self._epochs: list[int] = []
        self._waiting: dict[int, float] = {}
        self._first: set[int] = set()  # the trials that are in their first epoch
        self._resumed = 0

    def next(self, now: float, may_draw: bool) -> New | Resume | None:
        if may_draw and now < self._until:
            return New()
        if self._first or not self._waiting or self._resumed >= math.ceil(self._share * len(self._epochs)):
            return None
        self._resumed += 1
        number = max(self._waiting, key=lambda each: (self._waiting[each], -each))
        del self._waiting[number]
        return Resume(number, self._epochs[number])

    def begun(self, number: int, config: Values) -> int:
        self._epochs.append(config["epochs"])
        self._first.add(number)
        return 1

    def reported(self, number: int, values: np.ndarray) -> int | None:
        self._first.remove(number)
        self._waiting[number] = float(values[-1])
        return None

    def ended(self, number: int, values: np.ndarray, has_diverged: bool) -> None:
        self._first.discard(number)


KIND = PolicyKind("one_epoch", "one epoch, then the best", OneEpoch, draws_configs=False)
