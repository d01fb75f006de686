"""A simulated clock, which lets a policy search with a number of workers for the seconds that trainings would take."""

import heapq
import math
from dataclasses import dataclass, field

import numpy as np

from benchmarks.replay.contract import Limit, New, Policy, Resume, Training, World

START_SECONDS = 0.031  # from the end of a trial to the next trial's first batch on its worker: BENCHMARKS.md, row 5


@dataclass(frozen=True, eq=False)
class Stint:
    """The work of a worker without a pause: some epochs of one trial.

    Attributes:
      worker: the number of the worker.
      number: the number of the trial.
      began: the time at which the worker took the trial.
      first: the number of epochs that the trial had before.
      ends: (epochs,) the time at which each epoch ends.
    """

    worker: int
    number: int
    began: float
    first: int
    ends: np.ndarray

    @property
    def ended(self) -> float:
        """The time at which the last epoch ends."""
        return float(self.ends[-1])

    @property
    def epochs(self) -> int:
        """The number of epochs that the trial has at the end, including one that diverged."""
        return self.first + len(self.ends)


@dataclass(eq=False)
class Log:
    """Everything that happened in a search, up to the seconds of its limit.

    Attributes:
      limit: the limits of the search.
      trainings: the trainings of the trials, by their number.
      stints: the stints in the order in which they began.
      epochs: the epochs that each trial has, or will have when its worker is done.
    """

    limit: Limit
    trainings: list[Training] = field(default_factory=list)
    stints: list[Stint] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)

    @property
    def compute(self) -> float:
        """The busy seconds of all workers together."""
        return sum(min(stint.ended, self.limit.seconds) - stint.began for stint in self.stints)

    @property
    def ended(self) -> float:
        """The time at which the last worker was done."""
        return min(max((stint.ended for stint in self.stints), default=0.0), self.limit.seconds)


def search(policy: Policy, world: World, workers: int, limit: Limit) -> Log:
    """Lets the policy search until it has nothing left to do, or the time is over."""
    log, idle, now = Log(limit), list(range(workers)), 0.0
    running: list[tuple[float, int, Stint]] = []
    max_trials = min(math.inf if each is None else each for each in (limit.trials, world.size))
    while True:
        while idle and (wish := policy.next(now, len(log.trainings) < max_trials)) is not None:
            number, until = _begin(policy, world, log, wish)
            worker = heapq.heappop(idle)
            _put(running, _stint(log, worker, number, until, now, START_SECONDS))
        if not running:
            return log
        now, _, stint = heapq.heappop(running)
        if now >= limit.seconds:
            return log
        next_stop = _report(policy, log.trainings[stint.number], stint)
        if next_stop is None:
            heapq.heappush(idle, stint.worker)
        else:
            _put(running, _stint(log, stint.worker, stint.number, next_stop, now, 0.0))


def _begin(policy: Policy, world: World, log: Log, wish: New | Resume) -> tuple[int, int]:
    if isinstance(wish, Resume):
        return wish.number, wish.until
    number = len(log.trainings)
    log.trainings.append(world.training(number, wish.config))
    log.epochs.append(0)
    return number, policy.begun(number, log.trainings[number].config)


def _stint(log: Log, worker: int, number: int, until: int, now: float, delay: float) -> Stint:
    training, first = log.trainings[number], log.epochs[number]
    if not first < until <= training.epochs:
        raise ValueError(f"trial {number} of {training.epochs} epochs has {first}: it cannot go on up to {until}")
    stint = Stint(worker, number, now, first, now + delay + np.cumsum(training.seconds[first:until]))
    log.stints.append(stint)
    log.epochs[number] = stint.epochs
    return stint


def _put(running: list[tuple[float, int, Stint]], stint: Stint) -> None:
    heapq.heappush(running, (stint.ended, stint.worker, stint))


def _report(policy: Policy, training: Training, stint: Stint) -> int | None:
    values = training.seen[: stint.epochs].copy()  # because a view would reveal later values
    has_diverged = len(values) < stint.epochs
    if has_diverged or stint.epochs == training.epochs:
        policy.ended(stint.number, values, has_diverged)
        return None
    return policy.reported(stint.number, values)
