"""Functions for the samplers that depend on private parts of Optuna, as they are in version 5.0.

With any other version of Optuna none of it is used. The samplers then learn from trials that were pruned early as from
any others. A config that needs more memory than there is makes its trial a FAIL, since it cannot be drawn again. After
a restart while trials run, the draws may differ from those of an uninterrupted sweep.
"""

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from copy import copy, deepcopy
from importlib.metadata import version

from optuna.samplers import CmaEsSampler
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

VERSION = "5.0"
OURS = "fixed_params", "constraints"  # system attributes of a trial that are not notes of a sampler


def is_used() -> bool:
    """Returns whether the installed Optuna is the version for which this file was written."""
    return version("optuna").startswith(f"{VERSION}.")


def study_of(study: Study, trials: Sequence[FrozenTrial]) -> Study:
    """Returns a view of the study that has exactly these trials; notes of a sampler still go to the study itself.

    A copy of the study would take longer the longer the sweep is.
    """
    return _View(study, trials) if is_used() else study


def forget_draw(study: Study, trial_id: int) -> FrozenTrial | None:
    """Removes a running trial's parameters from a study in memory and returns the trial as it was before.

    Returns None, and changes nothing, with a version of Optuna whose private parts are not known.
    """
    if not is_used():
        return None
    storage = study._storage
    trial = storage.get_trial(trial_id)
    blank = copy(trial)
    blank.params, blank.distributions = {}, {}
    blank.system_attrs = {name: value for name, value in trial.system_attrs.items() if name.startswith(OURS)}
    storage._set_trial(trial_id, blank)  # type: ignore[attr-defined]
    study._thread_local.cached_all_trials = None  # as `Study.ask` does: the cache has the trial as it was
    return deepcopy(trial)


def forget_unused(storage: BaseStorage, trial_id: int) -> None:
    """Empties a sampler's notes of what it would have drawn for other branches.

    TPE and GP write such notes, and read them as observations while the trial runs. They would be missing after a
    restart, so they are removed in any case; that way a restart draws the same.
    """
    for name in storage.get_trial_system_attrs(trial_id) if is_used() else ():
        if ":relative_params:" in name:
            storage.set_trial_system_attr(trial_id, name, "")


def has_notes(trial: FrozenTrial) -> bool:
    """Returns whether a sampler noted something when this trial was drawn that it will read at later draws."""
    notes = {name for name, value in trial.system_attrs.items() if value != "" and not name.startswith(OURS)}
    return is_used() and bool(notes)


@contextmanager
def running_again(study: Study, trial: FrozenTrial) -> Iterator[FrozenTrial]:
    """Yields a trial of a study in memory as it was when it was drawn: running, and without parameters.

    The notes that a sampler adds to it in the block are kept; everything else is restored afterwards.
    """
    storage, blank = study._storage, copy(trial)
    blank.state, blank.values, blank.intermediate_values = TrialState.RUNNING, None, {}
    blank.params, blank.distributions = {}, {}
    storage._set_trial(trial._trial_id, blank)  # type: ignore[attr-defined]
    try:
        yield blank
    finally:
        restored = copy(trial)
        restored.system_attrs = storage.get_trial(trial._trial_id).system_attrs
        storage._set_trial(trial._trial_id, restored)  # type: ignore[attr-defined]


def without_constraints(trial: FrozenTrial) -> FrozenTrial:
    """Returns a copy of the trial without the mark that it could not be trained."""
    feasible = copy(trial)
    feasible.system_attrs = {name: value for name, value in trial.system_attrs.items() if not name.startswith(OURS[1])}
    return feasible


def begin_anew_where_parameters_differ(sampler: CmaEsSampler, count: int) -> None:
    """Makes CMA-ES read and write only notes about the same number of parameters.

    CMA-ES finds its notes by a prefix, which then contains the number. If it read notes about other parameters than
    there are now, it would draw at random from then on.
    """
    if is_used():
        sampler._attr_prefix = f"cma:{count}:"


class _View(Study):
    def __init__(self, study: Study, trials: Sequence[FrozenTrial]) -> None:
        super().__init__(study.study_name, study._storage, sampler=study.sampler, pruner=study.pruner)
        self._trials = trials
        self._by_states: dict[tuple[TrialState, ...], list[FrozenTrial]] = {}  # TPE asks anew for each group

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        """Returns the trials in these states; nobody may change them, because they are not copies."""
        key = tuple(state for state in TrialState if states is None or state in states)
        if key not in self._by_states:
            self._by_states[key] = [trial for trial in self._trials if trial.state in key]
        return self._by_states[key]
