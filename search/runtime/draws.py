"""Makes new trials: what the driver was asked for, and the next config from the queue or from the sampler."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from optuna.samplers import BaseSampler

from sweep.search.runtime.ledger import Ledger
from sweep.search.runtime.memory import MemoryLimit
from sweep.search.runtime.pace import PaceLimit
from sweep.search.runtime.queue import Queue, family_of_draw
from sweep.search.runtime.turns import Turns
from sweep.search.samplers import NEWEST, new_sampler
from sweep.search.sinks import Sink
from sweep.search.spaces.space import NoConfigError, Space
from sweep.storage.states import Reason
from sweep.storage.sweep_file import Values
from sweep.trainable.config import ConfigError, TrialConfig

MOST_DRAWS = 200  # draws for one trial, while they need more memory or time than there is


@dataclass(frozen=True)
class Plan:
    """The task of a driver: the trials that it runs, how they are drawn, and when it stops.

    Attributes:
      trials: the total number of trials in the sweep.
      budget_epochs: the number of epochs that all trials together may train, after which no trial is drawn; None for no
        limit.
      queue: the configs that run first; in a repeat or a refit, all configs.
      sampler_version: the number of the sampler, as `sweep.json` stores it.
      families: the architectures that each get a share of the first draws; if empty, the sampler decides.
      turns: chooses the branch of each drawn trial in a space over pretrained nets; None if `families` decides instead.
      limit: the memory that a drawn config may need; None for no limit.
      pace: the time that a drawn config may need; None for no limit.
      attempts: a trial that lost its worker this many times is a FAIL.
      max_failures: the number of consecutive FAILs, or of consecutive draws without a config, that stops the sweep.
      kept_of_kind: how many trials of each kind of model keep their weights, in addition to the best trials of all.
      folds: the number of folds, for each of which a trial trains a net; None if a trial trains one net.
      deadline: the end of the time budget on the clock of `time.monotonic()`; None for no limit.
    """

    trials: int
    seed: int
    metric: str
    sampler: str
    queue: Queue
    sampler_version: int = NEWEST
    families: tuple[str, ...] = ()
    turns: Turns | None = None
    limit: MemoryLimit | None = None
    pace: PaceLimit | None = None
    attempts: int = 3
    max_failures: int = 10
    kept_of_kind: int = 0
    folds: int | None = None
    budget_epochs: int | None = None
    deadline: float | None = None


@dataclass
class Draws:
    """Draws trials in memory and writes each into the ledger once it has a config.

    Attributes:
      ledger: the ledger, which also holds the trials drawn so far.
      space: the space from which the sampler draws; None if the queue holds every config whole.
      plan: what the driver was asked to do.
      watcher: the sink that is told about slow augmentation pipelines.
      told_of_slow: the transforms that it was told about.
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
        """Whether more trials are to be drawn, now or after running trials have reported."""
        is_spent = self.plan.budget_epochs is not None and self.ledger.epochs >= self.plan.budget_epochs
        return len(self.ledger.trials) < self.plan.trials and not is_spent

    def has_room(self, running: Iterable[int]) -> bool:
        """Returns whether another trial is to be drawn now.

        With a budget of epochs, the epochs that are already promised count as spent: those that the `running` trials
        train until they reach a rung or their end, and those of the paused trials that would continue to their ends if
        nothing more were drawn.
        """
        if self.plan.budget_epochs is None or not self.has_more:
            return self.has_more
        numbers = self.ledger.promoted(is_last=True)
        promised = sum(self._epochs_ahead(number, to_its_end=False) for number in running)
        promised += sum(self._epochs_ahead(number, to_its_end=True) for number in numbers)
        return self.ledger.epochs + promised < self.plan.budget_epochs

    def _epochs_ahead(self, number: int, to_its_end: bool) -> int:
        """Returns how many epochs a trial still trains until its next rung or its end.

        Args:
          to_its_end: whether the rungs on the way are ignored.
        """
        trial = self.ledger.trial(number)
        epochs, steps = trial.user_attrs["config"]["epochs"], len(trial.intermediate_values)
        rungs = () if to_its_end or "baseline" in trial.user_attrs else self.ledger.rungs(epochs)
        stops = [*rungs, self.plan.folds or epochs]
        return (next((stop for stop in stops if stop > steps), steps) - steps) * self.ledger.epochs_of_step(number)

    def draw(self) -> int:
        """Draws a new trial, writes it and returns its number.

        Raises:
          NoConfigError: the space has no config for it. The trial is drawn but not written; `add_infeasible` must
            follow.
        """
        number = len(self.ledger.trials)
        entry = self.plan.queue.get(number)
        sampler = self._sampler(number)
        if entry and (queued_config := entry.config) is not None:
            config = self.ledger.draw(sampler, lambda _: TrialConfig.from_dict(queued_config), {})
        else:
            assert self.space is not None
            params = entry.params if entry else self._turn(number)
            config = self._redraw_until_fit(number, self.ledger.draw(sampler, self.space.config, params), not entry)
        if not entry or entry.trial is None:
            config = replace(config, seed=trial_seed(self.plan.seed, number))
        self._tell_of_slow_transforms(number, config)  # before the trial is written, as reading the pipeline may fail
        extra: Values = {"baseline": entry.baseline} if entry and entry.baseline else {}
        if not extra and self.ledger.pruner.pauses and (rungs := self.ledger.rungs(config.epochs)):
            extra = {"rungs": list(rungs)}
        return self.ledger.add({"config": config.to_dict(), "attempt": 1} | extra)

    def add_infeasible(self, message: str) -> int:
        """Writes the drawn trial that has no config as a FAIL and returns its number."""
        seed = trial_seed(self.plan.seed, len(self.ledger.trials) - 1)
        # By the seed a repair can tell whose record this is if the ledger is damaged.
        attributes = {"config": {"seed": seed}, "attempt": 0, "reason": Reason.NO_CONFIG, "message": message}
        return self.ledger.add(attributes, is_failed=True)

    def _turn(self, number: int) -> Values:
        """Returns the parameters that are prescribed for a drawn trial."""
        assert self.space is not None
        if self.plan.turns is None:
            family = family_of_draw(number, self.plan.queue, self.plan.families)
            return {"arch": family} if family else {}
        if (turn := self.plan.turns.next(self.ledger.mirror)) is None:
            return {}
        arch, recipe = turn
        params = self.space.published({"arch": arch} | recipe) if recipe else {"arch": arch}
        with suppress(ConfigError):  # --fix may turn it into another config
            self.space.missing(params)
            if not self._why_unfit(self.space.chosen(params), is_drawn=True):
                return params
        return {"arch": arch}

    def _why_unfit(self, config: TrialConfig, is_drawn: bool) -> str:
        """Returns what memory or time a config needs and what there is, in words; empty if it fits.

        Args:
          is_drawn: whether the sampler chose the config; a person may ask for one that takes longer.
        """
        limit, pace = self.plan.limit, self.plan.pace
        why = limit.why_too_large(config) if limit else ""
        return why or (pace.why_too_slow(config) if pace and is_drawn else "")

    def _redraw_until_fit(self, number: int, config: TrialConfig, is_drawn: bool) -> TrialConfig:
        """Draws the trial again until there is enough memory and time for it; the rejected draws are not written.

        Raises:
          NoConfigError: none of many draws fits.
        """
        assert self.space is not None
        turn = 0
        while why := self._why_unfit(config, is_drawn):
            turn += 1
            may_redraw = turn < MOST_DRAWS
            new_config = self.ledger.draw_again(self._sampler(number, turn), self.space.config) if may_redraw else None
            if new_config is None:
                raise NoConfigError(ConfigError(f"{config.arch} needs {why}"), self.space.function, {})
            config = new_config
        return config

    def _tell_of_slow_transforms(self, number: int, config: TrialConfig) -> None:
        """Tells the watcher, once for each, about transforms that cannot run on whole batches.

        Such a transform makes its pipeline about ten times slower.
        """
        if not config.pipeline:
            return
        from sweep.datasets.augment.batched import unsupported  # imports torch
        from sweep.trainable.step import pipeline

        for transform in unsupported(pipeline(config)):
            name = transform.partition("(")[0]
            if name not in self.told_of_slow:
                self.told_of_slow.add(name)
                self.watcher.announced(
                    f"trial {number}: {name} has no batched form: its pipeline runs image by image, slowly"
                )


@cache  # a check computes the seeds of many trials to find the one that a seed belongs to
def trial_seed(sweep_seed: int, number: int) -> int:
    """Returns the seed of a trial's weights, order and augmentation, unless the queue holds its config whole."""
    return int(np.random.SeedSequence([sweep_seed, number]).generate_state(1)[0] >> 1)
