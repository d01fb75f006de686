"""The contracts of worlds and policies, which the files of `worlds/` and `policies/` keep."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sweep.storage.sweep_file import Values
from sweep.trainable.config import TrialConfig


@dataclass(frozen=True, eq=False)
class Training:
    """The course of a config's training, whichever policy begins it.

    Attributes:
      config: the result of `TrialConfig.to_dict`.
      seen: (epochs,) the value after each epoch on the half of the images by which a search chooses; greater is better.
      scored: (epochs,) the value on the other half, which no policy sees.
      seconds: (epochs,) the duration of each epoch, including the one in which the training diverges, if it does.
    """

    config: Values
    seen: np.ndarray
    scored: np.ndarray
    seconds: np.ndarray

    @property
    def epochs(self) -> int:
        """The number of epochs in the config."""
        return int(self.config["epochs"])

    @property
    def has_diverged(self) -> bool:
        """Whether the training diverges before its last epoch."""
        return len(self.seen) < self.epochs


class World(Protocol):
    """The courses of all trainings in one replay.

    Attributes:
      size: the number of trials that there can be; None for any number.
      best: the highest final value of a recorded config, on the half that scores.
      blind: the median of these values, which is the worth of a config that was not chosen.
    """

    size: int | None
    best: float
    blind: float

    def training(self, number: int, config: TrialConfig | None) -> Training:
        """Returns the course of a trial.

        Args:
          number: the trial's number, from 0; chance depends on it, and is the same for every policy.
          config: the config; None for the one with this number in the random order that all policies share.
        """


@dataclass(frozen=True)
class New:
    """A policy's wish for another trial; without a config it gets the next one in the order that all policies share."""

    config: TrialConfig | None = None


@dataclass(frozen=True)
class Resume:
    """A policy's wish that a trial without a worker continues up to this epoch."""

    number: int
    until: int


class Policy(Protocol):
    """A search, which is told what a driver would be told: configs, and values when a worker reports them."""

    def next(self, now: float, may_draw: bool) -> New | Resume | None:
        """Returns what a free worker does; None if there is nothing to do until another worker reports.

        Args:
          now: seconds since the search began.
          may_draw: whether there may be another trial.
        """

    def begun(self, number: int, config: Values) -> int:
        """Takes note of a new trial, and returns the epoch up to which it runs at first."""

    def reported(self, number: int, values: np.ndarray) -> int | None:
        """Takes the values of a trial that has epochs left.

        Args:
          values: the values after each epoch up to now.

        Returns:
          The epoch up to which the trial continues at once; None if it gives its worker away.
        """

    def ended(self, number: int, values: np.ndarray, has_diverged: bool) -> None:
        """Takes the values of a trial that has no epochs left, or whose next epoch diverged."""


@dataclass(frozen=True)
class Limit:
    """The limits of a search.

    Attributes:
      trials: the number of trials; None for any number.
      seconds: the time after which the workers stop, wherever they are.
    """

    trials: int | None = None
    seconds: float = math.inf
