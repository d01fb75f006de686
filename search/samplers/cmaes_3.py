"""Draws by CMA-ES the numbers that every trial has; choices, and what belongs to one branch, are drawn at random.

A generation has 4 + 3 ln(n) trials of n such numbers. A pruned trial counts with its value at that time, and one that
could not be trained with the worst there is. While trials of further branches come in, fewer numbers are common to all
of them; each time CMA-ES begins anew over those that are left.

Its state survives a restart by `search/runtime/sampler_notes.py`. N. Hansen, The CMA Evolution Strategy: A Tutorial,
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
    """The strategy over the trials that count."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        space = super().infer_relative_search_space(_counted(study, trial), trial)
        begin_anew_where_parameters_differ(self, len(space))
        return space

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return super().sample_relative(_counted(study, trial), trial, search_space)


def new(seed: int) -> Evolution:
    warnings.filterwarnings(
        "ignore", "Constraints have been set"
    )  # they are how `counted` knows what cannot be trained
    return Evolution(seed=seed, warn_independent_sampling=False)


def _counted(study: Study, trial: FrozenTrial) -> Study:
    """Leaves out earlier draws of the trial itself, which are of no generation."""
    before = [each for each in study.get_trials(deepcopy=False) if each.number <= trial.number]
    return counted(study_of(study, before), counts_pruned=True)
