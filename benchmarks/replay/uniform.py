"""A trial that answers the questions of a space at random, as Optuna's random sampler does."""

import math
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sweep.search.spaces.walker import Suggester


class UniformTrial(Suggester):
    """Draws each parameter uniformly over its range, on its scale; the same name always gets the same answer."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self.params: dict[str, Any] = {}

    def choose(self, name: str, distribution: BaseDistribution) -> Any:
        """Returns the value of a parameter."""
        if name not in self.params:
            self.params[name] = self._draw(distribution)
        return self.params[name]

    def _draw(self, distribution: BaseDistribution) -> Any:
        if isinstance(distribution, CategoricalDistribution):
            return distribution.choices[self._generator.integers(len(distribution.choices))]
        assert isinstance(distribution, IntDistribution | FloatDistribution)
        low, high = distribution.low, distribution.high
        step = distribution.step or 0  # the range is widened by half a step, so that all values are equally likely
        start, end = (
            (math.log(low - step / 2), math.log(high + step / 2))
            if distribution.log
            else (low - step / 2, high + step / 2)
        )
        value = self._generator.uniform(start, end)
        value = math.exp(value) if distribution.log else value
        if step:
            value = low + step * round((value - low) / step)
        value = min(max(value, low), high)
        return int(value) if isinstance(distribution, IntDistribution) else float(value)
