"""Shows how the value depends on each parameter, one at a time."""

from collections.abc import Sequence
from dataclasses import replace

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sweep.analysis.record import Record
from sweep.analysis.report.charts import Axis, Chart, Figure, Series, linear_axis, log_axis, short
from sweep.analysis.report.contents import value_text
from sweep.analysis.report.sections.history import on_axis, value_axis
from sweep.analysis.report.sections.importance import importances
from sweep.analysis.trial_record import TrialRecord
from sweep.storage.states import State

MOST_SLICES = 16
FEW_TICKS = 5
STAR = 0.06  # half of the height of the best trial's star, as a share of the height of a chart
LETTERS = 34  # characters that fit below a small chart
JITTER = 0.25  # the largest shift of a trial beside its choice, so that trials do not hide each other


def slices(record: Record) -> Figure | None:
    """Returns the figure of the value over each parameter, the most important first; None without parameters."""
    order = [row.name for row in importances(record)[0]]
    trials = sorted(record.ranked, key=lambda trial: trial.number)
    params = {name for trial in trials for name, distribution in trial.ranges.items() if not distribution.single()}
    names = sorted(params, key=lambda name: (order.index(name) if name in order else len(order), name))
    if not names:
        return None
    left_out = f" Of {len(names)} parameters the first {MOST_SLICES} are shown." if len(names) > MOST_SLICES else ""
    caption = (
        f"The {record.metric.words} of each trial over one parameter at a time, the most important first: "
        f"filled, COMPLETE; hollow, PRUNED; the star is the best.{left_out}"
    )
    values = [trial.value for trial in trials if trial.value is not None]
    y = replace(value_axis(record, values), title="")
    if y.span is None:
        low, high = (on_axis(record, end) for end in (min(values), max(values)))
        margin = STAR * (high - low)
        y = linear_axis("", low - margin, high + margin, FEW_TICKS)  # the same axis for all charts
    charts = tuple(_slice(record, name, trials, y) for name in names[:MOST_SLICES])
    return Figure("slices", caption, charts)


def _slice(record: Record, name: str, trials: list[TrialRecord], y: Axis) -> Chart:
    series = []
    sampled_trials = [trial for trial in trials if name in trial.ranges and not trial.ranges[name].single()]
    ranges = [trial.ranges[name] for trial in sampled_trials]
    choices = list(dict.fromkeys(str(c) for d in ranges if isinstance(d, CategoricalDistribution) for c in d.choices))
    for look in (State.PRUNED, State.COMPLETE, "best"):
        group = [trial for trial in sampled_trials if (trial is record.best if look == "best" else trial.state == look)]
        x = [_place_on_axis(trial, name, choices) for trial in group]
        texts = [
            f"trial {trial.number}, {trial.state}\n{name}={value_text(trial.params[name])}: "
            f"{record.metric.scale.value(trial.value)}"
            for trial in group
        ]
        series.append(Series(look, x, [on_axis(record, trial.value) for trial in group], texts=texts))
    return Chart(_axis(ranges, choices), y, tuple(s for s in series if len(s.x)), name, height_px=200)


def _place_on_axis(trial: TrialRecord, name: str, choices: list[str]) -> float:
    value = trial.params[name]
    if not choices:
        return value
    return choices.index(str(value)) + JITTER * (2 * ((trial.number * 0.618034) % 1) - 1)


def _axis(distributions: Sequence[BaseDistribution], choices: list[str]) -> Axis:
    if choices:
        longest = max(4, LETTERS // len(choices))
        ticks = tuple((place, short(choice, longest)) for place, choice in enumerate(choices))
        return Axis("", ticks, (-0.6, len(choices) - 0.4))
    numeric = [d for d in distributions if isinstance(d, IntDistribution | FloatDistribution)]
    low, high = min(d.low for d in numeric), max(d.high for d in numeric)
    if any(d.log for d in numeric):
        return log_axis("", low, high)
    return linear_axis("", low, high, FEW_TICKS, is_whole=isinstance(numeric[0], IntDistribution))
