"""How a sweep went: the value of each trial, over trials, time and epochs."""

from collections.abc import Sequence
from datetime import datetime

from analysis.record import Record, TrialRecord
from analysis.report.charts import MOST_TICKS, Axis, Chart, Figure, Series, linear_axis, log_axis
from analysis.report.contents import LEADERS, baselines, duration, histories, seconds
from storage.states import State
from storage.text import counted

WIDE = 10  # a loss whose largest value is so many times its smallest stands on a logarithmic axis
UNITS = ((2 * 3600, 3600, "hours"), (120, 60, "minutes"), (0, 1, "seconds"))  # from so many seconds on


def over_trials(record: Record) -> Figure | None:
    """The value of each trial by its number, and the best so far; None where no trial has a value."""
    trials = record.trials
    values = [trial.value for trial in trials if trial.value is not None]
    if not values:
        return None
    series = []
    for state in (State.PRUNED, State.COMPLETE, State.RUNNING):
        shown = [trial for trial in trials if trial.state == state and trial.value is not None]
        series.append(_points(record, shown, [trial.number for trial in shown], state))
    failed = [trial for trial in trials if trial.state == State.FAIL]
    edge = min(on_axis(record, value) for value in values)
    texts = [f"trial {trial.number}, FAIL: {trial.reason}" for trial in failed]
    series.append(
        Series(State.FAIL, [trial.number for trial in failed], [edge] * len(failed), "FAIL (no value)", texts)
    )
    complete = [trial for trial in trials if trial.state == State.COMPLETE]
    series.append(_best_so_far(record, complete, [trial.number for trial in complete], trials[-1].number))
    rings = [trial for trial in baselines(record) if trial.value is not None]
    texts = [f"baseline: {trial.baseline}" for trial in rings]
    y = [on_axis(record, trial.value) for trial in rings]
    series.append(Series("baseline", [trial.number for trial in rings], y, "baseline", texts))
    says = (
        f"The {record.metric.words} of each trial, in the order in which they were drawn. The line is the best "
        "so far of the COMPLETE trials; a trial that was pruned stands at its best up to there, and does not count."
    )
    chart = Chart(
        linear_axis("trial", 0, trials[-1].number, MOST_TICKS, is_whole=True),
        value_axis(record, values),
        tuple(s for s in series if len(s.x)),
    )
    return Figure("history", says, (chart,))


def over_time(record: Record) -> Figure | None:
    """The same over the training time of all trials up to the end of each; None where nothing was kept of it."""
    ended, spent = [], []
    total = 0.0
    for trial in _by_end(record):
        total += seconds(record, trial)
        if trial.value is not None:
            ended.append(trial)
            spent.append(total)
    if not ended or not total:
        return None
    unit_seconds, unit = next((size, name) for least, size, name in UNITS if total >= least)
    spent = [at / unit_seconds for at in spent]
    series = []
    for state in (State.PRUNED, State.COMPLETE):
        of_state = [place for place, trial in enumerate(ended) if trial.state == state]
        series.append(_points(record, [ended[i] for i in of_state], [spent[i] for i in of_state], state))
    complete = [place for place, trial in enumerate(ended) if trial.state == State.COMPLETE]
    line = _best_so_far(record, [ended[i] for i in complete], [spent[i] for i in complete], total / unit_seconds)
    says = (
        f"The same over time: how much training, {duration(total)} in all, it took to come so far. Each trial stands "
        "where it ended; trials that ran side by side add up, pauses and lost attempts do not count."
    )
    x = linear_axis(f"training time of all trials so far ({unit})", 0, total / unit_seconds, MOST_TICKS)
    y = value_axis(record, [trial.value for trial in ended if trial.value is not None])
    return Figure("time", says, (Chart(x, y, tuple(s for s in (*series, line) if len(s.x))),))


def learning_curves(record: Record) -> Figure | None:
    """The metric over the epochs: the best COMPLETE trials, with the PRUNED ones behind them."""
    curves = {number: [epoch[record.metric.field] for epoch in found] for number, found in histories(record).items()}
    leaders = [trial for trial in record.ranked if trial.state == State.COMPLETE and curves[trial.number]][:LEADERS]
    pruned = [trial for trial in record.trials if trial.state == State.PRUNED and curves[trial.number]]
    drawn = [*pruned, *leaders]
    if not drawn:
        return None
    series = [_curves(record, pruned, curves, "pruned curve", f"{len(pruned)} PRUNED")]
    if leaders:
        best = leaders[0]
        series.append(_curves(record, leaders[1:], curves, "good curve", f"the next {len(leaders) - 1} COMPLETE"))
        series.append(_curves(record, [best], curves, "best curve", f"the best, trial {best.number}"))
        at = on_axis(record, curves[best.number][best.best_epoch - 1])
        text = f"trial {best.number} at its best: epoch {best.best_epoch}, {record.metric.scale.value(best.value)}"
        series.append(Series("best", [best.best_epoch], [at], "its best epoch", [text]))
    says = (
        f"The {record.metric.words} after each epoch, of the {counted(len(leaders), 'best COMPLETE trial')}; "
        "pale and dotted, the trials that were pruned. A curve that still rises at its end asks for more epochs."
    )
    x = linear_axis("epoch", 1, max(len(curves[trial.number]) for trial in drawn), MOST_TICKS, is_whole=True)
    y = value_axis(record, [value for trial in drawn for value in curves[trial.number]])
    return Figure("learning-curves", says, (Chart(x, y, tuple(s for s in series if len(s.x)), height_px=400),))


def on_axis(record: Record, value: float | None) -> float:
    """A value as charts show it: accuracies in percent."""
    assert value is not None
    return record.metric.scale.factor * value


def value_axis(record: Record, values: Sequence[float]) -> Axis:
    """For values of the metric."""
    scale, low, high = record.metric.scale, min(values), max(values)
    title = f"{record.metric.words} ({scale.unit.strip()})" if scale.unit else record.metric.words
    return log_axis(title, low, high) if scale.may_be_log and 0 < low * WIDE < high else Axis(title)


def _points(record: Record, trials: list[TrialRecord], x: Sequence[float], state: str) -> Series:
    texts = [
        f"trial {trial.number}, {state}\n{record.metric.scale.value(trial.value)} after epoch {trial.best_epoch}"
        for trial in trials
    ]
    return Series(state, x, [on_axis(record, trial.value) for trial in trials], state, texts)


def _best_so_far(record: Record, complete: list[TrialRecord], x: Sequence[float], last: float) -> Series:
    if not complete:
        return Series("best so far", [], [])
    best = record.metric.best_so_far([on_axis(record, trial.value) for trial in complete])
    return Series("best so far", [*x, last], [*best, best[-1]], "best so far")


def _by_end(record: Record) -> list[TrialRecord]:
    ended = [trial for trial in record.trials if trial.state != State.RUNNING]
    return sorted(ended, key=lambda trial: (record.trial_times[trial.number][1] or datetime.max, trial.number))


def _curves(record: Record, trials: list[TrialRecord], curves: dict[int, list[float]], look: str, name: str) -> Series:
    """Several lines as one series, with a gap between them."""
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
