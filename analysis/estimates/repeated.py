"""Reads what the best configs of a sweep reach when they are trained again with other seeds, and compares them.

Two configs are compared over the seeds and the validation images that both have. The comparison is paired in both: it
takes the difference between the scores of the same image under the same seed. The interval holds for other seeds and
other images alike. Its variance is the sum of the part from the seeds and the part from the images, less the part that
both contain (Cameron, Gelbach and Miller, "Robust inference with multiway clustering", Journal of Business and Economic
Statistics 29, 2011). The interval is Student's, with the degrees of freedom that a few seeds allow (Satterthwaite, "An
approximate distribution of estimates of variance components", Biometrics Bulletin 2, 1946).
"""

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from sweep.analysis.estimates.intervals import TAIL, WeightedImages, sample_of
from sweep.analysis.estimates.scores import Scored, scores_of
from sweep.analysis.record import Record
from sweep.analysis.report.contents import scarcity
from sweep.analysis.trial_record import TrialRecord
from sweep.storage import paths
from sweep.storage.errors import SweepError
from sweep.storage.files import DamagedError
from sweep.storage.states import State
from sweep.storage.text import counted
from sweep.trainable.metrics.contract import Metric

CAVEAT = (
    "Each run is at its best epoch, on the validation images that chose the configs: all means are flattered a little, "
    "their differences hardly."
)


@dataclass(frozen=True)
class Difference:
    """The difference in value between two configs.

    Attributes:
      mean: the difference; positive if the first config is better. For an accuracy it is in [-1, 1].
      low, high: the 95 % interval of the difference.
      seeds: how many seeds both configs were trained with.
    """

    mean: float
    low: float
    high: float
    seeds: int


@dataclass(frozen=True)
class RepeatedConfig:
    """One config that was trained again.

    Attributes:
      trial: the number of its trial in the search.
      searched: the value of this trial.
      values: the value of each COMPLETE run, in the order of their seeds.
      asked: how many runs were asked for.
      lead: by how much the first config beats this one; None for the first config itself, and if the two have fewer
        than two seeds in common.
    """

    trial: int
    searched: float
    values: tuple[float, ...]
    asked: int
    lead: Difference | None = None

    @property
    def seeds(self) -> int:
        """The number of COMPLETE runs."""
        return len(self.values)

    @property
    def mean(self) -> float | None:
        """The mean value over the seeds; None without a COMPLETE run."""
        return float(np.mean(self.values)) if self.values else None

    @property
    def std(self) -> float | None:
        """The standard deviation of the value over the seeds; None with fewer than two seeds."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None


@dataclass(frozen=True)
class Repeated:
    """The result of training the best configs of a search again.

    Attributes:
      metric: the metric of the search.
      rows: one row for each config, in the order of their values in the search.
      sentence: whether the first config beats the second, in words.
    """

    metric: Metric
    rows: tuple[RepeatedConfig, ...]
    sentence: str


def read(record: Record) -> Repeated | None:
    """Reads the repeat of a sweep; returns None if there is none, or if it belongs to another sweep.

    Raises:
      DamagedError: the files of the repeat are damaged.
      OSError: the ledger of the repeat is in a database that cannot be reached.
    """
    try:
        repeat = Record(record.folder / paths.REPEAT)
        trials = repeat.trials
    except SweepError:
        return None
    if repeat.file.parent is None or repeat.file.parent.sweep != record.file.id:
        return None
    rows = _rows(repeat, trials)
    return Repeated(repeat.metric, rows, _sentence(rows, repeat.metric) + scarcity(repeat))


def sentences(repeated: Repeated) -> list[str]:
    """Returns the text about a repeat: a line for each config, the comparison, and a caveat."""
    return [*(_line(row, repeated.metric) for row in repeated.rows), repeated.sentence, CAVEAT]


def difference(first: np.ndarray, second: np.ndarray, sample: WeightedImages) -> Difference:
    """Returns by how much the first config beats the second, with an interval for other seeds and images.

    In simulations of equal configs, the interval contains 0 in 94 to 100 of 100 cases with three seeds or more. With
    two seeds it does in 90 of 100, if seeds differ by far more than images.

    Args:
      first, second: (seeds, N) scores of images, the larger the better. A row of both has the same seed, of which there
        are two at least, and a column the same image.
      sample: the images.
    """
    differences = first.astype(np.float64) - second
    mean = sample.mean(differences.mean(axis=0))
    low, high = sample.interval_of_difference(mean, *_variance(differences, sample))
    return Difference(mean, low, high, len(differences))


def _variance(differences: np.ndarray, sample: WeightedImages) -> tuple[float, float]:
    """Returns the variance of the mean over two seeds or more and all images, and its degrees of freedom."""
    seeds, classes = len(differences), len(sample.strata)
    seed_means = np.array([sample.mean(row) for row in differences])
    by_seeds, by_images = float(seed_means.var(ddof=1)) / seeds, sample.variance_of_difference(differences.mean(axis=0))
    by_both = 0.0
    for images in sample.strata:
        stratum = differences[:, images]
        residuals = stratum - stratum.mean(axis=1, keepdims=True) - stratum.mean(axis=0) + stratum.mean()
        cells = len(images) * max(1, len(images) - 1) * seeds * (seeds - 1)
        by_both += float((residuals**2).sum()) / (cells * classes**2)
    variance = max(by_seeds + by_images - by_both, by_seeds, by_images)
    # Satterthwaite's formula: each part of the variance, squared and divided by its own degrees of freedom.
    uncertainty = by_seeds**2 / (seeds - 1) + by_images**2 / (sample.size + 1)
    return variance, min(variance**2 / uncertainty, seeds + sample.size)


def _rows(repeat: Record, trials: list[TrialRecord]) -> tuple[RepeatedConfig, ...]:
    """Returns one row for each config of a repeat.

    Raises:
      DamagedError: the queue in sweep.json is not that of a repeat.
    """
    search_values, runs_asked, runs = dict[int, float](), Counter[int](), defaultdict[int, dict[int, TrialRecord]](dict)
    for number, entry in repeat.file.queue.items():
        if entry.trial is None or entry.value is None or entry.nth_seed is None:
            rule = f"queue.{number} must have trial, value and nth_seed, as the queue of a repeat has"
            raise DamagedError(repeat.folder / paths.SWEEP_FILE, rule, "restore it from a backup")
        search_values.setdefault(entry.trial, float(entry.value))
        runs_asked[entry.trial] += 1
        if number < len(trials) and trials[number].state == State.COMPLETE:
            runs[entry.trial][entry.nth_seed] = trials[number]
    order = sorted(search_values, key=lambda trial: (-repeat.metric.sign * search_values[trial], trial))
    return tuple(
        RepeatedConfig(
            trial,
            search_values[trial],
            tuple(run.value for _, run in sorted(runs[trial].items()) if run.value is not None),
            runs_asked[trial],
            None if trial == order[0] else _lead(repeat, runs[order[0]], runs[trial]),
        )
        for trial in order
    )


def _lead(repeat: Record, first: dict[int, TrialRecord], other: dict[int, TrialRecord]) -> Difference | None:
    """Returns by how much the first config beats another; None with fewer than two seeds in common.

    Args:
      repeat: the repeat.
      first, other: the runs of each of the two configs, by the number of their seed.
    """
    pairs = []
    for nth in sorted(first.keys() & other.keys()):
        a, b = (None if run.number in repeat.damaged else run.valid_logits for run in (first[nth], other[nth]))
        if a is not None and b is not None:
            pairs.append((a, b))
    if len(pairs) < 2:  # one seed does not show how much another seed would change
        return None
    images, labels = repeat.metric.images, repeat.valid_labels
    if images is None:
        return _difference_of_values([scores_of(repeat, pair) for pair in pairs], len(labels))
    first_runs, other_runs = (
        np.stack([images.of_logits(labels, logits) for logits in runs]) for runs in zip(*pairs, strict=True)
    )
    return difference(first_runs, other_runs, sample_of(repeat))


def _difference_of_values(pairs: list[Scored], images: int) -> Difference:
    """Returns what `difference` returns, for a metric that is not a mean over the images.

    The part of the variance that comes from the images is taken to be the same under every seed.

    Args:
      pairs: for each seed, the scores of the two configs, the first config before the second.
      images: how many images there are.
    """
    gains, seeds = np.array([np.subtract(*scores.everywhere()) for scores in pairs]), len(pairs)
    by_seeds = float(gains.var(ddof=1)) / seeds
    by_images = float(np.mean([scores.variance_of_gain() for scores in pairs]))
    uncertainty = by_seeds**2 / (seeds - 1) + by_images**2 / max(1, images - 1)
    degrees = (by_seeds + by_images) ** 2 / uncertainty if uncertainty else seeds
    margin, mean = float(stdtrit(degrees, 1 - TAIL) * np.sqrt(by_seeds + by_images)), float(gains.mean())
    return Difference(mean, mean - margin, mean + margin, seeds)


def _line(row: RepeatedConfig, metric: Metric) -> str:
    if row.mean is None:
        runs = "its only run is not" if row.asked == 1 else f"none of its {row.asked} runs is"
        return f"trial {row.trial}: {runs} COMPLETE yet, {row.searched:z.4f} in the search"
    spread = "" if row.std is None else f" +- {row.std:.4f}"
    runs = f"{row.seeds} of {counted(row.asked, 'seed')}" if row.seeds < row.asked else counted(row.asked, "seed")
    value = f"{metric.words} {row.mean:z.4f}{spread} over {runs}"
    lead = "" if row.lead is None else f", {_lead_text(row.lead, metric, 'behind', 'ahead of')} the first"
    return f"trial {row.trial}: {value}, {row.searched:z.4f} in the search{lead}"


def _sentence(rows: tuple[RepeatedConfig, ...], metric: Metric) -> str:
    if len(rows) == 1:
        return "There is no second config to compare it with; --top 2 trains one."
    if (lead := rows[1].lead) is None:
        return "Whether the first config beats the second takes two seeds of both."
    first, second = f"the first config (trial {rows[0].trial})", f"the second (trial {rows[1].trial})"
    lead_text = f"Over {lead.seeds} seeds {first} is {_lead_text(lead, metric, 'ahead of', 'behind')} {second}"
    if lead.low > 0:
        return f"{lead_text}: the order is real."
    if lead.high < 0:
        return f"{lead_text}: the search has them in the wrong order."
    return f"{lead_text}: the interval includes 0, so they cannot be told apart."


def _lead_text(lead: Difference, metric: Metric, ahead: str, behind: str) -> str:
    """Returns a difference in words, such as `1.2 points (95 % interval 0.2 to 2.1) ahead of`.

    The amount is never below zero; for a negative difference it is followed by `behind` instead of `ahead`.
    """
    if lead.mean < 0:
        lead, ahead = Difference(-lead.mean, -lead.high, -lead.low, lead.seeds), behind
    mean, low, high = (metric.scale.amount(number) for number in (lead.mean, lead.low, lead.high))
    return f"{mean}{metric.scale.difference_unit} (95 % interval {low} to {high}) {ahead}"
