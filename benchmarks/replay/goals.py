"""The goals of the search compared with its rivals: each with what was found, and whether it is reached."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.replay.comparison import Comparison
from benchmarks.replay.figures import Interval, as_number, as_points, as_share
from benchmarks.replay.policies import policy_kind
from benchmarks.replay.transfer import Tuned
from benchmarks.replay.worlds import world_kind

BETTER_BY = {"old_search": (0.01, 0.02), "random": (0.01, 0.02), "random_twice": (0.0, 0.0)}  # must, aim by rival
WORST_TENTH_BETTER_BY = {"random": (0.0, 0.0)}
END_REACHED_AFTER = {"ray_tune": (0.5, 0.25)}
COMPUTE = 0.75, 0.57  # must and aim, as shares of the compute that the old rungs need
LOSES = 0.0015, 0.0015


@dataclass(frozen=True)
class Goal:
    """A figure and its bounds.

    Attributes:
      what: the figure in words.
      where: the table, and what else describes the replays.
      must, aim: the bound that has to be kept, and the one that is hoped for.
      found: the figure that was found.
      is_least: whether the bounds are lower bounds; otherwise they are upper bounds.
      shown: formats the figure and its interval.
    """

    what: str
    where: str
    must: float
    aim: float
    found: Interval
    is_least: bool
    shown: Callable[[Interval], str]

    @property
    def verdict(self) -> str:
        """Which of the bounds is reached."""
        return "aim" if self._reaches(self.aim) else "must" if self._reaches(self.must) else "**missed**"

    def _reaches(self, bound: float) -> bool:
        return self.found.found >= bound if self.is_least else self.found.found <= bound

    def __str__(self) -> str:
        sign = "≥" if self.is_least else "≤"
        bounds = (
            f"{sign} {self.shown(Interval(bound, bound, bound)).partition(' [')[0]}" for bound in (self.must, self.aim)
        )
        return f"| {' | '.join((self.what, self.where, *bounds, self.shown(self.found), self.verdict))} |"


def goals(shown: Sequence[Comparison], every: Sequence[Comparison], tuned: Sequence[Tuned]) -> Iterator[Goal]:
    """Yields the goals that can be judged by the replays.

    Args:
      shown: comparisons with the number of workers by which values are judged.
      every: comparisons with any number of workers, by which times are judged.
      tuned: the results of tuning on the other tables; empty if nothing was tuned.
    """
    for each in tuned:
        where = f"{each.judged_on}, shares of the others"
        yield Goal("compute, of the old rungs'", where, *COMPUTE, each.saving.compute, False, as_number)
        yield Goal("loses against the old rungs, points", where, *LOSES, each.saving.behind, False, as_points)
    for compared in filter(_takes_configs, shown):
        where = _setting(compared)
        for name, found in compared.summaries.items():
            rival = policy_kind(name).shown
            if name in BETTER_BY:
                yield Goal(f"better than {rival} by, points", where, *BETTER_BY[name], found.behind, True, as_points)
            if name in WORST_TENTH_BETTER_BY:
                what = f"the worst tenth is better than that of {rival} by, points"
                yield Goal(what, where, *WORST_TENTH_BETTER_BY[name], found.worst_behind, True, as_points)
    for compared in filter(_takes_configs, every):
        for name, found in compared.summaries.items():
            if name in END_REACHED_AFTER and compared.workers > 1:
                what = f"the end of {policy_kind(name).shown} is reached after"
                yield Goal(what, _setting(compared), *END_REACHED_AFTER[name], found.reached, False, as_share)


def _takes_configs(compared: Comparison) -> bool:
    """Returns whether whole searches were compared; otherwise only their rules for stopping trials were."""
    return world_kind(compared.world).takes_configs


def _setting(compared: Comparison) -> str:
    return f"{compared.table.stem}, {world_kind(compared.world).shown}, {compared.workers} workers"
