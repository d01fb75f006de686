"""Draws the numbers that all trials have in common by CMA-ES; choices and parameters of one branch are drawn at random.

For n such numbers a generation has 4 + 3 ln(n) trials. A pruned trial counts with its value at that time, and one that
could not be trained counts with the worst value of all. As trials of further branches come in, fewer numbers are common
to all trials; each time CMA-ES restarts with the remaining ones.

`search/runtime/sampler_notes.py` preserves its state over a restart. N. Hansen, The CMA Evolution Strategy: A Tutorial,
arXiv:1604.00772.
"""

import warnings
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import CmaEsSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from sweep.search.samplers.counted import counted
from sweep.search.samplers.optuna_5_0 import begin_anew_where_parameters_differ, study_of


class Evolution(CmaEsSampler):
    """CMA-ES over the trials that count, as `counted` chooses them."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Returns the parameters that CMA-ES draws, by name."""
        space = super().infer_relative_search_space(_counted_view(study, trial), trial)
        begin_anew_where_parameters_differ(self, len(space))
        return space

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Returns the values that CMA-ES draws for these parameters."""
        return super().sample_relative(_counted_view(study, trial), trial, search_space)


def new(seed: int) -> Evolution:
    """Returns the sampler for one draw."""
    warnings.filterwarnings(
        "ignore", "Constraints have been set"
    )  # `counted` uses constraints to recognise trials that could not be trained
    return Evolution(seed=seed, warn_independent_sampling=False)


def _counted_view(study: Study, trial: FrozenTrial) -> Study:
    """Returns a view of the trials that count, without rejected draws of this trial, which belong to no generation."""
    trials = [each for each in study.get_trials(deepcopy=False) if each.number <= trial.number]
    return counted(study_of(study, trials), counts_pruned=True)
