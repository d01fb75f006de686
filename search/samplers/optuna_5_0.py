"""What the samplers need of Optuna that has no public way, as read in version 5.0."""

from collections.abc import Container

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState


def study_without(study: Study, hidden: set[int]) -> Study:
    """Returns a view of the study in which these trials do not exist.

    A copy of the study would cost the more the longer the sweep is. Optuna's samplers read trials by the private
    `_get_trials`; where a version reads them by `get_trials` alone, that hides them as well, and where it reads the
    storage, the sampler sees all trials: a weaker search, but not a wrong one.
    """
    return _View(study, hidden)


class _View(Study):
    def __init__(self, study: Study, hidden: set[int]) -> None:
        super().__init__(study.study_name, study._storage, sampler=study.sampler, pruner=study.pruner)
        self._hidden = hidden

    def get_trials(self, deepcopy: bool = True, states: Container[TrialState] | None = None) -> list[FrozenTrial]:
        return self._get_trials(deepcopy, states)

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        trials = super()._get_trials(deepcopy, states, use_cache)
        return [trial for trial in trials if trial.number not in self._hidden]
