"""Trials that are paused at their rungs and go on: the bridge against a model of the rule, in any order of reports.

Hypothesis draws how far each report goes, which worker makes the next one, and where the driver is killed or a worker
lost. The model is written for itself: it knows neither the pruner nor the ledger.
"""

import math
import tempfile
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from sweep.search.pruners import halving_3
from sweep.search.runtime.bridge import Bridge
from sweep.search.runtime.draws import Plan
from sweep.search.runtime.ledger import Ledger
from sweep.search.sinks import Sink
from sweep.storage import files
from sweep.storage.sweep_file import QueueEntry
from sweep.trainable.config import TrialConfig
from sweep.trainable.metrics.history import EpochMetrics
from sweep.trainable.worker.report import Report

PARTS = {0: lambda epochs: 1, 1: lambda epochs: math.ceil(epochs / 9), 2: lambda epochs: math.ceil(epochs / 3)}
ONE_OF = {0: 2, 1: 3, 2: 3}  # of so many trials at a rung, one goes on
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


@dataclass
class Life:
    """A trial as the model has it.

    Attributes:
      curve: the value of each epoch.
      step: the last one that the ledger has.
      trained: the last one that a worker has put on the disk.
    """

    number: int
    curve: tuple[float, ...]
    is_baseline: bool
    step: int = 0
    trained: int = 0
    passed: int = 0
    end: str = ""

    @property
    def rungs(self):
        """By step, the first part that comes at it."""
        steps = {}
        for part, step_of in PARTS.items():
            if step_of(len(self.curve)) < len(self.curve):
                steps.setdefault(step_of(len(self.curve)), part)
        return steps

    @property
    def is_held(self):
        return not self.end and not self.is_baseline and self.step in self.rungs and self.passed != self.step

    def value_at(self, part):
        """None of a trial that did not come so far, or has no such rung."""
        step = next((step for step, own in self.rungs.items() if own == part), None)
        return None if step is None or step > self.step else max(self.curve[:step])


@dataclass
class Model:
    """The rule, said once more."""

    lives: list[Life]
    drawn: int = 0
    running: list[int] = field(default_factory=list)
    waiting: deque[int] = field(default_factory=deque)

    @property
    def paused(self):
        at_work = {*self.running, *self.waiting}
        return [life for life in self.lives[: self.drawn] if life.is_held and life.number not in at_work]

    def place(self, life):
        """Returns how many are before it at its rung, and how many there are."""
        part = life.rungs[life.step]
        values = {other.number: other.value_at(part) for other in self.lives if other.value_at(part) is not None}
        mine = values[life.number]
        return sum(value > mine or (value == mine and n < life.number) for n, value in values.items()), len(values)

    def may_go_on(self, life, is_last=False):
        place, among = self.place(life)
        at_last = 1 if among > 2 else among
        return place < max(among // ONE_OF[life.rungs[life.step]], at_last if is_last else 0)

    def promote(self):
        if not self.paused:
            return
        is_last = self.drawn == len(self.lives) and not any(
            step > self.lives[number].step for number in self.running for step in self.lives[number].rungs
        )
        able = [life for life in self.paused if self.may_go_on(life)]
        able = able or [life for life in self.paused if self.may_go_on(life, is_last)]
        if able:
            first = min(able, key=lambda life: (-life.rungs[life.step], self.place(life)[0], life.number))
            first.passed = first.step
            self.waiting.append(first.number)
        elif is_last:
            for life in self.paused:
                life.end = "PRUNED"

    def next_order(self):
        if not self.waiting:
            self.promote()
        if self.waiting:
            number = self.waiting.popleft()
        elif self.drawn < len(self.lives):
            number, self.drawn = self.drawn, self.drawn + 1
        else:
            return None
        self.running.append(number)
        return number

    def report(self, number, up_to):
        """Returns whether the trial gives its worker away."""
        life = self.lives[number]
        life.trained = max(life.trained, up_to)
        while life.step < up_to:
            life.step += 1
            if life.is_held and not self.may_go_on(life):
                self.running.remove(number)
                return True
            if life.is_held:
                life.passed = life.step
        if life.step == len(life.curve):
            life.end = "COMPLETE"
            self.running.remove(number)
        return bool(life.end)

    def lose(self, number):
        self.running.remove(number)
        self.waiting.append(number)

    def start_again(self):
        held = {life.number for life in self.lives if life.is_held}
        self.running, self.waiting = [], deque()
        for life in self.lives[: self.drawn]:
            if life.end or life.number in held:
                continue
            self.running.append(life.number)
            self.report(life.number, life.trained)
            if life.number in self.running:
                self.lose(life.number)
        if not self.waiting:
            self.promote()


class Killed(BaseException):
    """The driver is gone."""


class Sweep:
    """The bridge, over a journal in memory and workers that train by the curves."""

    def __init__(self, folder, lives):
        self.folder, self.lives = folder, lives
        self.open()

    def open(self):
        seeds = {life.number: TrialConfig(arch="mlp", width=1.0, epochs=len(life.curve)) for life in self.lives}
        queue = {
            number: QueueEntry({}, "named" if self.lives[number].is_baseline else "", config.to_dict())
            for number, config in seeds.items()
        }
        plan = Plan(len(self.lives), 7, "accuracy", "random", queue, attempts=99)
        ledger = Ledger(self.folder, "a" * 32, "accuracy", halving_3.new())
        self.bridge = Bridge(self.folder, ledger, None, plan, Sink())
        with patch("sweep.search.runtime.trial_files.written_report", self._on_disk):
            self.bridge.recover()

    def _on_disk(self, folder, attempt):
        life = self.lives[int(folder.name)]
        return self._report(life, attempt, life.trained)

    @staticmethod
    def _report(life, attempt, up_to):
        history = [EpochMetrics(n, 0.0, 0.0, v, v, 0.1, 0.0, 8) for n, v in enumerate(life.curve[:up_to], 1)]
        return Report(attempt, history, done=up_to == len(life.curve))

    def report(self, number, up_to):
        return self.bridge.report(number, self._report(self.lives[number], self.bridge.running[number], up_to))

    def killed_once_the_values_are_written(self, number, up_to):
        def kill(step, path, data=b""):
            if step == "after":
                raise Killed

        with patch.object(files, "crash_point", kill), pytest.raises(Killed):
            self.report(number, up_to)


@contextmanager
def begun(lives):
    with (
        tempfile.TemporaryDirectory(dir=MEMORY) as folder,
        patch("sweep.search.runtime.trial_files.keep", lambda *_: True),
    ):
        yield Sweep(Path(folder), lives)


def check_same(sweep, model):
    trials = sweep.bridge.ledger.trials
    assert [len(trial.intermediate_values) for trial in trials] == [life.step for life in model.lives[: model.drawn]]
    assert sweep.bridge.ledger.paused == [life.number for life in model.paused]
    assert sorted(sweep.bridge.running) == sorted(model.running)
    assert list(sweep.bridge.waiting) == list(model.waiting)


def ends(sweep):
    """By trial, how it ended and after how many epochs; it must have ended."""
    return [(TrialState(trial.state).name, len(trial.intermediate_values)) for trial in sweep.bridge.ledger.trials]


values = st.integers(0, 4).map(lambda tenths: tenths / 10)  # few, so that many are equal


@st.composite
def worlds(draw, most=7):
    lengths = draw(st.lists(st.sampled_from([1, 2, 6, 12]), min_size=1, max_size=most))
    baselines = draw(st.integers(0, 2))
    return [
        Life(number, tuple(draw(st.lists(values, min_size=epochs, max_size=epochs))), number < baselines)
        for number, epochs in enumerate(lengths)
    ]


def fresh(lives):
    return [Life(life.number, life.curve, life.is_baseline) for life in lives]


def run_to_its_end(draw, lives, workers, faults):
    """Returns how the trials ended, having held the bridge against the model at each step."""
    model = Model(lives)
    with begun(lives) as sweep:
        while not sweep.bridge.finished:
            while len(model.running) < workers:
                order, expected = sweep.bridge.next_order(), model.next_order()
                assert (order and order.number) == expected
                if order is None:
                    break
            check_same(sweep, model)
            if not model.running:
                continue
            number = draw(st.sampled_from(model.running))
            life, fault = lives[number], draw(st.sampled_from(faults))
            up_to = draw(st.integers(min(life.trained + 1, len(life.curve)), len(life.curve)))
            if fault == "worker lost":
                life.trained = up_to  # it had saved more than it could report
                sweep.bridge.lost(number, sweep.bridge.running[number], "killed")
                model.lose(number)
            elif fault == "killed":
                life.trained = up_to
                sweep.open()
                model.start_again()
            elif fault == "killed before the decision":
                life.trained = up_to
                sweep.killed_once_the_values_are_written(number, up_to)
                life.step = min((step for step in life.rungs if step > life.step and step <= up_to), default=up_to)
                sweep.open()
                model.start_again()
            else:
                assert sweep.report(number, up_to) == model.report(number, up_to)
            check_same(sweep, model)
        assert ends(sweep) == [(life.end, life.step) for life in lives]
        losses = [trial.user_attrs.get("losses", 0) for trial in sweep.bridge.ledger.trials]
        assert not any(losses) or "worker lost" in faults  # no pause is one
        return ends(sweep)


FAULTS = ["none", "none", "none", "worker lost", "killed", "killed before the decision"]
quick = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@quick
@given(st.data(), worlds())
def test_one_worker_decides_the_same_killed_or_not_whatever_a_report_holds(data, lives):
    disturbed = run_to_its_end(data.draw, lives, 1, FAULTS)

    assert disturbed == run_to_its_end(data.draw, fresh(lives), 1, ["none"])


@quick
@given(st.data(), worlds())
def test_four_workers_do_what_the_rule_says_of_the_order_of_their_reports_killed_or_not(data, lives):
    run_to_its_end(data.draw, lives, 4, FAULTS)
