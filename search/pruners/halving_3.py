"""Pauses a trial that is not among the best at its rung, and lets it continue once it is.

The first rung comes after one epoch: it costs little, and half of the trials stop there. One epoch says little about a
trial, so a trial that is left behind does not end: it keeps its checkpoint and frees its worker. It continues as soon
as enough other trials have reached the rung that it is among the best share of them.
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

SHARES = (Fraction(1, 2), Fraction(1, 3), Fraction(1, 3))  # the share of trials that may continue from each rung

FIRST, NINTH, THIRD = range(3)  # the rungs: after one epoch, and after a ninth and a third of a trial's own epochs

Place = tuple[int, Hashable]  # a rung and a group
Ranked = dict[
    Place, list[tuple[float, int]]
]  # for each place (value, number) of the trials that reached it, best first


@dataclass(frozen=True)
class Entrant:
    """A trial as the rule sees it.

    Attributes:
      number: the trial's number.
      epochs: the epochs of its config.
      values: the best value so far, by the step (from 1) after which it was reported.
      group: a trial is compared only with trials of its own group.
    """

    number: int
    epochs: int
    values: Mapping[int, float]
    group: Hashable = None


class PausingHalving(optuna.pruners.BasePruner):
    """Asynchronous successive halving with promotion (Li et al. 2020), at parts of each trial's own epochs.

    At each rung the best share of the trials of a group that ever reached it may continue; among equal values, the
    lower number comes first. A trial that continued once is not stopped again when better ones arrive. The pruner reads
    only reported values and writes nothing, so that a restart decides the same.

    Pretrained nets are compared only with each other, and so are nets from scratch. If a trial trains a net for each
    fold, its rungs are at folds: after the first, and after a third of them.

    Args:
      shares: the share of the trials at each rung that may continue from it.
    """

    pauses = True
    folds: int | None = None

    def __init__(self, shares: tuple[Fraction, ...] = SHARES) -> None:
        self.shares = shares
        # This state is kept between the decisions of one study; otherwise each decision would read all trials again.
        self._study: optuna.Study | None = None
        self._entrants: dict[int, tuple[FrozenTrial, Entrant]] = {}
        self._ranked: Ranked = {}

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Returns the steps after which a trial of so many epochs may be paused; its last step is never one of them."""
        return tuple(_rungs(epochs, self.folds))

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Returns whether the trial is at a rung and may not continue from it now."""
        return trial.last_step in self.rungs(epochs_of(trial)) and not self.promoted(study, [trial])

    def promoted(self, study: optuna.Study, paused: Iterable[FrozenTrial], is_last: bool = False) -> list[int]:
        """Returns the numbers of those paused trials that may continue now, as `going_on` does."""
        self._rank_new_values(study)
        candidates = [self._entrants[trial.number][1] for trial in paused]
        return self._choose(self._group_by_place(candidates), self._ranked, is_last)

    def _rank_new_values(self, study: optuna.Study) -> None:
        """Ranks the values that reached rungs since the last decision; values that are already ranked never change."""
        if study is not self._study:
            self._study, self._entrants, self._ranked = study, {}, {}
        for trial in study.get_trials(deepcopy=False):
            previous = self._entrants.get(trial.number)
            if previous and previous[0] is trial:
                continue
            values = dict(trial.intermediate_values)  # a copy, because Optuna adds later values to the same dict
            entrant = Entrant(trial.number, epochs_of(trial), values, is_pretrained(trial))
            old_values = previous[1].values if previous else {}
            for step, place, key in self._rungs_reached(entrant, study.direction == StudyDirection.MAXIMIZE):
                if step not in old_values:
                    insort(self._ranked.setdefault(place, []), key)
            self._entrants[trial.number] = trial, entrant

    def going_on(
        self, candidates: Iterable[Entrant], entrants: Iterable[Entrant], maximize: bool = True, is_last: bool = False
    ) -> list[int]:
        """Returns the numbers of the trials that may continue now, in the order in which they should.

        Trials at the highest rung come first.

        Args:
          candidates: trials that stand at a rung and have not continued from it.
          entrants: all trials, including `candidates`.
          maximize: whether a greater value is better.
          is_last: whether no other trial will reach any rung unless one of these continues. If none may by its share,
            the best one at each rung may; and where fewer than `FEWEST_PEERS` trials reached a rung, all of them may.
        """
        waiting = self._group_by_place(candidates)
        ranked: Ranked = {place: [] for place in waiting}
        for entrant in entrants:
            for _, place, key in self._rungs_reached(entrant, maximize):
                if place in ranked:
                    ranked[place].append(key)
        for keys in ranked.values():
            keys.sort()
        return self._choose(waiting, ranked, is_last)

    def _rungs_reached(self, entrant: Entrant, maximize: bool) -> Iterator[tuple[int, Place, tuple[float, int]]]:
        """Yields, for each rung that a trial reached, the step, the place, and the key that ranks it, lowest first."""
        for step, rung in _rungs(entrant.epochs, self.folds).items():
            if (value := entrant.values.get(step)) is not None:
                yield step, (rung, entrant.group), (-value if maximize else value, entrant.number)

    def _group_by_place(self, candidates: Iterable[Entrant]) -> dict[Place, set[int]]:
        """Returns the numbers of the trials by the place at which they stand."""
        waiting: dict[Place, set[int]] = {}
        for entrant in candidates:
            rung = _rungs(entrant.epochs, self.folds)[max(entrant.values)]
            waiting.setdefault((rung, entrant.group), set()).add(entrant.number)
        return waiting

    def _choose(self, waiting: dict[Place, set[int]], ranked: Ranked, is_last: bool) -> list[int]:
        """Returns the numbers of the waiting trials that may continue, as `going_on` does."""
        by_share: list[tuple[int, int, int]] = []
        at_last: list[tuple[int, int, int]] = []
        for place, numbers in waiting.items():
            ranking, (rung, _) = ranked[place], place
            quota = int(self.shares[rung] * len(ranking))
            last_quota = 1 if len(ranking) >= FEWEST_PEERS else len(ranking)
            for position, (_, number) in enumerate(ranking[: max(quota, last_quota)]):
                if number in numbers:
                    (by_share if position < quota else at_last).append((-rung, position, number))
        keys = by_share or (at_last if is_last else [])
        return [number for *_, number in sorted(keys)]


@cache  # every decision asks for the rungs of all trials
def _rungs(epochs: int, folds: int | None) -> dict[int, int]:
    """Returns the rungs of a trial by the step after which each comes; if two share a step, the earlier rung."""
    parts = {FIRST: 1, NINTH: math.ceil(epochs / 9), THIRD: math.ceil(epochs / 3)}
    if folds:
        parts = {NINTH: 1, THIRD: math.ceil(folds / 3)}  # without FIRST: a whole net says more than one epoch
    steps: dict[int, int] = {}
    for rung, step in parts.items():
        if step < (folds or epochs):
            steps.setdefault(step, rung)
    return steps


def new() -> PausingHalving:
    """Returns the pruner with the published shares."""
    return PausingHalving()
