"""Draws as `tpe_1` does, but does not give up a family because of trials that were pruned early.

A family is the set of trials with the same `arch`. A trial that is pruned at its first rung has trained for a few
epochs with one learning rate. While fewer than `FEWEST_PASSED` trials of its family have passed that rung, such an end
says more about the rate than about the family, so the sampler does not see it.
"""

from collections import Counter
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from sweep.search.samplers import optuna_5_0_tpe
from sweep.search.samplers.optuna_5_0 import study_of
from sweep.storage.states import Reason

FEWEST_PASSED = 2


class FairTPE(BaseSampler):
    """TPE over the trials that count, which are all but those in `hidden_trials`."""

    def __init__(self, seed: int) -> None:
        self._tpe = optuna_5_0_tpe.new(seed)
        self._view: Study | None = None

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Returns the parameters that TPE draws jointly, by name."""
        return self._tpe.infer_relative_search_space(self._counted_view(study), trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Returns the values that TPE draws for these parameters."""
        return self._tpe.sample_relative(self._counted_view(study), trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Returns the value that TPE draws for a single parameter."""
        view = self._counted_view(study)
        return self._tpe.sample_independent(view, trial, param_name, param_distribution)

    def _counted_view(self, study: Study) -> Study:
        """Returns the view of the study without hidden trials; it is the same throughout this sampler's only draw."""
        if self._view is None:
            trials = study.get_trials(deepcopy=False)
            hidden = hidden_trials(trials)
            self._view = study_of(study, [trial for trial in trials if trial.number not in hidden])
        return self._view


def new(seed: int) -> FairTPE:
    """Returns the sampler for one draw."""
    return FairTPE(seed)


def hidden_trials(trials: list[FrozenTrial]) -> set[int]:
    """Returns the numbers of the trials that do not count: pruned early, in a family of which hardly any passed a rung.

    The ledger notes the last rung that a trial passed. Baselines are never pruned and so have no such note; that they
    reach their end proves nothing.
    """
    passes, ended_early = Counter[str](), list[FrozenTrial]()
    for trial in trials:
        attributes = trial.user_attrs
        if "passed" in attributes:
            passes[_family(trial)] += 1
        elif trial.state == TrialState.PRUNED and attributes.get("reason") == Reason.NOT_AMONG_THE_BEST:
            ended_early.append(trial)
    return {trial.number for trial in ended_early if passes[_family(trial)] < FEWEST_PASSED}


def _family(trial: FrozenTrial) -> str:
    return trial.user_attrs.get("config", {}).get("arch", "")
