"""What a world and a policy are: the contracts that the files of `worlds/` and `policies/` keep."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sweep.storage.sweep_file import Values
from sweep.trainable.config import TrialConfig


@dataclass(frozen=True, eq=False)
class Training:
    """How the training of a config goes, whoever trains it.

    Attributes:
      config: as `TrialConfig.to_dict` gives it.
      seen: (epochs,) the value after each epoch on the half of the images by which a search chooses; greater is better.
      scored: (epochs,) the same on the other half, which no policy is told.
      seconds: (epochs,) how long each epoch takes; one more than there are values where that epoch diverges.
    """

    config: Values
    seen: np.ndarray
    scored: np.ndarray
    seconds: np.ndarray

    @property
    def epochs(self) -> int:
        return int(self.config["epochs"])

    @property
    def has_diverged(self) -> bool:
        return len(self.seen) < self.epochs


class World(Protocol):
    """How trainings go in one replay.

    Attributes:
      size: how many trials there can be; None for any number.
      best: the highest final value of a recorded config, on the half that scores.
      blind: the median of these: what a config is worth that nobody has chosen.
    """

    size: int | None
    best: float
    blind: float

    def training(self, number: int, config: TrialConfig | None) -> Training:
        """Returns how a trial goes.

        Args:
          number: of the trial, from 0; its chance is the same for every policy.
          config: None for the one that has this number in the random order that is common to all policies.
        """


@dataclass(frozen=True)
class New:
    """A policy's wish for another trial; without a config it is the next one in the order common to all policies."""

    config: TrialConfig | None = None


@dataclass(frozen=True)
class Resume:
    """A policy's wish that a trial without a worker goes on, up to this epoch."""

    number: int
    until: int


class Policy(Protocol):
    """A search. It is told what a driver would be told: epochs of configs, and values when a worker reports them."""

    def next(self, now: float, may_draw: bool) -> New | Resume | None:
        """Returns what a free worker does; None if there is nothing until another worker reports.

        Args:
          now: seconds since the search began.
          may_draw: whether there may be another trial.
        """

    def begun(self, number: int, config: Values) -> int:
        """Takes note of a new trial; returns the epoch up to which it runs at first."""

    def reported(self, number: int, values: np.ndarray) -> int | None:
        """Takes the values of a trial that has epochs left.

        Args:
          values: after each epoch up to where the trial stands.

        Returns:
          the epoch up to which it goes on at once; None if its worker is free.
        """

    def ended(self, number: int, values: np.ndarray, has_diverged: bool) -> None:
        """Takes the values of a trial that has no epochs left, or whose next epoch diverged."""


@dataclass(frozen=True)
class Limit:
    """What a search may use.

    Attributes:
      trials: None for any number.
      seconds: after which the workers stop, wherever they are.
    """

    trials: int | None = None
    seconds: float = math.inf
