"""The ledger of a sweep, which is the durable record of all its trials.

The ledger is an Optuna study, stored in a journal file in the sweep's folder or in PostgreSQL. Only this module writes
it. The sampler and the pruner see a mirror of it in memory, running trials included, because the stored study would
have to be read again for each question.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweep.search.pruners import Pruner
from sweep.search.runtime.sampler_notes import SAW, KnownStates, stopped_at, take_again
from sweep.search.samplers.optuna_5_0 import forget_draw, forget_unused, has_notes, study_of
from sweep.storage import files, paths
from sweep.storage.journal import Journal, JournalError, repair_tail
from sweep.storage.lock import HeldError
from sweep.storage.programs import spelled
from sweep.storage.states import Reason, State
from sweep.storage.store import store_of
from sweep.storage.sweep_file import Values
from sweep.storage.text import counted
from sweep.trainable.config import TrialConfig
from sweep.trainable.metrics import named

INFEASIBLE = (Reason.DIVERGED, Reason.OUT_OF_MEMORY, Reason.NO_CONFIG)  # the config's fault: the sampler must learn it


class Ledger:
    """The durable record of all trials of a sweep.

    A method that writes makes one record, or a few of which the last one decides: a trial is in the study once `add`
    has returned, and has ended once `tell` has returned. Each of these methods raises OSError if the disk or the server
    fails.

    Attributes:
      url: the URL of the PostgreSQL database, without password; empty for the journal in the folder.
      pruner: the pruner of the sweep.
      rungs: returns the steps after which a trial of so many epochs may be pruned.
      mirror: the study in memory, from which the sampler draws and by which the pruner decides.
      epochs: the number of epochs that all trials together have reported so far.
      torn_bytes: the number of bytes of an unfinished last record that were cut off at the start.
    """

    def __init__(
        self,
        folder: Path,
        sweep_id: str,
        metric: str,
        pruner: Pruner,
        url: str = "",
    ) -> None:
        """Opens the ledger of the sweep in `folder`, which must be locked, or creates it.

        If the folder is a copy of a bucket, this also fetches what the bucket holds.

        Args:
          url: the URL of a PostgreSQL database, without password; empty for the journal in the folder.

        Raises:
          JournalError: a record is damaged, or the folder has trials that the ledger does not know.
          HeldError: another driver writes this sweep in the database, or has begun another one in this bucket.
        """
        direction = named(metric).direction
        self._folder = folder
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.url = url
        self.pruner, self.rungs = pruner, pruner.rungs
        self.torn_bytes = self.epochs = 0
        self._journal: Journal | None = None  # None if the ledger is in a database
        no_sampler = optuna.samplers.RandomSampler()  # never used, because the stored study only records
        with self._writing():
            storage = self._open_in_database(folder, sweep_id) if url else self._open_journal(folder)
            names = optuna.get_all_study_names(storage)
            if sweep_id in names:
                self._study = optuna.load_study(storage=storage, study_name=sweep_id, sampler=no_sampler)
            elif names and not url:
                raise JournalError(folder / paths.JOURNAL, "is the ledger of another sweep", "restore this one's")
            else:
                _check_folders(folder, 0)  # a new ledger must not begin where trials are already
                self._study = optuna.create_study(
                    storage=storage, study_name=sweep_id, direction=direction, sampler=no_sampler
                )
            stored_trials = self._study.get_trials(deepcopy=False)
            self._storage, self._study_id = storage, storage.get_study_id_from_name(sweep_id)
            running_numbers = [trial.number for trial in stored_trials if not trial.state.is_finished()]
            self._ids = {number: _id_of(storage, sweep_id, number) for number in running_numbers}  # of RUNNING trials
        _check_folders(folder, len(stored_trials))
        self._rejected: list[FrozenTrial] = []  # draws for the newest trial that were not used
        self._memory = optuna.storages.InMemoryStorage()
        self.mirror = optuna.create_study(storage=self._memory, study_name=sweep_id, direction=direction)
        self._paused: dict[int, FrozenTrial] = {}  # by number, each in the form that the sampler is shown
        for trial in stored_trials:
            with self._refuse_damaged(trial):
                self._add_to_mirror(trial)
        self._known_states = KnownStates()  # what a sampler that takes notes has seen

    def take_notes_again(self, sampler_of: Callable[[int], optuna.samplers.BaseSampler]) -> None:
        """Lets the samplers take again the notes that they had taken before the last driver ended.

        Args:
          sampler_of: returns the sampler of the trial with this number.

        Raises:
          JournalError: the record of what a sampler had seen is not as a driver wrote it.
        """
        for trial in self.trials:
            if SAW in trial.user_attrs:
                with self._refuse_damaged(trial):
                    take_again(self.mirror, trial, self._known_states, sampler_of(trial.number))
        for number in self.paused:  # the copies that the sampler is shown lack the notes that were just taken
            self._show(number)

    @contextmanager
    def _refuse_damaged(self, trial: FrozenTrial) -> Iterator[None]:
        try:
            yield
        except (KeyError, TypeError, ValueError) as error:
            raise JournalError(
                self._folder,
                f"trial {trial.number} is not as a driver wrote it ({error!r})",
                f"`{spelled('check')} {self._folder} --repair` mends what can be mended",
            ) from None

    def _add_to_mirror(self, trial: FrozenTrial) -> None:
        if type(trial.user_attrs["attempt"]) is not int or type(trial.user_attrs["config"]) is not dict:
            raise TypeError("its attempt must be a number, its config an object")
        self.mirror.add_trial(
            create_trial(
                state=TrialState.RUNNING,
                params=trial.params,
                distributions=trial.distributions,
                user_attrs=trial.user_attrs,
            )
        )
        self._mirror_values(trial.number, dict(sorted(trial.intermediate_values.items())))
        if trial.state.is_finished():
            self._mirror_tell(trial.number, trial.state, trial.value)
        self._show(trial.number)

    def _open_journal(self, folder: Path) -> BaseStorage:
        path = folder / paths.JOURNAL
        if path.exists():
            self.torn_bytes = repair_tail(path)
        else:
            files.append(path, b"")
        self._journal = Journal(path)
        return optuna.storages.JournalStorage(self._journal)

    def _open_in_database(self, folder: Path, sweep_id: str) -> BaseStorage:
        from sweep.storage import postgres

        storage = postgres.open_storage(self.url, lock=postgres.lock_of(folder, sweep_id))
        store_of(folder).fetch(folder)  # only now that the lock is held: another driver might have written until then
        path = folder / paths.SWEEP_FILE
        if path.exists() and files.read_json(path).get("id") != sweep_id:
            raise HeldError(f"{folder}: another driver has begun this sweep meanwhile; the same command goes on")
        return storage

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials in the mirror, in the order of their numbers."""
        return self.mirror.get_trials(deepcopy=False)

    @property
    def shown(self) -> list[FrozenTrial]:
        """The trials as the sampler is shown them: those paused at a rung appear as if they had been pruned there.

        TPE would count every RUNNING trial as a bad one, whatever its values are.
        """
        return [self._paused.get(trial.number, trial) for trial in self.trials]

    def trial(self, number: int) -> FrozenTrial:
        """Returns the trial with this number from the mirror."""
        return self._memory.get_trial(self._mirror_id(number))  # faster than `trials`, which makes a list of all

    def draw(
        self, sampler: optuna.samplers.BaseSampler, choose: Callable[[optuna.Trial], TrialConfig], params: Values
    ) -> TrialConfig:
        """Lets `choose` draw the config of the next trial in memory, and returns it.

        `add` must follow. If `choose` raised an error, the parameters drawn so far are kept, and the trial must be
        added as a failed one.

        Args:
          params: the parameters that are prescribed instead of drawn.
        """
        self.mirror.sampler, self._rejected = sampler, []
        if params:
            self.mirror.enqueue_trial(params)
        study = study_of(self.mirror, self.shown) if self._paused else self.mirror
        return self._choose_config(study.ask(), choose)

    def _choose_config(self, trial: optuna.Trial, choose: Callable[[optuna.Trial], TrialConfig]) -> TrialConfig:
        try:
            return choose(trial)
        finally:
            forget_unused(self._memory, self._mirror_id(trial.number))

    def draw_again(
        self, sampler: optuna.samplers.BaseSampler, choose: Callable[[optuna.Trial], TrialConfig]
    ) -> TrialConfig | None:
        """Draws the newest trial once more, with the same prescribed parameters; returns None if that is not possible.

        For this trial alone the sampler sees the earlier draws as infeasible; otherwise it would return to them, since
        it knows no result there. They need not be stored, because every start makes them in the same order.
        """
        number = len(self.trials) - 1
        if (draw := forget_draw(self.mirror, self._mirror_id(number))) is None:
            return None
        rejected_draw = create_trial(state=TrialState.PRUNED, params=draw.params, distributions=draw.distributions)
        rejected_draw.number = number + 1 + len(self._rejected)  # not the trial's own, which a sampler leaves out
        rejected_draw.set_constraint("trainable", 1.0)
        self._rejected = [*self._rejected, rejected_draw]
        self.mirror.sampler = sampler
        study = study_of(self.mirror, [*self.shown, *self._rejected])
        return self._choose_config(optuna.Trial(study, self._mirror_id(number)), choose)

    def add(self, attributes: Mapping[str, Any], is_failed: bool = False) -> int:
        """Writes the drawn trial as RUNNING and returns its number.

        This is one record, so after a kill either all of it is there or nothing.

        Args:
          attributes: the user attributes of the trial, its config among them.
          is_failed: whether the trial cannot be run at all; this record then both begins it and ends it as a FAIL.
        """
        number = len(self.trials) - 1
        trial, attributes = self.trial(number), dict(attributes)
        if has_notes(trial):
            earlier_trials = self.trials[:number]
            attributes[SAW] = self._known_states.note_changes(self.shown[:number], earlier_trials)
        template = create_trial(
            state=TrialState.FAIL if is_failed else TrialState.RUNNING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs=attributes,
        )
        with self._writing():
            self._ids[number] = self._storage.create_new_trial(self._study_id, template)
            if (actual := self._storage.get_trial_number_from_id(self._ids[number])) != number:
                raise OSError(f"{self.url}: trial {number} was written as {actual}: somebody else writes this sweep")
        for name, value in attributes.items():
            self._mirror_trial(number).set_user_attr(name, value)
        if is_failed:
            self._mirror_tell(number, TrialState.FAIL, None)
        return number

    def set(self, number: int, name: str, value: Any) -> None:
        """Writes a user attribute of a trial that has not ended."""
        with self._writing():
            self._storage.set_trial_user_attr(self._ids[number], name, value)
        self._mirror_trial(number).set_user_attr(name, value)
        self._show(number)

    def report(self, number: int, values: Mapping[int, float]) -> None:
        """Writes the best value up to each of these steps; in a journal all of them are written at once.

        A step is an epoch, or a fold if the sweep has folds. Each single write to a journal would wait for the disk.
        """
        with self._writing(), self._journal.together() if self._journal else nullcontext():
            for step, value in values.items():
                self._storage.set_trial_intermediate_value(self._ids[number], step, value)
        self._mirror_values(number, values)
        self._show(number)

    def should_prune(self, number: int) -> bool:
        """Returns whether the pruner stops the trial at its last step."""
        return self.pruner.prune(self.mirror, self.trial(number))

    def is_at_rung(self, number: int) -> bool:
        """Returns whether the trial stands at one of its rungs and has not been allowed to continue from it.

        A baseline never waits at a rung.
        """
        trial = self.trial(number)
        rungs = () if "baseline" in trial.user_attrs else self.rungs(trial.user_attrs["config"]["epochs"])
        return trial.last_step in rungs and trial.user_attrs.get("passed") != trial.last_step

    def let_on(self, number: int) -> None:
        """Records that the trial continues from its rung."""
        self.set(number, "passed", self.trial(number).last_step)

    @property
    def paused(self) -> list[int]:
        """The numbers of the trials that wait at a rung; empty if the sweep's pruner pauses none."""
        return sorted(self._paused)

    def promoted(self, is_last: bool) -> list[int]:
        """Returns the numbers of those paused trials that may continue now, in the order in which they should.

        Args:
          is_last: whether no other trial will reach any rung.
        """
        return self.pruner.promoted(self.mirror, map(self.trial, self._paused), is_last)

    def tell(self, number: int, state: TrialState, value: float | None = None) -> None:
        """Ends a trial by the record that decides its state."""
        with self._writing():
            self._study.tell(number, value if state == TrialState.COMPLETE else None, state)
        self._mirror_tell(number, state, value)
        self._show(number)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turns errors of the database into an OSError, which a failing disk raises too."""
        if not self.url:
            yield
            return
        from sweep.storage import postgres  # imports sqlalchemy, 0.2 s that a journal can do without

        try:
            yield
        except postgres.ERRORS as error:
            raise postgres.unreachable(self.url, error) from error

    def _mirror_values(self, number: int, values: Mapping[int, float]) -> None:
        for step, value in values.items():
            self._mirror_trial(number).report(value, step)
        self.epochs += len(values) * self.epochs_of_step(number)

    def epochs_of_step(self, number: int) -> int:
        """Returns the epochs between two values of a trial: 1, or all epochs of a net if the trial has folds."""
        return self.trial(number).user_attrs["config"].get("epochs", 0) if self.pruner.folds else 1

    def epochs_of(self, number: int) -> int:
        """Returns how many epochs of a trial were reported."""
        return len(self.trial(number).intermediate_values) * self.epochs_of_step(number)

    def _mirror_trial(self, number: int) -> optuna.Trial:
        return optuna.Trial(self.mirror, self._mirror_id(number))

    def _mirror_id(self, number: int) -> int:
        return _id_of(self._memory, self.mirror.study_name, number)

    def _show(self, number: int) -> None:
        """Updates whether the trial waits at a rung and, if it does, the form in which the sampler is shown it."""
        trial = self.trial(number)
        if self.pruner.pauses and not trial.state.is_finished() and self.is_at_rung(number):
            self._paused[number] = stopped_at(trial, max(trial.intermediate_values))
        else:
            self._paused.pop(number, None)

    def _mirror_tell(self, number: int, state: TrialState, value: float | None) -> None:
        """Ends a trial in the mirror.

        TPE ignores trials that failed, so a config that cannot be trained is shown to it as an infeasible one.
        """
        if state == TrialState.FAIL and self.trial(number).user_attrs.get("reason") in INFEASIBLE:
            self._mirror_trial(number).set_constraint("trainable", 1.0)
            self.mirror.tell(number, state=TrialState.PRUNED)
        else:
            self.mirror.tell(number, value if state == TrialState.COMPLETE else None, state)


def _id_of(storage: BaseStorage, study: str, number: int) -> int:
    return storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(study), number)


def state_of(trial: FrozenTrial) -> State:
    """Returns the state that the ledger stores for an ended trial of the mirror, where some FAILs appear as PRUNED."""
    return State.FAIL if trial.user_attrs.get("reason") in INFEASIBLE else State(trial.state.name)


def _check_folders(folder: Path, trials: int) -> None:
    """Checks that the ledger knows every trial that has a folder.

    A trial's folder is made after its record, so a folder without a record means that the ledger has lost some.

    Raises:
      JournalError: there is such a folder.
    """
    names = (path.name for path in folder.glob("trials/*") if path.name.isdecimal())
    unknown = sorted((name for name in names if int(name) >= trials), key=int)
    if unknown:
        raise JournalError(
            folder,
            f"the ledger has {counted(trials, 'trial')}, but trials/{unknown[-1]} is there: it was cut, or is another "
            "sweep's",
            f"restore it from a backup, or `{spelled('check')} {folder} --repair`",
        )
