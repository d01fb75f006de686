"""Summarises the replays of all policies in one world: figures with their intervals, ready for JSON."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.replay.cells import FRACTIONS, Replays
from benchmarks.replay.figures import Interval, interval, mean_interval, mean_ranks, time_to_reach, worst_tenth

SHOWN_AT = (0.10, 0.25, 0.50, 1.00)  # the parts of the budget at which figures are shown


@dataclass(frozen=True)
class Summary:
    """The results of a policy; values are shares of right answers on the half of the images that did not choose.

    Attributes:
      regret: how far its choice was below the best recorded config, at each of `SHOWN_AT`.
      normalised: the same, as a share of the regret of the median config.
      rank: the mean rank among the policies, at each of `SHOWN_AT`.
      value: the value of its choice at the end.
      worst_tenth: the value below which a tenth of the replays ended.
      behind: by how much the judged policy was better at the end.
      worst_behind: by how much the worst tenth of the judged policy was better.
      reached: the share of the budget after which the judged policy has, in the mean, the final value of this one.
      trials: the mean number of trials that were begun.
    """

    regret: list[Interval]
    normalised: list[Interval]
    rank: list[float]
    value: Interval
    worst_tenth: Interval
    behind: Interval
    worst_behind: Interval
    reached: Interval
    trials: float


@dataclass(frozen=True)
class Saving:
    """The compute that a policy needs for as many trials as the reference begins, and the value that it loses.

    Attributes:
      compute: the busy seconds of all workers, as a share of the reference's.
      behind: by how much the reference's choice was better.
    """

    compute: Interval
    behind: Interval


def summaries(replays: Mapping[str, Replays], judged: str) -> dict[str, Summary]:
    """Returns the summary of each policy that had the world's budget.

    Args:
      judged: the policy with which the others are compared.
    """
    places = [int(np.argmin(np.abs(FRACTIONS - fraction))) for fraction in SHOWN_AT]
    courses = np.stack([each.chosen.reshape(-1, len(FRACTIONS)) for each in replays.values()])
    ranks = np.stack([mean_ranks(courses[:, :, place]) for place in places], axis=1)
    return {
        name: _summary(each, replays[judged], places, rank)
        for (name, each), rank in zip(replays.items(), ranks, strict=True)
    }


def _summary(replays: Replays, judged_replays: Replays, places: list[int], rank: np.ndarray) -> Summary:
    course, judged_course = (each.chosen.mean(axis=1) for each in (replays, judged_replays))  # (seeds, fractions)
    regrets = replays.best[:, :, None] - replays.chosen
    shares = regrets / (replays.best - replays.blind)[:, :, None]
    regret, share = regrets.mean(axis=1), shares.mean(axis=1)

    def time_reached(seeds: np.ndarray) -> float:
        return time_to_reach(FRACTIONS, judged_course[seeds].mean(axis=0), course[seeds, -1].mean())

    def worst(results: Replays, seeds: np.ndarray) -> float:
        return worst_tenth(results.chosen[seeds, :, -1].ravel())

    return Summary(
        regret=[mean_interval(regret[:, place]) for place in places],
        normalised=[mean_interval(share[:, place]) for place in places],
        rank=rank.tolist(),
        value=mean_interval(course[:, -1]),
        worst_tenth=interval(lambda seeds: worst(replays, seeds), len(course)),
        behind=mean_interval(judged_course[:, -1] - course[:, -1]),
        worst_behind=interval(lambda seeds: worst(judged_replays, seeds) - worst(replays, seeds), len(course)),
        reached=interval(time_reached, len(course)),
        trials=float(replays.trials.mean()),
    )


def saving(replays: Replays, reference: Replays) -> Saving:
    """Returns what a policy saved; its trials and those of the reference must have had the same limit."""
    computes = replays.compute.mean(axis=1), reference.compute.mean(axis=1)
    behind = (reference.chosen - replays.chosen)[:, :, -1].mean(axis=1)
    return Saving(
        compute=interval(lambda seeds: computes[0][seeds].sum() / computes[1][seeds].sum(), len(behind)),
        behind=mean_interval(behind),
    )
