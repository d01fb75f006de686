"""Pauses a trial that is not among the best at its rung, and lets it go on once it is.

A rung after one epoch costs little, and half of the trials leave it. What one epoch says of a trial is not much, so a
trial that is left behind there does not end: it keeps its checkpoint and gives its worker away, and it goes on as soon
as so many others have come to its rung that it is among the best share of them.
"""

import math
from bisect import insort
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from sweep.search.pruners.halving_1 import FEWEST_PEERS, epochs_of
from sweep.search.pruners.halving_2 import is_pretrained

SHARES = (Fraction(1, 2), Fraction(1, 3), Fraction(1, 3))  # of the trials at each rung, which may go on from it

FIRST, NINTH, THIRD = range(3)  # the rungs: after one epoch, and after these parts of a trial's own epochs

Place = tuple[int, Hashable]  # a rung and a group
Ranked = dict[Place, list[tuple[float, int]]]  # the values of the trials that came there with their numbers, best first


@dataclass(frozen=True)
class Entrant:
    """What the rule knows of a trial.

    Attributes:
      epochs: of its config.
      values: the best value so far, by the step after which it was reported, from 1 on.
      group: a trial is compared with those of its group alone.
    """

    number: int
    epochs: int
    values: Mapping[int, float]
    group: Hashable = None


class PausingHalving(optuna.pruners.BasePruner):
    """Asynchronous successive halving with promotion (Li et al. 2020), at parts of each trial's own epochs.

    Of the trials of a group that ever came to a rung, the best share may go on from it; of equal ones, the first. A
    trial that went on once is not called back when better ones come. Nothing but values is read and nothing is written,
    so that a restart decides the same.

    A net from pretrained weights is compared with such nets alone, and one from scratch likewise. Where a trial has a
    net for each fold, its rungs are folds: the first one, and a third of them.

    Args:
      shares: of the trials at each rung that may go on from it.
    """

    pauses = True
    folds: int | None = None

    def __init__(self, shares: tuple[Fraction, ...] = SHARES) -> None:
        self.shares = shares
        # Kept between the decisions of one study, for each would else read all of its trials anew.
        self._study: optuna.Study | None = None
        self._known: dict[int, tuple[FrozenTrial, Entrant]] = {}
        self._ranked: Ranked = {}

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Returns the steps after which a trial of so many epochs is decided on; its last one is none of them."""
        return tuple(_rungs(epochs, self.folds))

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        return trial.last_step in self.rungs(epochs_of(trial)) and not self.promoted(study, [trial])

    def promoted(self, study: optuna.Study, paused: Iterable[FrozenTrial], is_last: bool = False) -> list[int]:
        """Returns the numbers of those of these trials that may go on, as `going_on` does."""
        self._take_in(study)
        asked = [self._known[trial.number][1] for trial in paused]
        return self._chosen(self._waiting(asked), self._ranked, is_last)

    def _take_in(self, study: optuna.Study) -> None:
        """Ranks the values that came to rungs since the last decision; those that are there never change."""
        if study is not self._study:
            self._study, self._known, self._ranked = study, {}, {}
        for trial in study.get_trials(deepcopy=False):
            before = self._known.get(trial.number)
            if before and before[0] is trial:
                continue
            values = dict(trial.intermediate_values)  # Optuna adds the next one to these too
            entrant = Entrant(trial.number, epochs_of(trial), values, is_pretrained(trial))
            there = before[1].values if before else {}
            for step, place, ranked in self._came(entrant, study.direction == StudyDirection.MAXIMIZE):
                if step not in there:
                    insort(self._ranked.setdefault(place, []), ranked)
            self._known[trial.number] = trial, entrant

    def going_on(
        self, asked: Iterable[Entrant], entrants: Iterable[Entrant], maximize: bool = True, is_last: bool = False
    ) -> list[int]:
        """Returns the numbers of the trials that may go on now, in the order in which they should: highest rung first.

        Args:
          asked: trials of which each stands at a rung, and has not gone on from it.
          entrants: all trials there are, those that are asked for among them.
          maximize: whether a greater value is a better one.
          is_last: unless one of these goes on, no other trial will come to any rung. If none may by its share, then the
            best one at each rung may, and of fewer than `FEWEST_PEERS` all: there is hardly anything to be worse than.
        """
        waiting = self._waiting(asked)
        there: Ranked = {place: [] for place in waiting}
        for each in entrants:
            for _, place, ranked in self._came(each, maximize):
                if place in there:
                    there[place].append(ranked)
        for of_place in there.values():
            of_place.sort()
        return self._chosen(waiting, there, is_last)

    def _came(self, entrant: Entrant, maximize: bool) -> Iterator[tuple[int, Place, tuple[float, int]]]:
        """Yields the rungs that a trial came to: the step, the place, and what it is ranked by, the lowest first."""
        for step, rung in _rungs(entrant.epochs, self.folds).items():
            if (value := entrant.values.get(step)) is not None:
                yield step, (rung, entrant.group), (-value if maximize else value, entrant.number)

    def _waiting(self, asked: Iterable[Entrant]) -> dict[Place, set[int]]:
        """Returns the numbers of trials by the place at which they stand."""
        waiting: dict[Place, set[int]] = {}
        for each in asked:
            rung = _rungs(each.epochs, self.folds)[max(each.values)]
            waiting.setdefault((rung, each.group), set()).add(each.number)
        return waiting

    def _chosen(self, waiting: dict[Place, set[int]], ranked: Ranked, is_last: bool) -> list[int]:
        """Returns as `going_on` does."""
        by_share: list[tuple[int, int, int]] = []
        at_last: list[tuple[int, int, int]] = []
        for place, numbers in waiting.items():
            there, (rung, _) = ranked[place], place
            most = int(self.shares[rung] * len(there))
            fewest = 1 if len(there) >= FEWEST_PEERS else len(there)
            for nth, (_, number) in enumerate(there[: max(most, fewest)]):
                if number in numbers:
                    (by_share if nth < most else at_last).append((-rung, nth, number))
        found = by_share or (at_last if is_last else [])
        return [number for *_, number in sorted(found)]


@cache  # a decision asks for those of every trial
def _rungs(epochs: int, folds: int | None) -> dict[int, int]:
    """Returns the rungs of a trial, by the step after which each of them comes; of two at one step the first."""
    parts = {FIRST: 1, NINTH: math.ceil(epochs / 9), THIRD: math.ceil(epochs / 3)}
    if folds:
        parts = {NINTH: 1, THIRD: math.ceil(folds / 3)}  # a whole net says more than an epoch
    steps: dict[int, int] = {}
    for rung, step in parts.items():
        if step < (folds or epochs):
            steps.setdefault(step, rung)
    return steps


def new() -> PausingHalving:
    return PausingHalving()
