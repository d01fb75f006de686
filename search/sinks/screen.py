"""Shows a running sweep to a person: as a live table on a terminal, and as plain lines elsewhere."""

import math
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sweep.analysis.report.contents import duration, plain, value_text
from sweep.search.runtime.ledger import state_of
from sweep.search.sinks import Begun, Sink
from sweep.storage.states import Reason, State
from sweep.storage.text import counted
from sweep.trainable.config import TrialConfig
from sweep.trainable.features import Prepared
from sweep.trainable.metrics import named
from sweep.trainable.metrics.history import EpochMetrics
from sweep.trainable.models import unread_fields
from sweep.trainable.worker.order import Order

PROGRESS_SECONDS = 10.0  # between two lines on the progress of a computation, if there is no table
ENDED_SHOWN = 8  # table rows for the trials that ended last
COLOURS = {State.COMPLETE: "green", State.PRUNED: "yellow", State.FAIL: "red", State.RUNNING: "cyan"}


@dataclass
class TrialLine:
    """A row of the table, which shows one trial."""

    number: int
    state: State
    config: TrialConfig | None  # None if the space had no config for the trial
    name: str  # the name of a published run
    started: float
    steps: int = 1
    step: int = 0  # the last epoch, or with folds the last fold, that is finished
    value: float | None = None
    seconds: float = 0.0  # its own time without waiting, set when it has ended or is paused
    note: str = ""
    message: str = ""  # the reason if there is no config
    how_far: Prepared | None = None  # the computation, shared with other trials, that it waits for
    waiting_seconds: float = 0.0
    reported_at: float = 0.0  # when its last report came
    training_seconds: float = 0.0  # of the epochs that it has reported

    def __post_init__(self) -> None:
        self.reported_at = self.started

    def own_seconds(self, now: float) -> float:
        """Returns how many seconds the trial has run so far, without its waiting."""
        return now - self.started - self.waiting_seconds

    def left_seconds(self, now: float) -> float:
        """Returns how long the rest of its steps takes at the pace of its finished steps; 0 before the first."""
        return self.own_seconds(now) / self.step * (self.steps - self.step) if self.step else 0.0

    def count(self, now: float, history: list[EpochMetrics]) -> None:
        """Takes in a report.

        If the trial waited for a computation, the time since the last report counts as waiting, except for the time of
        the epochs.
        """
        training_seconds = math.fsum(metrics.seconds for metrics in history)
        if self.how_far:
            self.waiting_seconds += max(0.0, now - self.reported_at - (training_seconds - self.training_seconds))
        if training_seconds > self.training_seconds:
            self.how_far = None
        self.reported_at, self.training_seconds = now, training_seconds

    @property
    def progress(self) -> str:
        """The finished steps of all steps, such as `3/20`; empty if there is no config."""
        return f"{self.step}/{self.steps}" if self.config else ""

    @property
    def about(self) -> str:
        """Says what is trained or computed, or why nothing can be trained."""
        text = in_short(self.config) if self.config else self.message
        text = f"{self.how_far}" if self.how_far else text
        return f"{self.name}: {text}" if self.name else text


class Screen(Sink):
    """Shows a table that follows the sweep on a terminal; elsewhere prints a line when a trial ends or pauses."""

    def __init__(self, begun: Begun) -> None:
        self.trials, self.metric, self.names, self.out = begun.trials, named(begun.metric), begun.names, begun.out
        self.folds, self.step_word = begun.folds, "fold" if begun.folds else "epoch"
        # Only the file decides, because FORCE_COLOR in the environment would draw a live table into a log.
        self.console = Console(file=self.out, force_terminal=self.out.isatty())
        self.started_at = time.monotonic()
        self.cheap = begun.cheap
        self.printed_at: dict[str, float] = {}  # when the progress of each computation was last printed
        self.rows: dict[int, TrialLine] = {}
        self.last_ended: deque[TrialLine] = deque(maxlen=ENDED_SHOWN)
        self.ended_here = 0
        self.ended_before = len(begun.ended)
        self.paused_rows: dict[int, TrialLine] = {}
        self.paused_before = set(begun.paused)
        self.budget_epochs, self.epochs = begun.budget_epochs, dict(begun.epochs)
        self.best: tuple[int, float] | None = None
        for trial in begun.ended:
            self._count_best(trial)
        self._begin_pace()
        self.live = Live(
            get_renderable=self._render,
            console=self.console,
            refresh_per_second=2,
            transient=True,
            redirect_stdout=False,  # both streams go to the sweep's log already
            redirect_stderr=False,
        )

    def opened(self) -> None:
        """Starts the live table on a terminal."""
        if self.console.is_terminal:
            self.live.start()

    def closed(self) -> None:
        """Ends the live table, and prints its last state."""
        if self.console.is_terminal:
            self.live.stop()
            self.console.print(self._render())

    def started(self, order: Order) -> None:
        """Adds the row of a trial, or continues that of a paused one."""
        name = self.names.get(order.number, "")
        steps = self.folds or order.config.epochs
        self.paused_before.discard(order.number)
        now = time.monotonic()
        row = self.paused_rows.pop(order.number, None)
        if row is None:
            row = TrialLine(order.number, State.RUNNING, order.config, name, now, steps)
        row.started, row.reported_at = now - row.seconds - row.waiting_seconds, now
        self.rows[order.number] = row

    def prepared(self, number: int, how_far: Prepared) -> None:
        """Shows the progress of a computation; without a table at most every `PROGRESS_SECONDS`."""
        if number in self.rows:
            self.rows[number].how_far = how_far
        if all(row.how_far for row in self.rows.values()):  # every trial waits; later ones will not wait for this
            self._begin_pace()
        is_due = time.monotonic() - self.printed_at.get(how_far.what, -math.inf) >= PROGRESS_SECONDS
        if is_due and not self.console.is_terminal:
            self.printed_at[how_far.what] = time.monotonic()
            self.announced(f"{how_far}"[0].upper() + f"{how_far}"[1:])

    def progressed(self, number: int, history: list[EpochMetrics]) -> None:
        """Shows the newest value of a trial."""
        self.epochs[number] = len(history)
        if (row := self.rows.get(number)) and row.config:
            values = self.metric.of_steps(history, row.config.epochs)
            row.step, row.value = len(values), self._measured_value(values[-1] if values else None)
            row.count(time.monotonic(), history)

    def paused(self, trial: FrozenTrial) -> None:
        """Moves a trial to the paused ones, and prints a line for it if there is no table."""
        row = self._row_of(trial)
        row.seconds = row.own_seconds(time.monotonic())
        self.paused_rows[trial.number] = row
        if not self.console.is_terminal:
            self.announced(f"[{self._done_text()}] {self._line(row, 'paused')}{self._best_text()}{self._left_text()}")

    def ended(self, trial: FrozenTrial) -> None:
        """Moves a trial to the ended ones, and prints a line for it if there is no table."""
        self.ended_here += 1
        self._count_best(trial)
        self.paused_before.discard(trial.number)
        row = self.paused_rows.pop(trial.number, None)
        if row is None:
            row = self._row_of(trial)
            row.seconds = row.own_seconds(time.monotonic())
        row.state = state_of(trial)
        row.note = trial.user_attrs.get("reason", "") if row.state is State.FAIL else ""
        self.last_ended.append(row)
        if self.ended_before + self.ended_here == self.cheap:
            self._begin_pace()
        if not self.console.is_terminal:
            self.announced(f"[{self._done_text()}] {self._line(row, row.state)}{self._best_text()}{self._left_text()}")

    def _row_of(self, trial: FrozenTrial) -> TrialLine:
        """Removes the row of a trial that no longer runs from the running ones, and returns it with its last values."""
        row = self.rows.pop(trial.number, None)
        if row is None:  # its worker had sent its last report before this start ordered it
            has_no_config = trial.user_attrs.get("reason") == Reason.NO_CONFIG
            config = None if has_no_config else TrialConfig.from_dict(trial.user_attrs["config"])
            row = TrialLine(trial.number, State.RUNNING, config, self.names.get(trial.number, ""), time.monotonic())
            row.steps = self.folds or (config.epochs if config else 1)
            row.message = plain(trial.user_attrs.get("message", ""))
        values = list(trial.intermediate_values.values())
        self.epochs[trial.number] = len(values) * (row.config.epochs if row.config and self.folds else 1)
        row.step, row.value = len(values), self._measured_value(values[-1] if values else None)
        return row

    def announced(self, message: str) -> None:
        """Prints a message."""
        if self.console.is_terminal:
            self.console.print(message, markup=False, highlight=False)
        else:
            with suppress(OSError):  # the reader of the output is gone, but the sweep continues
                print(message, file=self.out, flush=True)

    def _measured_value(self, value: float | None) -> float | None:
        """Returns the value, or None in a refit, where the value is only the number of an epoch."""
        return value if self.metric.is_measured else None

    def _count_best(self, trial: FrozenTrial) -> None:
        value = self._measured_value(trial.value) if trial.state == TrialState.COMPLETE else None
        if value is not None and (self.best is None or self.metric.is_better(value, self.best[1])):
            self.best = (trial.number, value)

    def _best_text(self) -> str:
        return f" | best {self.best[1]:z.4f} (trial {self.best[0]})" if self.best else ""

    @property
    def _paused(self) -> int:
        return len(self.paused_rows) + len(self.paused_before)

    def _done_text(self) -> str:
        """Returns how far the sweep is, in trials and with a budget in epochs.

        Examples are `9/50`, `9/50, 14 paused` and, for a budget, `9, 14 paused, 210/400 epochs`.
        """
        ended = f"{self.ended_before + self.ended_here}"
        text = ended if self.budget_epochs else f"{ended}/{self.trials}"
        text += f", {self._paused} paused" if self._paused else ""
        return f"{text}, {sum(self.epochs.values()):,}/{self.budget_epochs:,} epochs" if self.budget_epochs else text

    @property
    def _trials_done(self) -> int:
        """The trials that have ended or wait at a rung; most of the latter will not continue."""
        return self.ended_before + self.ended_here + self._paused

    @property
    def _running_parts(self) -> float:
        """The sum of the parts of the running trials that are done, each from 0 to 1."""
        return sum(row.step / row.steps for row in self.rows.values())

    def _begin_pace(self) -> None:
        """Lets only what is done from now on predict how long the rest takes."""
        self.paced_at, self.done_before = time.monotonic(), self._trials_done
        self.parts_before = self._running_parts

    def _left_text(self) -> str:
        """Returns how long the rest will take; empty if that cannot be told yet.

        The pace is that of the trials since this start, or since the cheap first trials ended, or since all running
        trials waited for a computation. A running trial counts by the part of it that is done, because the first long
        trials end late, and the rest would seem much longer than it is until then. Once no trial begins any more, the
        longest running one decides: the last ones are often the expensive ones, which the cheap trials before them say
        nothing about. With a budget of epochs the text is empty, because the number of trials is not known.
        """
        trials_done, running_parts, now = self._trials_done, self._running_parts, time.monotonic()
        trials_left = self.trials - trials_done
        is_cheap = self.ended_before + self.ended_here <= self.cheap < self.trials
        paced_trials = trials_done + running_parts - self.done_before - self.parts_before
        is_known = trials_done > self.done_before and paced_trials > 0  # a paused trial that continues takes some back
        if self.budget_epochs or not is_known or trials_left <= 0 or is_cheap:
            return ""
        seconds = (now - self.paced_at) / paced_trials * (trials_left - running_parts)
        if trials_left <= len(self.rows):
            seconds = max([seconds, *(row.left_seconds(now) for row in self.rows.values())])
        return f" | about {duration(seconds)} left"

    def _line(self, row: TrialLine, state: str) -> str:
        if row.config is None:
            return f"trial {row.number} {state} {row.note}, the space has no config for it: {row.about}"
        name = f" ({row.name})" if row.name else ""
        value = f"{self.metric.label} {row.value:z.4f}" if row.value is not None else ""
        value = " ".join(filter(None, (row.note, value)))
        return (
            f"trial {row.number}{name} {state} {value} after {row.step}/{counted(row.steps, self.step_word)}, "
            f"{row.seconds:.0f} s: {in_short(row.config)}"
        )

    def _render(self) -> Group:
        table = Table(box=None, pad_edge=False, expand=True)
        metric = self.metric.label if self.metric.is_measured else ""
        for heading, justify in (("trial", "right"), ("state", "left"), (self.step_word, "right"), (metric, "right")):
            table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]
        table.add_column("time", justify="right", no_wrap=True)
        table.add_column("config", overflow="ellipsis", no_wrap=True, ratio=1)
        now = time.monotonic()
        for row in [*self.last_ended, *sorted(list(self.rows.values()), key=lambda row: row.number)]:
            seconds = row.own_seconds(now) if row.state is State.RUNNING else row.seconds
            table.add_row(
                str(row.number),
                Text(f"{row.state} {row.note}".strip(), style=COLOURS[row.state]),
                row.progress,
                "" if row.value is None else f"{row.value:z.4f}",
                duration(seconds),
                row.about,
            )
        total, completed = self.trials, self._trials_done
        if self.budget_epochs:
            total, completed = self.budget_epochs, sum(self.epochs.values())
        time_taken = duration(now - self.started_at)
        foot = f"trials: {self._done_text()}{self._best_text()} | {time_taken}{self._left_text()}"
        return Group(table, Text(foot), ProgressBar(total=total, completed=completed))


new = Screen


def in_short(config: TrialConfig) -> str:
    """Returns what distinguishes a config at a glance.

    An example is `small_resnet width 2.6 depth 1, nesterov onecycle lr 0.1, batch 128`.
    """
    unread = unread_fields(config.arch)
    net = [config.arch]
    net += [f"{name} {value:z.2g}" for name in ("width", "depth") if (value := getattr(config, name))]
    net += [f"on {config.backbone}"] if config.backbone else []
    net += [f"at {config.input_size} px"] if config.input_size else []
    fields = [(name, getattr(config, name)) for name in ("stages", "pooling", "penalty", "hidden", "frozen_stages")]
    settings = [f"{name} {value_text(value)}" for name, value in fields if value is not None]
    if "lr" not in unread:
        rate = [getattr(config, name) for name in ("optimizer", "schedule") if name not in unread]
        settings += [f"{' '.join(rate)} lr {config.lr:.2g}", f"batch {config.batch_size}"]
    return ", ".join([" ".join(net), *settings])
