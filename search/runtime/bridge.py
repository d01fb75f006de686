"""Decides which trial runs next and what a report means; stands between the ledger and the executor of trials.

It knows nothing of Ray: the tests drive it with a fake executor, and `search/ray/executor.py` drives it with Ray Tune.
"""

import errno
import os
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from optuna.trial import TrialState

from sweep.search.runtime import trial_files
from sweep.search.runtime.draws import Draws, Plan
from sweep.search.runtime.kept_folds import keep_folds, written_report_of_folds
from sweep.search.runtime.ledger import Ledger
from sweep.search.sinks import Sink
from sweep.search.spaces.space import NoConfigError, Space
from sweep.storage import paths
from sweep.storage.journal import JournalError
from sweep.storage.programs import spelled
from sweep.storage.states import Reason, Stop
from sweep.storage.text import counted
from sweep.trainable.config import TrialConfig
from sweep.trainable.metrics import named
from sweep.trainable.metrics.history import EpochMetrics
from sweep.trainable.worker.order import Order, hung_stacks
from sweep.trainable.worker.report import Failure, Report

REPORTS_A_SECOND = 20  # of all trials together, at most: Ray Tune needs 10 to 20 ms for each


@dataclass
class Bridge:
    """The state machine of a sweep.

    A trial is drawn, ordered, reported on any number of times, and ended once, which the ledger records. If its worker
    is lost, the trial is ordered again as its next attempt. A report is ignored unless it is of the newest attempt.

    A trial that is not among the best at its rung gives its worker away: it is paused, and ordered again once it is
    among them. Under the pruners of older sweeps it ends there.

    Attributes:
      space: what the sampler draws from; None where the queue holds every config whole.
      running: the attempt that runs, by trial number.
      waiting: the numbers of the trials that are ordered again before anything else.
      concurrency: how many trials may run at the same time; 0 for any number, each reporting as often as it can.
      has_gained: whether any report came since the driver started. Until then the deadline stops nothing, so that each
        start makes some progress even if the time budget is shorter than the start itself.
      is_stuck: whether no trial finds a place to run, which the executor sees; then the deadline applies in any case.
      stopping: why nothing new is ordered and running trials stop at their next report; None until then.
      stopping_words: the same reason, worded for people.
      notes: the notes on trials that people have been told.
    """

    folder: Path
    ledger: Ledger
    space: Space | None
    plan: Plan
    watcher: Sink
    running: dict[int, int] = field(default_factory=dict)
    waiting: deque[int] = field(default_factory=deque)
    stopping: Stop | None = None
    stopping_words: str = ""
    told_of_stopping: bool = False
    has_gained: bool = False
    is_stuck: bool = False
    failures_in_a_row: int = 0
    infeasible_in_a_row: int = 0  # in the order of draws, because trials that run meanwhile say nothing of the space
    concurrency: int = 0
    notes: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.draws = Draws(self.ledger, self.space, self.plan, self.watcher)
        self.best_weights = trial_files.BestWeights(self.folder, self.plan.metric, self.plan.kept_of_kind)

    def recover(self) -> None:
        """Brings the ledger up to what workers had written when the last driver ended.

        A trial whose result is there is ended in the ledger; any other waits to be ordered again from its newest
        checkpoint. The folder of a paused trial is not read, because its worker may have trained beyond its rung.

        Raises:
          JournalError: a trial ended in its folder, but the ledger has it as RUNNING.
        """
        ended_trials = [trial for trial in self.ledger.trials if trial.state.is_finished()]
        for trial in ended_trials:
            trial_files.remove_attempts(paths.trial_folder(self.folder, trial.number))
        self.best_weights.recover(ended_trials)
        paused = self.ledger.paused
        for trial in self.ledger.trials:
            folder = paths.trial_folder(self.folder, trial.number)
            if trial.state.is_finished():
                continue
            if paths.has_ended(folder):
                raise JournalError(
                    self.folder,
                    f"trial {trial.number} is RUNNING in the ledger and ended in {folder}: the ledger lost its end",
                    f"`{spelled('check')} {self.folder} --repair`",
                )
            if trial.number in paused:
                continue
            attempt = trial.user_attrs["attempt"]
            self.running[trial.number] = attempt
            if not self._is_held_back(trial.number):  # killed after a rung's value was written and before its decision
                self._take_report(trial.number, self._written_report(folder, attempt))
            if trial.number in self.running:
                self._wait(trial.number)
        if not self.waiting:
            self._promote()

    def next_order(self) -> Order | None:
        """Returns the next order to run, or None if there is none now or will be none any more."""
        self.tick()
        is_full = self.concurrency and len(self.running) >= self.concurrency
        if is_full or self.stopping or any(self._is_alone(number) for number in self.running):
            return None
        if not self.waiting:
            self._promote()
        if self.waiting and self._is_alone(self.waiting[0]) and self.running:
            return None  # it waits until it has the machine to itself
        if self.waiting:
            number = self.waiting.popleft()
            if self.node_of(number):  # the earlier attempt's node, whose fate says nothing of the next attempt
                self.ledger.set(number, "node", "")
            self.ledger.set(number, "attempt", self.ledger.trial(number).user_attrs["attempt"] + 1)
        elif (new_number := self._draw()) is not None:
            number = new_number
        else:
            return None
        self._check_folder()
        attributes = self.ledger.trial(number).user_attrs
        config = TrialConfig.from_dict(attributes["config"])
        folder = paths.trial_folder(self.folder, number)
        trial_files.write_config(folder, config)
        trial_files.remove_superseded(folder, attributes["attempt"])
        self.running[number] = attributes["attempt"]
        spacing = min(self.concurrency, self.plan.trials) / REPORTS_A_SECOND
        order = Order(
            number, attributes["attempt"], config, folder, self.plan.metric, self.ledger.rungs(config.epochs), spacing
        )
        self.watcher.started(order)
        return order

    @property
    def has_more(self) -> bool:
        """Whether anything is left to be ordered."""
        return bool(self.waiting or self.ledger.paused) or self.draws.has_more

    @property
    def finished(self) -> bool:
        """Whether nothing runs and nothing more will be ordered."""
        return not self.running and (bool(self.stopping) or not self.has_more)

    def report(self, number: int, report: Report) -> bool:
        """Takes a report, or ignores it if it is not of the running attempt.

        Returns:
          Whether the executor is to stop the trial.

        Raises:
          OSError: the sweep's folder is gone, or the worker could not read or write its files.
        """
        if self.running.get(number) != report.attempt:
            return True
        self._check_folder()
        self._take_report(number, report)
        self.has_gained = True
        self.tick()
        return number not in self.running or bool(self.stopping)

    def _take_report(self, number: int, report: Report) -> None:
        """Records a report of the trial's newest attempt.

        Every step that the ledger lacks is written in order, and the pruner is asked at each rung, so that several
        steps in one report are pruned as if they came one at a time. A step is an epoch, or with folds a whole fold.
        If the trial is paused or ended at a rung, the rest of the report is dropped, a failure in it too.

        Raises:
          OSError: the worker could not read or write the files of the sweep.
        """
        failure = report.failure
        if failure and failure.reason is Reason.STORAGE:
            raise OSError(f"{failure.message} (trial {number}, on its worker)")
        if failure and failure.reason is Reason.HOST_MEMORY:
            self.out_of_memory(number, report.attempt, failure.message)
            return
        self._take_note(number, report.note)
        metric = named(self.plan.metric)
        trial = self.ledger.trial(number)
        epochs = trial.user_attrs["config"]["epochs"]
        values, rungs, new_values = metric.of_steps(report.history, epochs), self.ledger.rungs(epochs), {}
        for step in range(len(trial.intermediate_values) + 1, len(values) + 1):
            new_values[step] = values[step - 1]
            if step in rungs or step == len(values):
                self.ledger.report(number, new_values)
                if self._is_held_back(number):
                    return
                new_values = {}
        if report.prepared:
            self.watcher.prepared(number, report.prepared)
        self.watcher.progressed(number, report.history)
        if failure:
            self._fail(number, failure, report.history)
        elif report.done:
            self._complete(number)

    def _take_note(self, number: int, note: str) -> None:
        """Keeps what people should know about how a trial is trained; each text is shown once, for the first trial."""
        if note == self.ledger.trial(number).user_attrs.get("note", ""):
            return
        self.ledger.set(number, "note", note)
        if note and note not in self.notes:
            self.watcher.announced(f"trial {number}: {note}")
            self.notes.add(note)

    def _check_folder(self) -> None:
        """Checks that the sweep's folder is still there, because a write would make a part of it anew.

        Raises:
          FileNotFoundError: the sweep's folder was deleted or moved.
        """
        if not self.folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.folder))

    def placed(self, number: int, attempt: int, node: str) -> None:
        """Notes the node of a cluster whose worker has the attempt."""
        if self.running.get(number) == attempt:
            self.ledger.set(number, "node", node)

    def node_of(self, number: int) -> str:
        """Returns the node that the trial's newest attempt runs or ended on; empty if it is not known."""
        return str(self.ledger.trial(number).user_attrs.get("node", ""))

    def lost(self, number: int, attempt: int, message: str, is_drained: bool = False) -> None:
        """Takes note that an attempt's worker is gone: the trial waits for its next attempt, or FAILs after its last.

        Args:
          is_drained: the worker's node was taken away as planned, which does not count as one of the `attempts`.
        """
        if self.running.get(number) != attempt:
            return
        if is_drained:
            self.moved(number, attempt, "its node was drained")
            return
        stacks = hung_stacks(paths.trial_folder(self.folder, number), attempt)
        reason = Reason.NO_PROGRESS if stacks else Reason.WORKER_LOST
        losses = self.ledger.trial(number).user_attrs.get("losses", 0) + 1
        self.ledger.set(number, "losses", losses)
        if losses >= self.plan.attempts:
            attempts = "its only attempt ended with its" if losses == 1 else f"{losses} attempts ended with their"
            self._fail(number, Failure(reason, f"{attempts} worker: {message}", stacks))
        else:
            self.watcher.announced(f"trial {number}: {reason} in attempt {attempt}, goes on from its newest checkpoint")
            self._wait(number)

    def moved(self, number: int, attempt: int, why: str) -> None:
        """Lets a trial that cannot stay on its node wait for another; this does not count as one of its `attempts`."""
        if self.running.get(number) == attempt:
            self.watcher.announced(f"trial {number}: {why}, goes on elsewhere from its newest checkpoint")
            self._wait(number)

    def out_of_memory(self, number: int, attempt: int, message: str) -> None:
        """Takes note that an attempt ran out of its node's memory: the trial gets one more, alone, and then FAILs."""
        if self.running.get(number) != attempt:
            return
        first = self.ledger.trial(number).user_attrs.get("out_of_memory_in", attempt)
        if first != attempt:
            self._fail(number, Failure(Reason.OUT_OF_MEMORY, f"alone on its node as well: {message}"))
            return
        self.ledger.set(number, "out_of_memory_in", attempt)
        self.watcher.announced(f"trial {number}: out of memory in attempt {attempt}, tried once more alone ({message})")
        self._wait(number)

    def released(self, number: int, attempt: int) -> None:
        """Takes note that the executor ended the attempt as it was told to."""
        if self.running.get(number) == attempt:
            del self.running[number]

    def stop(self, why: Stop, words: str = "") -> None:
        """Lets the sweep come to its end; only the first call counts, and a signal handler may make it.

        Args:
          words: the reason that people are told and `sweep.json` keeps; by default the text of `why`.
        """
        if self.stopping is None:
            self.stopping, self.stopping_words = why, words or why

    def tick(self) -> None:
        """Checks whether the deadline has passed, and tells once that the sweep is stopping; must be called often."""
        is_over = self.plan.deadline is not None and time.monotonic() >= self.plan.deadline
        if is_over and (self.has_gained or self.is_stuck):
            self.stop(Stop.TIME_BUDGET)
        if self.stopping and not self.told_of_stopping:
            self.told_of_stopping = True
            self.watcher.announced(f"Stopping ({self.stopping_words}): running trials are saved first.")

    def _draw(self) -> int | None:
        """Returns the number of a new trial, or None if there are to be none; a draw without a config ends at once."""
        while self.draws.has_room(self.running) and not self.stopping:
            try:
                number = self.draws.draw()
            except NoConfigError as error:
                self._add_infeasible(str(error))
            else:
                self.infeasible_in_a_row = 0
                return number
        return None

    def _add_infeasible(self, message: str) -> None:
        """Records a draw without a config as a FAIL trial; stops the sweep after `max_failures` of them in a row."""
        number = self.draws.add_infeasible(message)
        self.watcher.ended(self.ledger.trial(number))
        self.infeasible_in_a_row += 1
        if self.infeasible_in_a_row >= self.plan.max_failures:
            draws = f"{self.infeasible_in_a_row} draws in a row"
            self.stop(Stop.NO_CONFIG, f"the space has no config for {draws}, the last one: {message}")

    def _is_held_back(self, number: int) -> bool:
        """Asks the pruner at a rung whether the trial continues; returns True if it was paused or ended there.

        The pruner is not asked again about a trial that has passed a rung, however often the driver starts.
        """
        if not self.ledger.is_at_rung(number):
            return False
        if not self.ledger.should_prune(number):
            self.ledger.let_on(number)
            return False
        if self.ledger.pruner.pauses:
            del self.running[number]
            self.failures_in_a_row = 0
            self.watcher.paused(self.ledger.trial(number))
        else:
            self._end_pruned(number)
        return True

    def _promote(self) -> None:
        """Queues the paused trial that may continue next, if there is one; ends the paused trials if none ever will.

        The ledger records the decision before the trial is ordered.
        """
        if not (paused := self.ledger.paused):
            return
        is_last = not any(map(self._has_rung_ahead, self.running)) and not self.draws.has_room(self.running)
        if numbers := self.ledger.promoted(is_last):
            self.ledger.let_on(numbers[0])
            self.waiting.append(numbers[0])
        elif is_last and not self.draws.has_more:
            for number in paused:
                self._end_pruned(number)

    def _has_rung_ahead(self, number: int) -> bool:
        trial = self.ledger.trial(number)
        return any(
            step > len(trial.intermediate_values) for step in self.ledger.rungs(trial.user_attrs["config"]["epochs"])
        )

    def _end_pruned(self, number: int) -> None:
        # Without a whole checkpoint its predictions are lost. They are not worth another attempt: its value counts.
        self._keep(number, len(self.ledger.trial(number).intermediate_values), with_weights=False)
        self._end(number, TrialState.PRUNED, Failure(Reason.NOT_AMONG_THE_BEST, ""))

    def _complete(self, number: int) -> None:
        trial = self.ledger.trial(number)
        folder = paths.trial_folder(self.folder, number)
        steps = len(trial.intermediate_values)
        value = trial.intermediate_values[steps]
        is_best = self.best_weights.would_stay(trial, value)
        if not self._keep(number, steps, with_weights=is_best):
            # The result is there but its checkpoint is damaged, so the attempt counts as lost, and the trial goes on.
            checkpoint = "net of each fold" if self.plan.folds else f"checkpoint of epoch {steps}"
            self.lost(number, self.running[number], f"no whole {checkpoint} in {folder}")
            return
        self._end(number, TrialState.COMPLETE, value=value)

    def _keep(self, number: int, steps: int, with_weights: bool) -> bool:
        """Keeps the files of a trial's newest attempt, up to this step; returns False if they are not whole."""
        folder, attempt = paths.trial_folder(self.folder, number), self.ledger.trial(number).user_attrs["attempt"]
        if self.plan.folds:
            return keep_folds(folder, attempt, steps, self.plan.folds, with_weights)
        return trial_files.keep(folder, attempt, steps, with_weights)

    def _written_report(self, folder: Path, attempt: int) -> Report:
        if self.plan.folds:
            return written_report_of_folds(folder, attempt)
        return trial_files.written_report(folder, attempt)

    def _fail(self, number: int, failure: Failure, history: list[EpochMetrics] | None = None) -> None:
        """Ends a trial as FAIL, and keeps its history and log.

        Args:
          history: the epochs that the attempt reported; None if its worker died without a last report.
        """
        folder = paths.trial_folder(self.folder, number)
        if history is not None:
            trial_files.write_history(folder, history)
        if history is None or not self.plan.folds:  # with folds, nothing but the history is kept
            self._keep(number, len(self.ledger.trial(number).intermediate_values), with_weights=False)
        if failure.log:
            trial_files.write_log(folder, failure.log)
        self._end(number, TrialState.FAIL, failure)

    def _end(self, number: int, state: TrialState, failure: Failure | None = None, value: float | None = None) -> None:
        if failure:
            self.ledger.set(number, "reason", failure.reason)
        if failure and failure.message:
            self.ledger.set(number, "message", failure.message)
        self.ledger.tell(number, state, value)
        self.running.pop(number, None)  # a paused trial is not in it
        self.has_gained = True
        trial_files.remove_attempts(paths.trial_folder(self.folder, number))
        if value is not None:
            self.best_weights.add(self.ledger.trial(number), value)
        self.failures_in_a_row = self.failures_in_a_row + 1 if state == TrialState.FAIL else 0
        self.watcher.ended(self.ledger.trial(number))
        if failure and self.failures_in_a_row >= self.plan.max_failures:
            failures = f"{counted(self.failures_in_a_row, 'trial')} in a row failed"
            self.stop(Stop.FAILURES, f"{failures}, the last because: {failure.reason}: {failure.message}")

    def _is_alone(self, number: int) -> bool:
        """Returns whether nothing may run beside the trial, because it ran out of memory before."""
        return "out_of_memory_in" in self.ledger.trial(number).user_attrs

    def _wait(self, number: int) -> None:
        self.running.pop(number, None)
        self.waiting.append(number)
