"""The status screen of a sweep: progress, the best so far, what runs, what failed and why, time left.

The first part of it, `summary`, is also printed at the end of each start.
"""

import shutil
import sys
import textwrap
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from sweep.analysis.commands import command_to_go_on
from sweep.analysis.estimates import held_out
from sweep.analysis.record import Record
from sweep.analysis.report.contents import (
    baselines,
    caution,
    config_text,
    count_states,
    duration,
    failures,
    plain,
    progress,
)
from sweep.analysis.trial_record import TrialRecord
from sweep.storage import paths
from sweep.storage.errors import SweepError
from sweep.storage.lock import holder
from sweep.storage.states import State
from sweep.storage.store import store_of
from sweep.storage.text import counted

WATCH_SECONDS = 2.0
MOST_LINES = 4  # lines of the screen that one line of text may take
FILES = {
    "report": paths.REPORT_PAGE,
    "leaderboard": paths.TRIALS_CSV,
    "best model": paths.BEST,
    "predictions": paths.PREDICTIONS,
}


def show(sweep: Path) -> None:
    """Prints the status of a sweep, fitted to the terminal if there is one.

    Raises:
      SweepError, DamagedError: as in `status_text`.
    """
    text, _ = status_text(sweep)
    print(fitted(text, *shutil.get_terminal_size()) if sys.stdout.isatty() else text)


def status_text(sweep: Path) -> tuple[str, bool]:
    """Returns the status of a sweep, in about twenty lines, and whether the sweep has ended.

    Raises:
      SweepError: the folder holds no sweep, or no trial has begun and no driver runs.
      DamagedError: the sweep cannot be read.
    """
    driver = plain(holder(sweep))
    try:
        record = Record(sweep)
        lines = [summary(record)]
    except SweepError:
        if not driver:
            raise
        return f"{sweep}: begins\ndriver: {driver}", False
    driver = driver or plain(record.file.holder(sweep))
    unended = [trial for trial in record.trials if trial.state == State.RUNNING]
    if running := [_running(trial, record.settings.folds) for trial in unended if not trial.is_paused]:
        lines += [f"running: {', '.join(running)}", *_nodes(record)]
    if paused := [str(trial.number) for trial in unended if trial.is_paused]:
        verb = "waits" if len(paused) == 1 else "wait"
        sentence = f"{counted(len(paused), 'trial')} {verb} at a rung, without a worker, for others to come there"
        lines.append(f"paused: {sentence} ({', '.join(paused)})")
    counts = count_states(record)
    is_ended = State.RUNNING not in counts and sum(counts.values()) >= record.trials_wanted
    if driver:
        lines.append(f"driver: {driver}{_time_left(record)}")
    elif is_ended:
        lines.append("driver: none runs, for every trial has ended")
    else:
        command = plain(command_to_go_on(record)) or "the command that started it"
        lines.append(f"driver: none runs; the sweep goes on by {command}")
    return "\n".join(lines), is_ended and not driver


def fitted(text: str, width: int, height: int) -> str:
    """Returns a text as it fits on a terminal: each line is broken at `width` columns, and cut off if it is too long.

    A line takes at most `MOST_LINES` lines of the terminal, or fewer if the whole text would not fit otherwise.
    """
    for max_lines in range(MOST_LINES, 0, -1):
        lines = [part for line in text.splitlines() for part in _wrap(line, width, max_lines)]
        if len(lines) < height:  # the prompt takes one line
            break
    return "\n".join(lines)


def _wrap(line: str, width: int, max_lines: int) -> list[str]:
    indent = " " * (2 + len(line) - len(line.lstrip()))
    return textwrap.wrap(
        line, width, subsequent_indent=indent, max_lines=max_lines, placeholder=" …", break_on_hyphens=False
    )


def summary(record: Record) -> str:
    """Returns about ten lines of plain text: progress, the best trial, the baselines, where the results lie."""
    states = ", ".join(f"{count} {state}" for state, count in count_states(record).items())
    lines = [f"{record.folder}: {progress(record)} ({states})"]
    best = record.best
    if not record.metric.is_measured:
        lines.append("a refit: it trains on its validation images too, so no number says how good it is")
    elif best is None:
        lines.append("best: no trial is COMPLETE yet")
    else:
        lines += [f"best: {trial_line(record, best)}", f"  {config_text(best.config)}", f"  {caution(record, best)}"]
    if test_sentence := held_out.sentence(record):
        lines.append(f"test: {test_sentence}")
    for trial in baselines(record):
        lines.append(f"baseline {trial.baseline}: {trial_line(record, trial)}")
    if trials_by_reason := failures(record):
        lines.append("failures: " + ", ".join(f"{len(trials)} {reason}" for reason, trials in trials_by_reason.items()))
    for label, name in FILES.items():
        if (record.folder / name).exists():
            lines.append(f"{label}: {record.folder / name}")
    return "\n".join(lines)


def trial_line(record: Record, trial: TrialRecord) -> str:
    """Returns a trial's value in words, with its metric, epoch, number and state."""
    name = f"trial {trial.number}" + ("" if trial.state == State.COMPLETE else f", {trial.state}")
    if trial.value is None:
        return f"no value ({name})"
    return f"{record.metric.words} {trial.value:z.4f} {trial.reached} ({name})"


def watch(sweep: Path, console: Console | None = None) -> None:
    """Shows the status until the sweep has ended, updated in place; without a terminal, prints it at each change."""
    console = console or Console(force_terminal=sys.stdout.isatty())
    if not console.is_terminal:
        last_text = ""
        for text in _status_texts(sweep):
            if text != last_text:
                print(text, end="\n\n", flush=True)
                last_text = text
        return
    with Live(console=console, auto_refresh=False) as live:
        for text in _status_texts(sweep):
            live.update(Text(fitted(text, *console.size)), refresh=True)


def _status_texts(sweep: Path) -> Iterator[str]:
    while True:
        store_of(sweep).fetch(sweep, whole=False)
        text, is_ended = status_text(sweep)
        yield text
        if is_ended:
            return
        time.sleep(WATCH_SECONDS)


def _running(trial: TrialRecord, folds: int | None) -> str:
    value = f", {trial.value:z.4f}" if trial.value is not None else ""
    config = trial.config
    step = f"epoch {trial.epochs} of {config.get('epochs')}" if folds is None else f"{trial.folds} of {folds} folds"
    return f"trial {trial.number} ({config.get('arch')}, {step}{value})"


def _nodes(record: Record) -> list[str]:
    """Returns, for each node of a cluster, a line about the trials that run or ended there; none without one."""
    lines = []
    for node in sorted({trial.node for trial in record.trials if trial.node}):
        trials = [trial for trial in record.trials if trial.node == node]
        running = [str(trial.number) for trial in trials if trial.state == State.RUNNING and not trial.is_paused]
        ended = sum(trial.state != State.RUNNING for trial in trials)
        lines.append(
            f"node {plain(node)}: runs {', '.join(running) or 'nothing'}; {counted(ended, 'trial')} ended there"
        )
    return lines


def _time_left(record: Record) -> str:
    """Returns the time left, in words, by the pace of the trials that ended since the driver started.

    It is empty while trials are paused, because those end together, and with a budget of epochs, because it is not
    known for how many trials the budget is enough.
    """
    if record.settings.budget_epochs or any(trial.is_paused for trial in record.trials):
        return ""
    start = datetime.fromisoformat(record.file.starts[-1].time)
    ended = [trial.ended_at for trial in record.trials if trial.ended_at]
    moments = [moment for moment in ended if moment >= start]
    trials_left = record.trials_wanted - len(ended)
    if not moments or trials_left <= 0:
        return ""
    return f"; about {duration((max(moments) - start).total_seconds() / len(moments) * trials_left)} left"
