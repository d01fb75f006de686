"""Shows how a sweep went: the value of each trial over trials, over time and over epochs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from statistics import fmean

from sweep.analysis.record import Record
from sweep.analysis.report.charts import MOST_TICKS, Axis, Chart, Figure, Series, linear_axis, log_axis
from sweep.analysis.report.contents import LEADERS, baselines, duration, histories, seconds
from sweep.analysis.trial_record import TrialRecord
from sweep.storage.states import State
from sweep.storage.text import counted

WIDE = 10  # a loss whose largest value is more than so many times its smallest needs a logarithmic axis
UNITS = ((2 * 3600, 3600, "hours"), (120, 60, "minutes"), (0, 1, "seconds"))  # smallest total and unit in seconds, name


def over_trials(record: Record) -> Figure | None:
    """Returns the figure of each trial's value over its number, with the best so far; None if no trial has a value."""
    trials = record.trials
    values = [trial.value for trial in trials if trial.value is not None]
    if not values:
        return None
    places = {trial.number: trial.number for trial in trials}
    failed = [trial for trial in trials if trial.state == State.FAIL]
    edge = min(on_axis(record, value) for value in values)
    rings = [trial for trial in baselines(record) if trial.value is not None]
    series = [
        *(_points(record, places, state) for state in (State.PRUNED, State.COMPLETE, State.RUNNING)),
        Series(
            State.FAIL,
            [trial.number for trial in failed],
            [edge] * len(failed),
            "FAIL (no value)",
            [f"trial {trial.number}, FAIL: {trial.reason}" for trial in failed],
        ),
        _best_so_far(record, places, trials[-1].number),
        Series(
            "baseline",
            [trial.number for trial in rings],
            [on_axis(record, trial.value) for trial in rings],
            "baseline",
            [f"baseline: {trial.baseline}" for trial in rings],
        ),
    ]
    caption = (
        f"The {record.metric.words} of each trial, in the order in which they were drawn. The line is the best "
        "so far of the COMPLETE trials; a trial that was pruned stands at its best up to there, and does not count."
    )
    x = linear_axis("trial", 0, trials[-1].number, MOST_TICKS, is_whole=True)
    return Figure("history", caption, (Chart(x, value_axis(record, values), tuple(s for s in series if len(s.x))),))


def over_time(record: Record) -> Figure | None:
    """Returns the figure of each trial's value over the training time of all trials until its end.

    It is None if no ended trial has a value, or if no times were kept.
    """
    ended = [trial for trial in record.trials if trial.state != State.RUNNING]
    ended.sort(key=lambda trial: (trial.ended_at or datetime.max, trial.number))
    values = [trial.value for trial in ended if trial.value is not None]
    seconds_spent = list(accumulate(seconds(record, trial) for trial in ended))
    if not values or not seconds_spent[-1]:
        return None
    unit_seconds, unit = next((size, name) for least, size, name in UNITS if seconds_spent[-1] >= least)
    places = {trial.number: end / unit_seconds for trial, end in zip(ended, seconds_spent, strict=True)}
    total = seconds_spent[-1] / unit_seconds
    series = [
        *(_points(record, places, state) for state in (State.PRUNED, State.COMPLETE)),
        _best_so_far(record, places, total),
    ]
    caption = (
        f"The same over time: how much training, {duration(seconds_spent[-1])} in all, it took to come so far. Each "
        "trial stands where it ended; trials that ran side by side add up, pauses and lost attempts do not count."
    )
    x = linear_axis(f"training time of all trials so far ({unit})", 0, total, MOST_TICKS)
    return Figure("time", caption, (Chart(x, value_axis(record, values), tuple(s for s in series if len(s.x))),))


def learning_curves(record: Record) -> Figure | None:
    """Returns the figure of the metric over the epochs, for the best COMPLETE trials and the PRUNED ones.

    It is None if there are no curves.
    """
    curves = {trial.number: _curve(record, trial) for trial in record.trials}
    # A trial of a single epoch, such as that of a head, gives no curve.
    has_curve = {trial.number: bool(curves[trial.number]) and trial.config["epochs"] > 1 for trial in record.ranked}
    leaders = [trial for trial in record.ranked if trial.state == State.COMPLETE and has_curve[trial.number]][:LEADERS]
    pruned = [trial for trial in record.trials if trial.state == State.PRUNED and has_curve.get(trial.number)]
    trials = [*pruned, *leaders]
    if not trials:
        return None
    series = [_curves(record, pruned, curves, "pruned curve", f"{len(pruned)} PRUNED")]
    if leaders:
        best = leaders[0]
        epoch = best.best_epoch or 1 + curves[best.number].index(record.metric.best_so_far(curves[best.number])[-1])
        value = curves[best.number][epoch - 1]
        text = f"trial {best.number} at its best: epoch {epoch}, {record.metric.scale.value(value)}"
        series += [
            _curves(record, leaders[1:], curves, "good curve", f"the next {len(leaders) - 1} COMPLETE"),
            _curves(record, [best], curves, "best curve", f"the best of them, trial {best.number}"),
            Series("best", [epoch], [on_axis(record, value)], "its best epoch", [text]),
        ]
    caption = (
        f"The {record.metric.words} after each epoch, of the {counted(len(leaders), 'best COMPLETE trial')}; "
        "pale and dotted, the trials that were pruned. A curve that still rises at its end asks for more epochs."
        f"{' Each curve is the mean over the folds that were trained.' if record.settings.folds else ''}"
    )
    x = linear_axis("epoch", 1, max(len(curves[trial.number]) for trial in trials), MOST_TICKS, is_whole=True)
    y = value_axis(record, [value for trial in trials for value in curves[trial.number]])
    return Figure("learning-curves", caption, (Chart(x, y, tuple(s for s in series if len(s.x)), height_px=400),))


def _curve(record: Record, trial: TrialRecord) -> list[float]:
    """Returns the metric after each epoch; with folds, its mean over the nets that were trained; empty if not kept."""
    nets: list[list[float]] = []
    for epoch in histories(record)[trial.number]:
        nets += [[]] if epoch["epoch"] == 1 else []
        nets[-1].append(epoch[record.metric.field])
    return [fmean(values) for values in zip(*nets, strict=False)]


def on_axis(record: Record, value: float | None) -> float:
    """Returns a value as charts show it, for example accuracies in percent."""
    assert value is not None
    return record.metric.scale.factor * value


def value_axis(record: Record, values: Sequence[float]) -> Axis:
    """Returns an axis for values of the metric; it is logarithmic if the metric allows it and the values span much."""
    scale, low, high = record.metric.scale, min(values), max(values)
    title = f"{record.metric.words} ({scale.unit.strip()})" if scale.unit else record.metric.words
    return log_axis(title, low, high) if scale.may_be_log and 0 < low * WIDE < high else Axis(title)


def _points(record: Record, places: Mapping[int, float], state: State) -> Series:
    """Returns the series of the trials of a state that have a value.

    Args:
      record: the sweep.
      places: the x coordinate of each trial, by its number.
      state: the state.
    """
    trials = _trials_with_value(record, places, state)
    texts = [
        f"trial {trial.number}, {state}\n{record.metric.scale.value(trial.value)} {trial.reached}" for trial in trials
    ]
    y = [on_axis(record, trial.value) for trial in trials]
    return Series(state, [places[trial.number] for trial in trials], y, state, texts)


def _best_so_far(record: Record, places: Mapping[int, float], last: float) -> Series:
    complete = _trials_with_value(record, places, State.COMPLETE)
    best = record.metric.best_so_far([on_axis(record, trial.value) for trial in complete])
    if not complete:
        return Series("best so far", [], [])
    x = [places[trial.number] for trial in complete]
    return Series("best so far", [*x, last], [*best, best[-1]], "best so far")


def _trials_with_value(record: Record, numbers: Iterable[int], state: State) -> list[TrialRecord]:
    """Returns the trials with these numbers that are in the state and have a value, in the order of the numbers."""
    trials = [record.trials[number] for number in numbers]
    return [trial for trial in trials if trial.state == state and trial.value is not None]


def _curves(record: Record, trials: list[TrialRecord], curves: dict[int, list[float]], look: str, name: str) -> Series:
    """Returns the curves of several trials as one series, with gaps between them."""
    x: list[float] = []
    y: list[float | None] = []
    texts: list[str] = []
    for trial in trials:
        values = curves[trial.number]
        x += [*range(1, len(values) + 1), len(values)]
        y += [*(on_axis(record, value) for value in values), None]
        texts += [f"trial {trial.number}, epoch {k}: {record.metric.scale.value(v)}" for k, v in enumerate(values, 1)]
        texts.append("")
    return Series(look, x, y, name, texts)
