"""Draws as `gp_1` does, but avoids what could not be trained: such a trial counts with the worst value.

This includes a draw that needs more memory than there is; `gp_1` does not see that draw and would repeat it. Trials
that ran a complete given config have no parameters; they are left out, so that they do not reduce the parameters that
all trials share.
"""

from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import GPSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from sweep.search.samplers.counted import counted


class FeasibleGP(GPSampler):
    """A Gaussian process over the trials that count, as `counted` chooses them."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Returns the parameters that the process draws, by name."""
        return super().infer_relative_search_space(counted(study), trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Returns the values that the process draws for these parameters."""
        return super().sample_relative(counted(study), trial, search_space)


def new(seed: int) -> FeasibleGP:
    """Returns the sampler for one draw."""
    return FeasibleGP(seed=seed, deterministic_objective=False)
