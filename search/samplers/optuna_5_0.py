"""What the samplers need of Optuna that has no public way, as read in version 5.0.

At any other version none of it is used: the samplers learn from trials that were pruned early as from any other, and a
config that needs more memory than there is makes its trial a FAIL, for it is not drawn again. A restart with trials
that run may draw other ones than a sweep that was not interrupted.
"""

from collections.abc import Container, Sequence
from copy import copy, deepcopy
from importlib.metadata import version

from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

VERSION = "5.0"


def is_used() -> bool:
    """Returns whether the Optuna that is installed is the one that these parts were read in."""
    return version("optuna").startswith(f"{VERSION}.")


def study_without(study: Study, hidden: set[int]) -> Study:
    """Returns a view of the study in which these trials do not exist.

    A copy of the study would cost the more the longer the sweep is.
    """
    return _View(study, hidden) if is_used() else study


def study_with(study: Study, added: list[FrozenTrial]) -> Study:
    """Returns a view of the study in which there are these trials as well."""
    return _View(study, added=added) if is_used() else study


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
    storage._set_trial(trial_id, emptied)  # type: ignore[attr-defined]
    study._thread_local.cached_all_trials = None  # as `Study.ask` does: the trial is among them as it was
    return deepcopy(drawn)


def forget_other_branches(storage: BaseStorage, trial_id: int) -> None:
    """Empties TPE's note of what it would have drawn for other branches, which it counts as seen while the trial runs.

    A restart has no such note, and draws the same.
    """
    if is_used():
        storage.set_trial_system_attr(trial_id, "tpe:relative_params:0", "")


class _View(Study):
    def __init__(self, study: Study, hidden: Container[int] = (), added: Sequence[FrozenTrial] = ()) -> None:
        super().__init__(study.study_name, study._storage, sampler=study.sampler, pruner=study.pruner)
        self._seen, self._hidden, self._added = study, hidden, added

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        trials = self._seen._get_trials(deepcopy, states)  # with no cache, which may be older
        added = [trial for trial in self._added if states is None or trial.state in states]
        return [trial for trial in trials if trial.number not in self._hidden] + added
