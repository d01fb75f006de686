"""What the samplers need of Optuna that has no public way, as read in version 5.0.

At any other version none of it is used: the samplers learn from trials that were pruned early as from any other, and a
config that needs more memory than there is makes its trial a FAIL, for it is not drawn again. A restart with trials
that run may draw other ones than a sweep that was not interrupted.
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
OURS = "fixed_params", "constraints"  # system attributes of a trial that no sampler writes


def is_used() -> bool:
    """Returns whether the Optuna that is installed is the one that these parts were read in."""
    return version("optuna").startswith(f"{VERSION}.")


def study_of(study: Study, trials: Sequence[FrozenTrial]) -> Study:
    """Returns a view of the study in which there are these trials and no others; a sampler's notes go to the study.

    A copy of the study would cost the more the longer the sweep is.
    """
    return _View(study, trials) if is_used() else study


def forget_draw(study: Study, trial_id: int) -> FrozenTrial | None:
    """Takes a running trial's parameters out of a study in memory; returns the trial as it was before.

    Returns None, and changes nothing, where it is not known how this version of Optuna keeps its trials.
    """
    if not is_used():
        return None
    storage = study._storage
    drawn = storage.get_trial(trial_id)
    emptied = copy(drawn)
    emptied.params, emptied.distributions = {}, {}
    emptied.system_attrs = {name: kept for name, kept in drawn.system_attrs.items() if name.startswith(OURS)}
    storage._set_trial(trial_id, emptied)  # type: ignore[attr-defined]
    study._thread_local.cached_all_trials = None  # as `Study.ask` does: the trial is among them as it was
    return deepcopy(drawn)


def forget_unused(storage: BaseStorage, trial_id: int) -> None:
    """Empties a sampler's note of what it would have drawn for other branches, which counts as seen while a trial runs.

    TPE and GP have such notes. A restart has none, and draws the same.
    """
    for name in storage.get_trial_system_attrs(trial_id) if is_used() else ():
        if ":relative_params:" in name:
            storage.set_trial_system_attr(trial_id, name, "")


def has_notes(trial: FrozenTrial) -> bool:
    """Returns whether a sampler noted something at the draw of this trial that it will read at later ones."""
    noted = {name for name, value in trial.system_attrs.items() if value != "" and not name.startswith(OURS)}
    return is_used() and bool(noted)


@contextmanager
def running_again(study: Study, trial: FrozenTrial) -> Iterator[FrozenTrial]:
    """Yields a trial of a study in memory as it was at its draw: it runs, and has no parameters.

    What a sampler notes with it meanwhile stays, and all else is as it was before.
    """
    storage, blank = study._storage, copy(trial)
    blank.state, blank.values, blank.intermediate_values = TrialState.RUNNING, None, {}
    blank.params, blank.distributions = {}, {}
    storage._set_trial(trial._trial_id, blank)  # type: ignore[attr-defined]
    try:
        yield blank
    finally:
        noted = copy(trial)
        noted.system_attrs = storage.get_trial(trial._trial_id).system_attrs
        storage._set_trial(trial._trial_id, noted)  # type: ignore[attr-defined]


def without_constraints(trial: FrozenTrial) -> FrozenTrial:
    """Returns a copy of the trial of which nobody said that it cannot be trained."""
    feasible = copy(trial)
    feasible.system_attrs = {name: kept for name, kept in trial.system_attrs.items() if not name.startswith(OURS[1])}
    return feasible


def begin_anew_where_parameters_differ(sampler: CmaEsSampler, count: int) -> None:
    """Lets CMA-ES read the notes alone that it took over so many parameters, and take its own likewise.

    It knows its notes by a prefix. Where they are over other parameters than there are now, it would draw at random
    from then on.
    """
    if is_used():
        sampler._attr_prefix = f"cma:{count}:"


class _View(Study):
    def __init__(self, study: Study, trials: Sequence[FrozenTrial]) -> None:
        super().__init__(study.study_name, study._storage, sampler=study.sampler, pruner=study.pruner)
        self._trials = trials
        self._by_states: dict[tuple[TrialState, ...], list[FrozenTrial]] = {}  # TPE asks once for each group

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        """Returns trials which nobody may change."""
        wanted = tuple(state for state in TrialState if states is None or state in states)
        if wanted not in self._by_states:
            self._by_states[wanted] = [trial for trial in self._trials if trial.state in wanted]
        return self._by_states[wanted]
