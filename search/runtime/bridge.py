"""Between the ledger and whatever executes trials: what runs next, and what a report means.

Knows no Ray: the tests drive it with a fake executor, `search/ray/executor.py` with Tune.
"""

import errno
import os
import time
from bisect import bisect, insort
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from analysis.record import trial_folder
from search import samplers
from search.pruners import NOT_AMONG_THE_BEST
from search.runtime import trial_files
from search.runtime.ledger import NO_CONFIG, Ledger
from search.runtime.memory import Limit
from search.runtime.queue import Queue, family_of_draw
from search.samplers import new_sampler
from search.spaces.space import NoConfigError, Space, with_seed
from storage.bucket import address_of
from storage.files import read_json
from storage.journal import JournalError
from storage.text import counted
from trainable.config import ConfigError, TrialConfig
from trainable.metrics import named
from trainable.metrics.history import read_history
from trainable.worker.order import Order, attempt_folder, hung_stacks, newest_checkpoints

MOST_DRAWS = 200  # of one trial, for configs that need more memory than there is
REPORTS_A_SECOND = 20  # of all trials together, at most: Ray Tune needs 10 to 20 ms for each


class Watcher(Protocol):
    """Told of everything that a person may want to see."""

    def started(self, order: Order) -> None: ...
    def progressed(self, number: int, history: list[dict[str, Any]]) -> None: ...
    def ended(self, trial: FrozenTrial) -> None: ...
    def said(self, message: str) -> None: ...


@dataclass(frozen=True)
class Plan:
    """What a driver was asked for.

    Attributes:
      trials: of the sweep in total.
      queue: the configs that run first, or every config there is to be.
      sampler_version: the number of the sampler, as `sweep.json` has it.
      families: the architectures of which each gets a share of the first draws; empty leaves that to the sampler.
      limit: the memory that a drawn config may take; None for any.
      attempts: a trial lost so often with its worker is a FAIL.
      max_failures: so many FAILs in a row stop the sweep, and so do draws in a row for which the space has no config.
      deadline: on `time.monotonic()`; None for no limit.
    """

    trials: int
    seed: int
    metric: str
    sampler: str
    queue: Queue
    sampler_version: int = samplers.NEWEST
    families: tuple[str, ...] = ()
    limit: Limit | None = None
    attempts: int = 3
    max_failures: int = 10
    deadline: float | None = None


@dataclass
class Bridge:
    """The state machine of a sweep.

    A trial is drawn, ordered, reported on any number of times, and ended once: told to
    the ledger, or lost with its worker and ordered again as its next attempt. A report
    of an attempt that is not the trial's newest is ignored.

    Attributes:
      space: what the sampler draws from; None where the queue holds every config whole.
      running: the attempt that runs, by trial number.
      concurrency: trials that may run beside each other; 0 for any number, each reporting as often as it can.
      has_gained: whether a trial got on since the driver started; until then the deadline stops nothing, so that a
        budget shorter than a start gets every start on by a report.
      is_stuck: whether no trial finds a place to run, which the executor sees; then the deadline waits for no report.
      stopping: why nothing new is ordered and running trials stop at their next report; empty while all is well.
    """

    folder: Path
    ledger: Ledger
    space: Space | None
    plan: Plan
    watcher: Watcher
    running: dict[int, int] = field(default_factory=dict)
    waiting: deque[int] = field(default_factory=deque)
    stopping: str = ""
    told_of_stopping: bool = False
    has_gained: bool = False
    is_stuck: bool = False
    failures_in_a_row: int = 0
    infeasible_in_a_row: int = 0  # by the order of draws: trials that run meanwhile say nothing of the space
    concurrency: int = 0
    told_of_slow: set[str] = field(default_factory=set)
    best: list[tuple[float, int]] = field(default_factory=list)  # `_rank` of the trials whose weights stay, in order

    def recover(self) -> None:
        """Brings the ledger up to what workers had written when the last driver ended.

        Trials whose result is there are told; the others wait to be ordered again, from
        their newest checkpoint.
        """
        ended = [trial for trial in self.ledger.trials if trial.state.is_finished()]
        for trial in ended:
            trial_files.remove_attempts(trial_folder(self.folder, trial.number))
        ranks = {self._rank(t.number, t.value) for t in ended if t.state == TrialState.COMPLETE and t.value is not None}
        self.best = sorted(ranks)[: trial_files.KEPT_WEIGHTS]
        self._remove_weights({trial.number for trial in ended} - {number for _, number in self.best})
        for trial in self.ledger.trials:
            folder = trial_folder(self.folder, trial.number)
            if trial.state.is_finished():
                continue
            if (folder / "history.json").exists() and not any(folder.glob("attempt-*")):
                raise JournalError(
                    self.folder,
                    f"trial {trial.number} is RUNNING in the ledger and ended in {folder}: the ledger lost its end",
                    f"`python -m search.check {self.folder} --repair`",
                )
            attempt = trial.user_attrs["attempt"]
            self.running[trial.number] = attempt
            if not self._prune(trial.number):  # killed after a rung's value was written and before its decision
                self._take(trial.number, self._written_report(folder, attempt))
            if trial.number in self.running:
                self._wait(trial.number)

    def next_order(self) -> Order | None:
        """The next thing to run; None where there is nothing now, or nothing more."""
        self.tick()
        if self.concurrency and len(self.running) >= self.concurrency:
            return None
        if self.stopping or any(self._is_alone(number) for number in self.running):
            return None
        if self.waiting and self._is_alone(self.waiting[0]) and self.running:
            return None  # it waits until it has the machine to itself
        if self.waiting:
            number = self.waiting.popleft()
            if self.node_of(number):  # that of the attempt before: what becomes of it says nothing of the next one
                self.ledger.set(number, "node", "")
            self.ledger.set(number, "attempt", self.ledger.trial(number).user_attrs["attempt"] + 1)
        elif (drawn := self._draw()) is not None:
            number = drawn
        else:
            return None
        self._check_folder()
        attributes = self.ledger.trial(number).user_attrs
        config = TrialConfig.from_dict(attributes["config"])
        folder = trial_folder(self.folder, number)
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
        return bool(self.waiting) or len(self.ledger.trials) < self.plan.trials

    @property
    def finished(self) -> bool:
        """Nothing runs and nothing more will be ordered."""
        return not self.running and (bool(self.stopping) or not self.has_more)

    def report(self, number: int, report: dict[str, Any]) -> bool:
        """Takes a report of `trainable.worker.attempt.Attempt`; True: stop the trial."""
        if self.running.get(number) != report["attempt"]:
            return True
        self._check_folder()
        self._take(number, report)
        self.has_gained = True
        self.tick()
        return number not in self.running or bool(self.stopping)

    def _take(self, number: int, report: dict[str, Any]) -> None:
        """Writes what a report of the trial's newest attempt says.

        Every epoch that the ledger lacks is written in order, with the pruner asked at each
        rung, so several epochs in one report prune as one at a time would.
        """
        history, failure = report["history"], report["failure"]
        if failure and failure["reason"] == "storage":
            raise OSError(f"{failure['message']} (trial {number}, on its worker)")
        if failure and failure["reason"] == "host memory":
            self.out_of_memory(number, report["attempt"], failure["message"])
            return
        metric = named(self.plan.metric)
        values = metric.best_so_far([epoch[metric.field] for epoch in history])
        trial = self.ledger.trial(number)
        stops, new = self.ledger.rungs(trial.user_attrs["config"]["epochs"]), {}
        for epoch in range(len(trial.intermediate_values) + 1, len(values) + 1):
            new[epoch] = values[epoch - 1]
            if epoch in stops or epoch == len(values):
                self.ledger.report(number, new)
                if self._prune(number):
                    return
                new = {}
        self.watcher.progressed(number, history)
        if failure:
            trial_files.write_history(trial_folder(self.folder, number), history)
            self._fail(number, **failure)
        elif report["done"]:
            self._complete(number)

    def _check_folder(self) -> None:
        """Raises:
        FileNotFoundError: the sweep's folder was deleted or moved; what is written would make a part of it anew.
        """
        if not self.folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.folder))

    def placed(self, number: int, attempt: int, node: str) -> None:
        """A worker on this node of a cluster has the attempt."""
        if self.running.get(number) == attempt:
            self.ledger.set(number, "node", node)

    def node_of(self, number: int) -> str:
        """The node that the trial's newest attempt runs on, or ended; empty where it is not known."""
        return str(self.ledger.trial(number).user_attrs.get("node", ""))

    def lost(self, number: int, attempt: int, message: str, is_drained: bool = False) -> None:
        """The worker is gone: the trial waits for its next attempt, or FAILs where it has had them all.

        Args:
          is_drained: its node was taken away as planned, which is none of the trial's `attempts`.
        """
        if self.running.get(number) != attempt:
            return
        if is_drained:
            self.watcher.said(f"trial {number}: its node was drained, goes on elsewhere from its newest checkpoint")
            self._wait(number)
            return
        stacks = hung_stacks(trial_folder(self.folder, number), attempt)
        reason = "no progress" if stacks else "worker lost"
        losses = self.ledger.trial(number).user_attrs.get("losses", 0) + 1
        self.ledger.set(number, "losses", losses)
        if losses >= self.plan.attempts:
            attempts = "its only attempt ended with its" if losses == 1 else f"{losses} attempts ended with their"
            self._fail(number, reason, f"{attempts} worker: {message}", stacks)
        else:
            self.watcher.said(f"trial {number}: {reason} in attempt {attempt}, goes on from its newest checkpoint")
            self._wait(number)

    def out_of_memory(self, number: int, attempt: int, message: str) -> None:
        """The node's memory was too small for what ran on it: once more with nothing beside it, then a FAIL."""
        if self.running.get(number) != attempt:
            return
        first = self.ledger.trial(number).user_attrs.get("out_of_memory_in", attempt)
        if first != attempt:
            self._fail(number, "out of memory", f"alone on its node as well: {message}")
            return
        self.ledger.set(number, "out_of_memory_in", attempt)
        self.watcher.said(f"trial {number}: out of memory in attempt {attempt}, tried once more alone ({message})")
        self._wait(number)

    def released(self, number: int, attempt: int) -> None:
        """The executor ended the attempt as it was told to."""
        if self.running.get(number) == attempt:
            del self.running[number]

    def stop(self, reason: str) -> None:
        self.stopping = self.stopping or reason

    def tick(self) -> None:
        """Called often, whatever happens: sees the deadline pass, and tells once that the sweep is stopping."""
        is_over = self.plan.deadline is not None and time.monotonic() >= self.plan.deadline
        if is_over and (self.has_gained or self.is_stuck):
            self.stop("time budget")
        if self.stopping and not self.told_of_stopping:
            self.told_of_stopping = True
            self.watcher.said(f"Stopping ({self.stopping}): running trials are saved first.")

    def _draw(self) -> int | None:
        """The number of a new trial; None where there are to be no more. Draws without a config end at once."""
        while len(self.ledger.trials) < self.plan.trials and not self.stopping:
            try:
                number = self._draw_once()
            except NoConfigError as error:
                self._add_infeasible(str(error))
            else:
                self.infeasible_in_a_row = 0
                return number
        return None

    def _add_infeasible(self, message: str) -> None:
        seed = trial_seed(self.plan.seed, len(self.ledger.trials) - 1)
        # The seed tells whose record it is where the ledger is damaged.
        number = self.ledger.add_failed(
            {"config": {"seed": seed}, "attempt": 0, "reason": NO_CONFIG, "message": message}
        )
        self.watcher.ended(self.ledger.trial(number))
        self.infeasible_in_a_row += 1
        if self.infeasible_in_a_row >= self.plan.max_failures:
            self.stop(f"the space has no config for {self.infeasible_in_a_row} draws in a row, the last one: {message}")

    def _draw_once(self) -> int:
        """Raises:
        NoConfigError: the space has none; the trial is drawn, and not written yet.
        """
        number = len(self.ledger.trials)
        queued = self.plan.queue.get(number)
        sampler = new_sampler(self.plan.sampler, self.plan.seed, number, self.plan.sampler_version)
        if queued and (whole := queued.config) is not None:
            config = self.ledger.draw(sampler, lambda _: TrialConfig.from_dict(whole), {})
        else:
            assert self.space is not None
            family = family_of_draw(number, self.plan.queue, self.plan.families)
            given = queued.params if queued else {"arch": family} if family else {}
            config = self._fitting(number, self.ledger.draw(sampler, self.space.config, given))
            config = with_seed(config, trial_seed(self.plan.seed, number))
        self._tell_of_slow_transforms(number, config)  # before it is written: the pipeline may not be readable
        attributes: dict[str, Any] = {"config": config.to_dict(), "attempt": 1}
        if queued and queued.baseline:
            attributes["baseline"] = queued.baseline
        return self.ledger.add(attributes)

    def _fitting(self, number: int, config: TrialConfig) -> TrialConfig:
        """Draws the trial again until memory is enough for it: the draws before were never written.

        Raises:
          NoConfigError: none of many draws fits.
        """
        assert self.space is not None
        turn, limit = 0, self.plan.limit
        while limit and (why := limit.why_too_large(config)):
            turn += 1
            sampler = new_sampler(self.plan.sampler, self.plan.seed, number, self.plan.sampler_version, turn)
            drawn = self.ledger.draw_again(sampler, self.space.config) if turn < MOST_DRAWS else None
            if drawn is None:
                raise NoConfigError(ConfigError(f"{config.arch} needs {why}"), self.space.function, {})
            config = drawn
        return config

    def _prune(self, number: int) -> bool:
        """At a rung, asks the pruner once: a trial that passed is not asked again, however often the driver starts."""
        trial = self.ledger.trial(number)
        rungs = self.ledger.rungs(trial.user_attrs["config"]["epochs"])
        if "baseline" in trial.user_attrs or trial.last_step not in rungs:
            return False
        if trial.user_attrs.get("passed") == trial.last_step:
            return False
        if not self.ledger.should_prune(number):
            self.ledger.set(number, "passed", trial.last_step)
            return False
        # Without a whole checkpoint its predictions are lost, and not worth another attempt: its value counts.
        trial_files.keep(trial_folder(self.folder, number), self.running[number], trial.last_step, with_weights=False)
        self._end(number, TrialState.PRUNED, NOT_AMONG_THE_BEST, "")
        return True

    def _complete(self, number: int) -> None:
        trial = self.ledger.trial(number)
        folder = trial_folder(self.folder, number)
        epochs = len(trial.intermediate_values)
        value = trial.intermediate_values[epochs]
        is_best = bisect(self.best, self._rank(number, value)) < trial_files.KEPT_WEIGHTS
        if not trial_files.keep(folder, self.running[number], epochs, with_weights=is_best):
            # The result is there and its checkpoint is damaged: not an end, but a lost attempt.
            self.lost(number, self.running[number], f"no whole checkpoint of epoch {epochs} in {address_of(folder)}")
            return
        self._end(number, TrialState.COMPLETE, "", "", value)

    def _fail(self, number: int, reason: str, message: str, log: str = "") -> None:
        folder = trial_folder(self.folder, number)
        epochs = len(self.ledger.trial(number).intermediate_values)
        trial_files.keep(folder, self.running[number], epochs, with_weights=False)
        if log:
            trial_files.write_log(folder, log)
        self._end(number, TrialState.FAIL, reason, message)

    def _end(self, number: int, state: TrialState, reason: str, message: str, value: float | None = None) -> None:
        if reason:
            self.ledger.set(number, "reason", reason)
        if message:
            self.ledger.set(number, "message", message)
        self.ledger.tell(number, state, value)
        del self.running[number]
        self.has_gained = True
        trial_files.remove_attempts(trial_folder(self.folder, number))
        if value is not None:
            insort(self.best, self._rank(number, value))
            self._remove_weights(number for _, number in self.best[trial_files.KEPT_WEIGHTS :])
            del self.best[trial_files.KEPT_WEIGHTS :]
        self.failures_in_a_row = self.failures_in_a_row + 1 if state == TrialState.FAIL else 0
        self.watcher.ended(self.ledger.trial(number))
        if self.failures_in_a_row >= self.plan.max_failures:
            self.stop(
                f"{counted(self.failures_in_a_row, 'trial')} in a row failed, the last because: {reason}: {message}"
            )

    def _rank(self, number: int, value: float) -> tuple[float, int]:
        """Of a COMPLETE trial: the lower, the better."""
        return (-named(self.plan.metric).sign * value, number)

    def _remove_weights(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            trial_files.remove_weights(trial_folder(self.folder, number))

    def _tell_of_slow_transforms(self, number: int, config: TrialConfig) -> None:
        """Once each: one that cannot run on whole batches makes its pipeline ten times as slow."""
        if not config.pipeline:
            return
        from datasets.augment.batched import unsupported  # torch
        from trainable.step import pipeline

        for transform in unsupported(pipeline(config)):
            name = transform.partition("(")[0]
            if name not in self.told_of_slow:
                self.told_of_slow.add(name)
                self.watcher.said(
                    f"trial {number}: {name} has no batched form: its pipeline runs image by image, slowly"
                )

    def _is_alone(self, number: int) -> bool:
        """Whether nothing may run beside it, for it ran out of memory before."""
        return "out_of_memory_in" in self.ledger.trial(number).user_attrs

    def _wait(self, number: int) -> None:
        self.running.pop(number, None)
        self.waiting.append(number)

    def _written_report(self, folder: Path, attempt: int) -> dict[str, Any]:
        """What an attempt had put on the disk: its result, else the epochs of the newest whole checkpoint."""
        if (result := read_result(attempt_folder(folder, attempt) / "result.json", attempt)) is not None:
            return result
        from trainable.state import CheckpointError, read_checkpoint  # torch

        for path in newest_checkpoints(folder, attempt):
            try:
                history = [metrics.to_dict() for metrics in read_checkpoint(path).history]
            except CheckpointError:
                continue
            return {"attempt": attempt, "history": history, "failure": None, "done": False}
        return {"attempt": attempt, "history": [], "failure": None, "done": False}


def trial_seed(sweep_seed: int, number: int) -> int:
    """Of a trial's weights, order and augmentation, where the queue does not hold its config whole."""
    return int(np.random.SeedSequence([sweep_seed, number]).generate_state(1)[0] >> 1)


def read_result(path: Path, attempt: int) -> dict[str, Any] | None:
    """The report that a worker left behind; None where there is none, or none that can be trusted."""
    try:
        report = read_json(path)
        whole = report["attempt"] == attempt and isinstance(report["done"], bool)
        read_history(report["history"])
        if failure := report["failure"]:
            whole = whole and all(isinstance(failure[key], str) for key in ("reason", "message"))
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return report if whole else None
