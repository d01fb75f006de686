"""Shows what a sweep cost: training time by state, what pruning saved, the slowest configs, value against time."""

from dataclasses import dataclass

from sweep.analysis.record import Record
from sweep.analysis.report.charts import Axis, Chart, Figure, Series, log_axis, named_rows, rows_height_px
from sweep.analysis.report.contents import duration, histories, seconds
from sweep.analysis.report.sections.history import on_axis, value_axis
from sweep.analysis.trial_record import TrialRecord
from sweep.storage.states import State
from sweep.storage.text import counted

SLOWEST = 5  # trials
WIDE = 5  # a longest time of so many shortest ones needs a logarithmic axis


@dataclass(frozen=True)
class StateCost:
    """The cost of the ended trials of one state.

    Attributes:
      state: the state.
      trials: how many trials there are.
      epochs: how many epochs of them count.
      seconds: the training time of these epochs.
    """

    state: str
    trials: int
    epochs: int
    seconds: float


@dataclass(frozen=True)
class Saving:
    """The training that pruning saved: the rest of each PRUNED trial, at the pace of that trial.

    Attributes:
      trials: how many PRUNED trials there are whose pace is known.
      epochs, seconds: the epochs that were not trained, and the time they would have taken.
      share: these seconds as a share of the time that all training would have taken.
    """

    trials: int
    epochs: int
    seconds: float
    share: float


def by_state(record: Record) -> list[StateCost]:
    """Returns a row for each state that ended trials have."""
    trials_by_state = {
        state: [trial for trial in record.trials if trial.state == state]
        for state in (State.COMPLETE, State.PRUNED, State.FAIL)
    }
    return [
        StateCost(
            state, len(trials), sum(trial.epochs for trial in trials), sum(seconds(record, trial) for trial in trials)
        )
        for state, trials in trials_by_state.items()
        if trials
    ]


def saving(record: Record) -> Saving:
    """Returns the training that pruning saved."""
    epochs_trained = {number: len(history) for number, history in histories(record).items() if history}
    pruned = [trial for trial in record.trials if trial.state == State.PRUNED and trial.number in epochs_trained]
    nets = record.settings.folds or 1
    epochs_left = {
        trial.number: max(0, nets * trial.config["epochs"] - epochs_trained[trial.number]) for trial in pruned
    }
    seconds_saved = sum(
        seconds(record, trial) / epochs_trained[trial.number] * epochs_left[trial.number] for trial in pruned
    )
    seconds_spent = sum(row.seconds for row in by_state(record))
    return Saving(
        len(pruned),
        sum(epochs_left.values()),
        seconds_saved,
        seconds_saved / (seconds_saved + seconds_spent) if seconds_saved else 0.0,
    )


def saving_sentence(result: Saving) -> str:
    """Returns what pruning saved, in words."""
    if not result.trials:
        return "No trial was pruned, so pruning saved nothing."
    return (
        f"Pruning saved about {duration(result.seconds)} of training, {100 * result.share:.1f} % of what the sweep "
        f"would have taken: {counted(result.trials, 'trial')} ended early, {counted(result.epochs, 'epoch')} in all "
        "were not trained, each counted at the pace of its trial."
    )


def slowest(record: Record) -> list[TrialRecord]:
    """Returns the trials that took the most training time, the slowest first."""
    timed_trials = [trial for trial in record.trials if seconds(record, trial)]
    return sorted(timed_trials, key=lambda trial: (-seconds(record, trial), trial.number))[:SLOWEST]


def pareto(record: Record) -> list[TrialRecord]:
    """Returns the COMPLETE trials that no other one beats in both value and time, the quickest first."""
    timed_trials = [trial for trial in record.ranked if trial.state == State.COMPLETE and seconds(record, trial)]
    front: list[TrialRecord] = []
    # `ranked` has the better one first, and sorting keeps that order among equal times.
    for trial in sorted(timed_trials, key=lambda trial: seconds(record, trial)):
        if not front or record.metric.is_better(trial.value or 0.0, front[-1].value or 0.0):
            front.append(trial)
    return front


def states_figure(record: Record) -> Figure | None:
    """Returns the figure of the training time by state; None if no time was kept."""
    rows = by_state(record)
    total = sum(row.seconds for row in rows)
    if not total:
        return None
    caption = (
        "The training time of the ended trials by what became of them. Running and paused trials, attempts that were "
        "lost, and epochs that were trained twice are not in it."
    )
    series = Series(
        "bars",
        [row.seconds / 60 for row in rows],
        [-place for place in range(len(rows))],
        texts=[
            f"{row.state}: {row.seconds / 60:.1f} minutes, {100 * row.seconds / total:.0f} % of all" for row in rows
        ],
    )
    chart = Chart(
        Axis("training time (minutes)"),
        named_rows([row.state for row in rows]),
        (series,),
        height_px=rows_height_px(len(rows)),
    )
    return Figure("states", caption, (chart,))


def pareto_figure(record: Record) -> Figure | None:
    """Returns the figure of value against training time; None without a COMPLETE trial whose time was kept."""
    front = pareto(record)
    if not front:
        return None
    timed_trials = [trial for trial in record.ranked if seconds(record, trial)]
    times = [seconds(record, trial) for trial in timed_trials]
    x = [*(seconds(record, trial) for trial in front), max(times)]
    y = [on_axis(record, trial.value) for trial in (*front, front[-1])]
    series = [
        *(
            _points(record, [t for t in timed_trials if t.state == state], state)
            for state in (State.PRUNED, State.COMPLETE)
        ),
        Series("front", x, y, "the best for its time"),
    ]
    side = "above" if record.metric.greater_is_better else "below"
    caption = (
        f"The {record.metric.words} of each trial against its training time. No COMPLETE trial lies {side} the "
        "line: along it a better value costs more time, and a trial far from it is slow for what it brings."
    )
    title = "training time of the trial (seconds)"
    axis = log_axis(title, min(times), max(times)) if max(times) > WIDE * min(times) else Axis(title)
    values = value_axis(record, [trial.value for trial in timed_trials if trial.value is not None])
    return Figure("cost", caption, (Chart(axis, values, tuple(s for s in series if len(s.x))),))


def _points(record: Record, trials: list[TrialRecord], state: State) -> Series:
    x = [seconds(record, trial) for trial in trials]
    values = (record.metric.scale.value(trial.value) for trial in trials)
    texts = [
        f"trial {trial.number}, {state}\n{value} in {time:.1f} s"
        for trial, value, time in zip(trials, values, x, strict=True)
    ]
    return Series(state, x, [on_axis(record, trial.value) for trial in trials], state, texts)
