"""Draws as `gp_1` does, and keeps away from what could not be trained: such a trial counts with the worst value.

That holds too for a draw that needs more memory than there is: for `gp_1` it is as if it had not been, so it is drawn
once more. Trials whose config was given whole have no parameters, and leave those that the others share as they are.
"""

from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import GPSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from sweep.search.samplers.counted import counted


class FeasibleGP(GPSampler):
    """The process over the trials that count."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return super().infer_relative_search_space(counted(study), trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return super().sample_relative(counted(study), trial, search_space)


def new(seed: int) -> FeasibleGP:
    return FeasibleGP(seed=seed, deterministic_objective=False)
