"""New trials: what a driver was asked for, and the next one's config, out of the queue or from the sampler."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from optuna.samplers import BaseSampler

from sweep.search.runtime.ledger import Ledger
from sweep.search.runtime.memory import Limit
from sweep.search.runtime.pace import PaceLimit
from sweep.search.runtime.queue import Queue, family_of_draw
from sweep.search.runtime.turns import Turns
from sweep.search.samplers import NEWEST, new_sampler
from sweep.search.sinks import Sink
from sweep.search.spaces.space import NoConfigError, Space
from sweep.storage.states import Reason
from sweep.storage.sweep_file import Values
from sweep.trainable.config import ConfigError, TrialConfig

MOST_DRAWS = 200  # of one trial, for configs that need more memory than there is


@dataclass(frozen=True)
class Plan:
    """What a driver was asked for.

    Attributes:
      trials: of the sweep in total.
      budget_epochs: no trial is drawn once all together were trained so long; None for no limit.
      queue: the configs that run first, or every config there is to be.
      sampler_version: the number of the sampler, as `sweep.json` has it.
      families: the architectures of which each gets a share of the first draws; empty leaves that to the sampler.
      turns: which branch a drawn trial is of, in a space over pretrained nets; None where `families` says it.
      limit: the memory that a drawn config may take; None for any.
      pace: the time that one may take; None for any.
      attempts: a trial lost so often with its worker is a FAIL.
      max_failures: so many FAILs in a row stop the sweep, and so do draws in a row for which the space has no config.
      kept_of_kind: so many trials of each kind of model keep their weights, beside the best of all.
      folds: of the images, of which a trial has a net each; None where it has one net.
      deadline: on `time.monotonic()`; None for no limit.
    """

    trials: int
    seed: int
    metric: str
    sampler: str
    queue: Queue
    sampler_version: int = NEWEST
    families: tuple[str, ...] = ()
    turns: Turns | None = None
    limit: Limit | None = None
    pace: PaceLimit | None = None
    attempts: int = 3
    max_failures: int = 10
    kept_of_kind: int = 0
    folds: int | None = None
    budget_epochs: int | None = None
    deadline: float | None = None


@dataclass
class Draws:
    """Draws trials in memory, and writes each into the ledger once it has a config.

    Attributes:
      space: what the sampler draws from; None where the queue holds every config whole.
    """

    ledger: Ledger
    space: Space | None
    plan: Plan
    watcher: Sink
    told_of_slow: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.ledger.take_notes_again(self._sampler)

    def _sampler(self, number: int, turn: int = 0) -> BaseSampler:
        return new_sampler(self.plan.sampler, self.plan.seed, number, self.plan.sampler_version, turn)

    @property
    def has_more(self) -> bool:
        """Whether new trials are to be drawn, now or once those that run have made their reports."""
        is_spent = self.plan.budget_epochs is not None and self.ledger.epochs >= self.plan.budget_epochs
        return len(self.ledger.trials) < self.plan.trials and not is_spent

    def has_room(self, running: Iterable[int]) -> bool:
        """Returns whether another trial is to be drawn now.

        Of a budget of epochs that leaves out what it takes until these trials, which run, come to a rung or their end,
        and until those are at their ends that would go on if nothing were drawn any more.
        """
        if self.plan.budget_epochs is None or not self.has_more:
            return self.has_more
        at_last = self.ledger.promoted(is_last=True)
        promised = sum(self._epochs_ahead(number, to_its_end=False) for number in running)
        promised += sum(self._epochs_ahead(number, to_its_end=True) for number in at_last)
        return self.ledger.epochs + promised < self.plan.budget_epochs

    def _epochs_ahead(self, number: int, to_its_end: bool) -> int:
        """Returns how many epochs a trial has before it until it may be paused, or else comes to its end."""
        trial = self.ledger.trial(number)
        epochs, done = trial.user_attrs["config"]["epochs"], len(trial.intermediate_values)
        rungs = () if to_its_end or "baseline" in trial.user_attrs else self.ledger.rungs(epochs)
        stops = [*rungs, self.plan.folds or epochs]
        return (next((stop for stop in stops if stop > done), done) - done) * self.ledger.epochs_of_step(number)

    def draw(self) -> int:
        """Returns the number of a new trial.

        Raises:
          NoConfigError: the space has none; the trial is drawn, and not written yet: `add_infeasible` must follow.
        """
        number = len(self.ledger.trials)
        queued = self.plan.queue.get(number)
        sampler = self._sampler(number)
        if queued and (whole := queued.config) is not None:
            config = self.ledger.draw(sampler, lambda _: TrialConfig.from_dict(whole), {})
        else:
            assert self.space is not None
            given = queued.params if queued else self._turn(number)
            config = self._fitting(number, self.ledger.draw(sampler, self.space.config, given), not queued)
        if not queued or queued.trial is None:
            config = replace(config, seed=trial_seed(self.plan.seed, number))
        self._tell_of_slow_transforms(number, config)  # before it is written: the pipeline may not be readable
        more: Values = {"baseline": queued.baseline} if queued and queued.baseline else {}
        if not more and self.ledger.pruner.pauses and (rungs := self.ledger.rungs(config.epochs)):
            more = {"rungs": list(rungs)}
        return self.ledger.add({"config": config.to_dict(), "attempt": 1} | more)

    def add_infeasible(self, message: str) -> int:
        """Writes the trial that was drawn and has no config, as a FAIL; returns its number."""
        seed = trial_seed(self.plan.seed, len(self.ledger.trials) - 1)
        # The seed tells whose record it is where the ledger is damaged.
        about = {"config": {"seed": seed}, "attempt": 0, "reason": Reason.NO_CONFIG, "message": message}
        return self.ledger.add(about, is_failed=True)

    def _turn(self, number: int) -> Values:
        """Returns the parameters that a drawn trial must have."""
        assert self.space is not None
        if self.plan.turns is None:
            family = family_of_draw(number, self.plan.queue, self.plan.families)
            return {"arch": family} if family else {}
        if (turn := self.plan.turns.next(self.ledger.mirror)) is None:
            return {}
        arch, recipe = turn
        given = self.space.published({"arch": arch} | recipe) if recipe else {"arch": arch}
        with suppress(ConfigError):  # --fix makes another one of it
            self.space.missing(given)
            if not self._why_unfit(self.space.chosen(given), is_drawn=True):
                return given
        return {"arch": arch}

    def _why_unfit(self, config: TrialConfig, is_drawn: bool) -> str:
        """Returns what a config needs that there is not, memory or time; empty where it fits.

        Args:
          is_drawn: the sampler chose it; a person may ask for one that takes longer.
        """
        limit, pace = self.plan.limit, self.plan.pace
        why = limit.why_too_large(config) if limit else ""
        return why or (pace.why_too_slow(config) if pace and is_drawn else "")

    def _fitting(self, number: int, config: TrialConfig, is_drawn: bool) -> TrialConfig:
        """Draws the trial again until memory and time are enough for it: the draws before were never written.

        Raises:
          NoConfigError: none of many draws fits.
        """
        assert self.space is not None
        turn = 0
        while why := self._why_unfit(config, is_drawn):
            turn += 1
            again = turn < MOST_DRAWS
            drawn = self.ledger.draw_again(self._sampler(number, turn), self.space.config) if again else None
            if drawn is None:
                raise NoConfigError(ConfigError(f"{config.arch} needs {why}"), self.space.function, {})
            config = drawn
        return config

    def _tell_of_slow_transforms(self, number: int, config: TrialConfig) -> None:
        """Once each: one that cannot run on whole batches makes its pipeline ten times as slow."""
        if not config.pipeline:
            return
        from sweep.datasets.augment.batched import unsupported  # torch
        from sweep.trainable.step import pipeline

        for transform in unsupported(pipeline(config)):
            name = transform.partition("(")[0]
            if name not in self.told_of_slow:
                self.told_of_slow.add(name)
                self.watcher.said(
                    f"trial {number}: {name} has no batched form: its pipeline runs image by image, slowly"
                )


@cache  # a check asks which trial a seed is of
def trial_seed(sweep_seed: int, number: int) -> int:
    """Of a trial's weights, order and augmentation, where the queue does not hold its config whole."""
    return int(np.random.SeedSequence([sweep_seed, number]).generate_state(1)[0] >> 1)
