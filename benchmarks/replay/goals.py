"""The goals of the search compared with its rivals: each with its figure, and whether it is reached."""

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
VALUE_LOSS = 0.0015, 0.0015  # must and aim, against the old rungs


@dataclass(frozen=True)
class Goal:
    """A figure and its bounds.

    Attributes:
      what: the figure in words.
      where: the table, and what else describes the replays.
      must, aim: the bound that has to be kept, and the one that is hoped for.
      figure: the figure with its interval.
      is_lower_bound: whether the bounds are lower bounds; otherwise they are upper bounds.
      shown: formats the figure and its interval.
    """

    what: str
    where: str
    must: float
    aim: float
    figure: Interval
    is_lower_bound: bool
    shown: Callable[[Interval], str]

    @property
    def verdict(self) -> str:
        """Which of the bounds is reached."""
        return "aim" if self._reaches(self.aim) else "must" if self._reaches(self.must) else "**missed**"

    def _reaches(self, bound: float) -> bool:
        return self.figure.found >= bound if self.is_lower_bound else self.figure.found <= bound

    def __str__(self) -> str:
        sign = "≥" if self.is_lower_bound else "≤"
        bounds = (
            f"{sign} {self.shown(Interval(bound, bound, bound)).partition(' [')[0]}" for bound in (self.must, self.aim)
        )
        return f"| {' | '.join((self.what, self.where, *bounds, self.shown(self.figure), self.verdict))} |"


def goals(
    main_comparisons: Sequence[Comparison], all_comparisons: Sequence[Comparison], tuned: Sequence[Tuned]
) -> Iterator[Goal]:
    """Yields the goals that can be judged by the replays.

    Args:
      main_comparisons: comparisons with the number of workers by which values are judged.
      all_comparisons: comparisons with any number of workers, by which times are judged.
      tuned: the results of tuning on the other tables; empty if nothing was tuned.
    """
    for each in tuned:
        setting = f"{each.judged_on}, shares of the others"
        yield Goal("compute, of the old rungs'", setting, *COMPUTE, each.saving.compute, False, as_number)
        yield Goal("loses against the old rungs, points", setting, *VALUE_LOSS, each.saving.behind, False, as_points)
    for comparison in filter(_takes_configs, main_comparisons):
        setting = _setting(comparison)
        for name, summary in comparison.summaries.items():
            rival = policy_kind(name).shown
            if name in BETTER_BY:
                title = f"better than {rival} by, points"
                yield Goal(title, setting, *BETTER_BY[name], summary.behind, True, as_points)
            if name in WORST_TENTH_BETTER_BY:
                title = f"the worst tenth is better than that of {rival} by, points"
                yield Goal(title, setting, *WORST_TENTH_BETTER_BY[name], summary.worst_behind, True, as_points)
    for comparison in filter(_takes_configs, all_comparisons):
        for name, summary in comparison.summaries.items():
            if name in END_REACHED_AFTER and comparison.workers > 1:
                title = f"the end of {policy_kind(name).shown} is reached after"
                yield Goal(title, _setting(comparison), *END_REACHED_AFTER[name], summary.reached, False, as_share)


def _takes_configs(comparison: Comparison) -> bool:
    """Returns whether whole searches were compared; otherwise only their rules for stopping trials were."""
    return world_kind(comparison.world).takes_configs


def _setting(comparison: Comparison) -> str:
    return f"{comparison.table.stem}, {world_kind(comparison.world).shown}, {comparison.workers} workers"
