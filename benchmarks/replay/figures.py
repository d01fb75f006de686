"""Computes figures from the log of a search and from many replays: regrets, ranks, times, and their intervals."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from benchmarks.replay.clock import Log

RESAMPLES = 2_000
ROUNDING = 1e-9  # means of equal values may differ by this much
WORST = 0.1  # the share of the replays that end below the value of `worst_tenth`


def chosen_values(log: Log, times: np.ndarray, blind: float) -> np.ndarray:
    """Returns the value of the search's choice at each time, on the half of the images that scores.

    The choice is the trial with the best value so far, in its state after the epoch with that value, whether it is
    still trained or not; among equal values, the first. Every policy chooses like this.

    Args:
      times: (times,) seconds since the search began.
      blind: the value before any trial has one.
    """
    counts = [min(len(stint.ends), len(log.trainings[stint.number].seen) - stint.first) for stint in log.stints]
    pairs = list(zip(log.stints, counts, strict=True))
    ends = np.concatenate([np.empty(0), *(stint.ends[:count] for stint, count in pairs)])
    order = np.argsort(ends, kind="stable")

    def collect(name: str) -> np.ndarray:
        parts = [
            getattr(log.trainings[stint.number], name)[stint.first : stint.first + count] for stint, count in pairs
        ]
        return np.concatenate([np.empty(0), *parts])[order]

    seen, scored = collect("seen"), collect("scored")
    best = np.maximum.accumulate(seen)
    is_better = np.diff(best, prepend=-np.inf) > 0
    newest = np.maximum.accumulate(np.where(is_better, np.arange(len(seen)), 0))
    chosen = np.concatenate([[blind], scored[newest]])
    return chosen[np.searchsorted(ends[order], times, side="right")]


@dataclass(frozen=True)
class Interval:
    """A figure over all replays, with the 95 % interval of a bootstrap over their seeds."""

    found: float
    low: float
    high: float


def interval(figure: Callable[[np.ndarray], float], seeds: int) -> Interval:
    """Returns a figure with its interval.

    Args:
      figure: computes the figure from the replays with these seeds, some of which occur several times.
      seeds: the number of seeds.
    """
    return _interval(figure(np.arange(seeds)), [figure(each) for each in _resample_seeds(seeds)])


def mean_interval(values: np.ndarray) -> Interval:
    """Returns the mean of one value per seed with its interval; this is a hundred times as fast as `interval`."""
    return _interval(values.mean(), values[_resample_seeds(len(values))].mean(axis=1))


def _interval(figure: float, resampled_figures: Sequence[float] | np.ndarray) -> Interval:
    # Interpolation would fail with infinite values.
    low, high = np.percentile(resampled_figures, [2.5, 97.5], method="nearest")
    return Interval(float(figure), float(low), float(high))


@cache
def _resample_seeds(seeds: int) -> np.ndarray:
    """Returns (resamples, seeds), which are the same for all figures, so that figures can be compared in pairs."""
    return np.random.default_rng(seeds).integers(0, seeds, (RESAMPLES, seeds))


def worst_tenth(values: np.ndarray) -> float:
    """Returns the value below which a tenth of the replays are."""
    return float(np.quantile(values, WORST))


def time_to_reach(times: np.ndarray, values: np.ndarray, goal: float) -> float:
    """Returns the first time at which a mean course has reached a goal; infinite if it never does.

    Args:
      times, values: (times,) the course.
    """
    indices = np.flatnonzero(values >= goal - ROUNDING)
    return float(times[indices[0]]) if len(indices) else np.inf


def mean_ranks(values: np.ndarray) -> np.ndarray:
    """Returns the mean rank of each policy over the replays, from 1 for the best; equal values share their ranks.

    Args:
      values: (policies, replays), greater is better.
    """
    above = (values[None] > values[:, None]).sum(axis=1)
    equal = (values[None] == values[:, None]).sum(axis=1)
    ranks: np.ndarray = (above + (equal + 1) / 2).mean(axis=1)
    return ranks


def finite(figures: Any) -> Any:
    """Returns nested figures with None in place of infinite ones, such as a time that is never reached, for JSON."""
    if isinstance(figures, dict):
        return {name: finite(each) for name, each in figures.items()}
    if isinstance(figures, list):
        return [finite(each) for each in figures]
    return None if isinstance(figures, float) and not math.isfinite(figures) else figures


def as_points(interval: Interval) -> str:
    """Formats a share and its interval as points of a hundred."""
    return f"{100 * interval.found:.2f} [{100 * interval.low:.2f}, {100 * interval.high:.2f}]"


def as_number(interval: Interval, digits: int = 2) -> str:
    """Formats a number and its interval."""
    return f"{interval.found:.{digits}f} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def as_share(interval: Interval) -> str:
    """Formats a share of a time in percent; one above 1 is shown as never reached."""
    texts = [f"{100 * each:.0f} %" if each <= 1 else "never" for each in (interval.found, interval.low, interval.high)]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]"
