"""The ledger of a sweep, and the lock that lets one driver write it.

The ledger is an Optuna study in a journal file in the sweep's folder. Only this module
writes it. An in-memory mirror of it, RUNNING trials included, is what the sampler and
the pruner see: the study in a file would have to be read again for each question.
"""

import fcntl
import os
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from analysis.journal import Journal, JournalError, repair_tail
from trainable.config import TrialConfig

LOCK_TRIES = 6
INFEASIBLE = ("diverged", "out of memory")  # reasons that the config itself causes: the sampler must learn them


class HeldError(Exception):
    """Another driver holds the sweep; the message says which."""


@contextmanager
def driver_lock(folder: Path) -> Iterator[None]:
    """Held for the life of a driver; the kernel frees it however the driver ends.

    Raises:
      HeldError: another driver holds it.
    """
    with open(folder / "lock", "a+") as file:
        for _ in range(LOCK_TRIES):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.05)  # `search.status` holds it for a moment to see whether anybody does
        else:
            file.seek(0)
            raise HeldError(f"{folder}: another driver holds this sweep: {file.read().strip()}")
        file.truncate(0)
        file.write(f"pid {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
        file.flush()
        yield


class Ledger:
    """Every durable record of a sweep's trials.

    Each method that writes is one record, or a few of which the last decides: a trial
    is in the study when `add` returns, and ended when `tell` returns.

    Attributes:
      torn_bytes: how much of an unfinished last record the start cut off.
    """

    def __init__(self, folder: Path, sweep_id: str, metric: str, pruner: optuna.pruners.BasePruner) -> None:
        """Opens the journal of `folder`, which must be locked, or begins it.

        Raises:
          JournalError: a record is damaged, or the journal is gone while trials are there.
        """
        direction = StudyDirection.MINIMIZE if metric == "loss" else StudyDirection.MAXIMIZE
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        path = folder / "journal.log"
        self.torn_bytes = repair_tail(path) if path.exists() else 0
        is_new = not path.exists() or path.stat().st_size == 0
        if is_new and any(folder.glob("trials/*")):
            raise JournalError(f"{path}: missing or empty beside {folder / 'trials'}; restore it from a backup")
        path.touch()
        storage = optuna.storages.JournalStorage(Journal(path))
        no_sampler = optuna.samplers.RandomSampler()  # the ledger only records
        if is_new:
            self._study = optuna.create_study(
                storage=storage, study_name=sweep_id, direction=direction, sampler=no_sampler
            )
        else:
            self._study = optuna.load_study(storage=storage, study_name=sweep_id, sampler=no_sampler)
        self.mirror = optuna.create_study(study_name=sweep_id, direction=direction, pruner=pruner)
        for trial in self._study.get_trials(deepcopy=False):
            self.mirror.add_trial(
                create_trial(
                    state=TrialState.RUNNING,
                    params=trial.params,
                    distributions=trial.distributions,
                    user_attrs=trial.user_attrs,
                )
            )
            for step, value in trial.intermediate_values.items():
                self._mirror_trial(trial.number).report(value, step)
            if trial.state.is_finished():
                self._mirror_tell(trial.number, trial.state, trial.value)

    @property
    def trials(self) -> list[FrozenTrial]:
        return self.mirror.get_trials(deepcopy=False)

    def trial(self, number: int) -> FrozenTrial:
        return self.trials[number]

    def draw(
        self, sampler: optuna.samplers.BaseSampler, choose: Callable[[optuna.Trial], TrialConfig], given: dict[str, Any]
    ) -> TrialConfig:
        """Lets `choose` draw the next trial's config in memory, `given` parameters as they are; `add` must follow."""
        self.mirror.sampler = sampler
        if given:
            self.mirror.enqueue_trial(given)
        trial = self.mirror.ask()
        config = choose(trial)
        # TPE notes what it would have drawn for other branches, and counts that as seen while
        # the trial runs. Emptied, a restart, which has no such note, draws the same.
        self.mirror._storage.set_trial_system_attr(trial._trial_id, "tpe:relative_params:0", "")
        return config

    def add(self, attributes: dict[str, Any]) -> int:
        """Writes the drawn trial as RUNNING: one record, so a kill leaves all of it or nothing."""
        number = len(self.trials) - 1
        drawn = self.trial(number)
        self._study.add_trial(
            create_trial(
                state=TrialState.RUNNING,
                params=drawn.params,
                distributions=drawn.distributions,
                user_attrs=attributes,
            )
        )
        for name, value in attributes.items():
            self._mirror_trial(number).set_user_attr(name, value)
        return number

    def set(self, number: int, name: str, value: Any) -> None:
        self._durable_trial(number).set_user_attr(name, value)
        self._mirror_trial(number).set_user_attr(name, value)

    def report(self, number: int, epoch: int, value: float) -> None:
        """Writes the best value up to an epoch."""
        self._durable_trial(number).report(value, epoch)
        self._mirror_trial(number).report(value, epoch)

    def should_prune(self, number: int) -> bool:
        return self.mirror.pruner.prune(self.mirror, self.trial(number))

    def tell(self, number: int, state: TrialState, value: float | None = None) -> None:
        """Ends a trial: the record that decides."""
        self._study.tell(number, value if state == TrialState.COMPLETE else None, state)
        self._mirror_tell(number, state, value)

    def _durable_trial(self, number: int) -> optuna.Trial:
        return optuna.Trial(self._study, self._study.get_trials(deepcopy=False)[number]._trial_id)

    def _mirror_trial(self, number: int) -> optuna.Trial:
        return optuna.Trial(self.mirror, self.trial(number)._trial_id)

    def _mirror_tell(self, number: int, state: TrialState, value: float | None) -> None:
        """The sampler's view of an end: TPE ignores FAIL, so a config that cannot be trained is shown as infeasible."""
        if state == TrialState.FAIL and self.trial(number).user_attrs.get("reason") in INFEASIBLE:
            self._mirror_trial(number).set_constraint("trainable", 1.0)
            self.mirror.tell(number, state=TrialState.PRUNED)
        else:
            self.mirror.tell(number, value if state == TrialState.COMPLETE else None, state)


def new_sampler(name: str, seed: int, number: int) -> optuna.samplers.BaseSampler:
    """The sampler of one draw: a function of the sweep's seed and the trial's number, so a restart draws the same."""
    seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    match name:
        case "tpe":
            warnings.filterwarnings("ignore", "Argument ``group``")  # experimental since 2020
            return optuna.samplers.TPESampler(seed=seed, group=True)
        case "gp":
            return optuna.samplers.GPSampler(seed=seed, deterministic_objective=False)
        case _:
            return optuna.samplers.RandomSampler(seed=seed)
