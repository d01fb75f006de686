"""What the samplers need of Optuna that has no public way, as read in version 5.0."""

from collections.abc import Container
from copy import copy, deepcopy

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState


def study_without(study: Study, hidden: set[int]) -> Study:
    """Returns a view of the study in which these trials do not exist.

    A copy of the study would cost the more the longer the sweep is. Optuna's samplers read trials by the private
    `_get_trials`; where a version reads them by `get_trials` alone, that hides them as well, and where it reads the
    storage, the sampler sees all trials: a weaker search, but not a wrong one.
    """
    return _View(study, hidden)


def study_with(study: Study, added: list[FrozenTrial]) -> Study:
    """Returns a view of the study in which there are these trials as well."""
    return _View(study, set(), added)


def forget_draw(study: Study, trial_id: int) -> FrozenTrial | None:
    """Takes a running trial's parameters out of a study in memory; returns the trial as it was before.

    Returns None where this version of Optuna keeps its trials in another way; nothing has changed then.
    """
    storage = study._storage
    drawn = storage.get_trial(trial_id)
    try:
        emptied = copy(drawn)
        emptied.params, emptied.distributions = {}, {}
        storage._set_trial(trial_id, emptied)  # type: ignore[attr-defined]
        study._thread_local.cached_all_trials = None  # as `Study.ask` does: the trial is among them as it was
    except AttributeError:
        return None
    return deepcopy(drawn)


class _View(Study):
    _added: list[FrozenTrial]

    def __init__(self, study: Study, hidden: set[int], added: list[FrozenTrial] | None = None) -> None:
        super().__init__(study.study_name, study._storage, sampler=study.sampler, pruner=study.pruner)
        self._hidden = hidden
        seen: list[FrozenTrial] = study._added if isinstance(study, _View) else []
        self._added = added or seen

    def get_trials(self, deepcopy: bool = True, states: Container[TrialState] | None = None) -> list[FrozenTrial]:
        return self._get_trials(deepcopy, states)

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        trials = super()._get_trials(deepcopy, states, use_cache)
        added = [trial for trial in self._added if states is None or trial.state in states]
        return [trial for trial in trials if trial.number not in self._hidden] + added
