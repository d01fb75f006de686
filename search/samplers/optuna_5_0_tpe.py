"""Optuna's TPE, which draws the same values in a fraction of the time once there are thousands of trials.

It replaces private parts of Optuna 5.0. Work that Optuna repeats for each group of parameters is done once per draw,
and work that it repeats at each draw is done once per trial. The tails of the normal distribution, which Optuna
computes number by number in Python, are computed for whole arrays. The candidates are the same to the last bit. Their
densities, whose largest ratio decides, differ only in the last digits.

With any other version of Optuna its own sampler draws.
"""

import copy
import warnings
from collections.abc import Iterable, Mapping
from heapq import nsmallest
from math import inf, isnan
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.samplers._tpe import parzen_estimator, probability_distributions
from optuna.samplers._tpe import sampler as tpe
from optuna.search_space import group_decomposed
from optuna.storages import BaseStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from scipy.special import log_ndtr, ndtr

from sweep.search.samplers.optuna_5_0 import is_used

LOG_OF_ROOT_OF_2_PI = np.log(2 * np.pi) / 2


def new(seed: int) -> TPESampler:
    """Returns TPE for one draw: multivariate, grouped, with running trials counted as bad ones."""
    warnings.filterwarnings("ignore", "Argument ``group``")  # Optuna has called it experimental since 2020
    return QuickTPE(seed) if is_used() else TPESampler(seed=seed, group=True)


class QuickTPE(TPESampler):
    """The sampler of one draw; the trials that it is shown must not change meanwhile."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed=seed, group=True)
        self._group_decomposed_search_space = _Groups(include_pruned=True)
        self._halves: tuple[_Half, _Half] | None = None

    def _sample(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        rows = _ROWS.setdefault(study._storage, _Rows())
        below, above = (
            _Densities(half.observations(search_space), search_space, self._parzen_estimator_parameters)
            for half in self._split(study, trial, rows)
        )
        samples = below.sample(self._rng.rng, self._n_ei_candidates)
        best = self._compare(samples, self._compute_acquisition_func(samples, below, above))
        return {name: drawn_from.to_external_repr(best[name]) for name, drawn_from in search_space.items()}

    def _split(self, study: Study, trial: FrozenTrial, rows: "_Rows") -> "tuple[_Half, _Half]":
        if self._halves is None:
            states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
            trials = {each.number: each for each in study._get_trials(False, states)}
            trials.pop(trial.number, None)
            good = split(study.direction, trials)
            above = np.setdiff1d(np.array(list(trials), dtype=int), good)
            self._halves = _Half(np.array(good, dtype=int), rows), _Half(above, rows)
            for number, each in trials.items():
                params = each.params if each.state != TrialState.RUNNING else self._get_params(each, study)
                if params is each.params:
                    rows.keep(number, params, each.distributions)
                else:
                    self._halves[1].running_trials.append((each, params))
        return self._halves


class _Half:
    """One of the two halves into which TPE splits the trials: the good ones, or the others.

    Args:
      numbers: the numbers of the trials, the lowest first.

    Attributes:
      running_trials: running trials, each with its parameters and those that its sampler noted in advance.
    """

    def __init__(self, numbers: np.ndarray, rows: "_Rows") -> None:
        self._numbers, self._rows = numbers, rows
        self.running_trials: list[tuple[FrozenTrial, Mapping[str, Any]]] = []

    def observations(self, search_space: Mapping[str, BaseDistribution]) -> dict[str, np.ndarray]:
        """Returns the values of these parameters over the trials that have all of them."""
        for trial, params in self.running_trials:
            self._rows.keep(
                trial.number, dict(params), {**search_space, **trial.distributions}
            )  # `search_space` has other ranges at each call, so these rows are computed anew
        values = self._rows.values(self._numbers, search_space)
        return dict(zip(search_space, values[~np.isnan(values).any(axis=1)].T, strict=True))


class _Groups(group_decomposed._GroupDecomposedSearchSpace):
    def calculate(self, study: Study, use_cache: bool = False) -> group_decomposed._SearchSpaceGroup:
        name_sets = set()
        for trial in study._get_trials(False, (TrialState.COMPLETE, TrialState.PRUNED), use_cache):
            if (names := tuple(trial.distributions)) not in name_sets:  # the same names split the groups no further
                name_sets.add(names)
                self._search_space.add_distributions(trial.distributions)
        return copy.deepcopy(self._search_space)


class _Rows:
    """The parameters of trials as numbers, one row for each trial, computed when the trial is first seen."""

    def __init__(self) -> None:
        self._columns: dict[str, int] = {}
        self._values = np.full((0, 0), np.nan)
        self._sources: dict[int, Mapping[str, Any]] = {}  # the dict that each row was computed from, by identity

    def keep(self, number: int, params: Mapping[str, Any], drawn_from: Mapping[str, BaseDistribution]) -> None:
        """Computes a trial's row, unless it was computed from this very dict.

        Parameters without a range in `drawn_from` are left out.
        """
        if self._sources.get(number) is params:
            return
        row = {
            self._column(name): drawn_from[name].to_internal_repr(value)
            for name, value in params.items()
            if name in drawn_from
        }
        rows, columns = self._values.shape
        if number >= rows:
            self._values = np.vstack([self._values, np.full((number + 1, columns), np.nan)])
        self._values[number] = np.nan
        self._values[number, list(row)] = list(row.values())
        self._sources[number] = params

    def values(self, numbers: np.ndarray, names: Iterable[str]) -> np.ndarray:
        """Returns (trials, parameters), NaN where a trial does not have a parameter."""
        columns = np.array([self._column(name) for name in names], dtype=int)
        return self._values[np.ix_(numbers, columns)]

    def _column(self, name: str) -> int:
        if name not in self._columns:
            self._columns[name] = len(self._columns)
            self._values = np.hstack([self._values, np.full((len(self._values), 1), np.nan)])
        return self._columns[name]


_ROWS: WeakKeyDictionary[BaseStorage, _Rows] = WeakKeyDictionary()


def split(direction: StudyDirection, trials: Mapping[int, FrozenTrial]) -> list[int]:
    """Returns the numbers of the good trials, the lowest first, as Optuna's `_split_trials` does.

    Args:
      trials: all trials by number.
    """
    groups: dict[Any, list[int]] = {"infeasible": [], **{state: [] for state in TrialState}}
    for number, trial in trials.items():
        state, notes = trial.state, trial.system_attrs
        is_infeasible = notes and state != TrialState.RUNNING and tpe._get_infeasible_trial_score(trial) > 0
        groups["infeasible" if is_infeasible else state].append(number)
    good = tpe.default_gamma(len(trials) - len(groups[TrialState.RUNNING]))
    sign = 1 if direction == StudyDirection.MINIMIZE else -1
    below = list[int]()
    for group, worth in (
        (TrialState.COMPLETE, lambda number: sign * (trials[number].value or 0.0)),
        (TrialState.PRUNED, lambda number: _worth_of_pruned(trials[number], sign)),
        ("infeasible", lambda number: tpe._get_infeasible_trial_score(trials[number])),
    ):
        if len(below) < good:
            below += nsmallest(good - len(below), groups[group], key=worth)
    return sorted(below)


def _worth_of_pruned(trial: FrozenTrial, sign: int) -> tuple[float, float]:
    """Returns the key by which a pruned trial is ranked: how far it came, then its value there."""
    if not trial.intermediate_values:
        return 1, 0.0
    step = max(trial.intermediate_values)
    value = trial.intermediate_values[step]
    return -step, inf if isnan(value) else sign * value


class _Densities(parzen_estimator._ParzenEstimator):
    def log_pdf(self, samples_dict: dict[str, np.ndarray]) -> np.ndarray:
        return log_density(self._mixture_distribution, self._transform(samples_dict))


def log_density(mixture: probability_distributions._MixtureOfProductDistribution, samples: np.ndarray) -> np.ndarray:
    """Returns (samples,) the logarithm of a mixture's density at each sample.

    Args:
      samples: (samples, parameters).
    """
    logs = np.tile(np.log(mixture.weights), (len(samples), 1))  # (samples, kernels)
    for values, kernels in zip(samples.T, mixture.distributions, strict=True):
        if isinstance(kernels, probability_distributions._BatchedCategoricalDistributions):
            logs += np.log(kernels.weights.T)[values.astype(int)]
        elif kernels.step:
            logs += _log_discrete(values, kernels)
        else:
            logs += _log_continuous(np.log(values) if kernels.is_log else values, kernels)
    largest = logs.max(axis=1)
    largest[np.isneginf(largest)] = 0
    with np.errstate(divide="ignore"):  # far from every kernel the density is 0
        return np.log(np.exp(logs - largest[:, None]).sum(axis=1)) + largest


def _log_continuous(values: np.ndarray, kernels: Any) -> np.ndarray:
    low, high = kernels.adapted_low, kernels.adapted_high
    mass = _log_mass((low - kernels.mu) / kernels.sigma, (high - kernels.mu) / kernels.sigma)
    logs = values[:, None] - kernels.mu
    logs /= kernels.sigma
    logs *= logs
    logs *= -0.5
    logs -= LOG_OF_ROOT_OF_2_PI + mass + np.log(kernels.sigma)
    logs[(values < low) | (values > high)] = -inf
    return logs


def _log_discrete(values: np.ndarray, kernels: Any) -> np.ndarray:
    """Returns (samples, kernels) the logarithm of each kernel's mass in the step around each value.

    There are few distinct pairs of a value and a kernel, so each is computed once.
    """
    values, of_value = np.unique(values, return_inverse=True)
    pairs, of_kernel = np.unique(kernels.mu + 1j * kernels.sigma, return_inverse=True)
    mu, sigma = pairs.real, pairs.imag
    ends = (values - kernels.step / 2, values + kernels.step / 2)
    left, right = (np.log(end)[:, None] if kernels.is_log else end[:, None] for end in ends)
    logs = _log_mass((left - mu) / sigma, (right - mu) / sigma)
    logs -= _log_mass((kernels.adapted_low - mu) / sigma, (kernels.adapted_high - mu) / sigma)
    return logs[np.ix_(of_value, of_kernel)]


def _log_mass(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Returns the logarithm of the mass of the standard normal distribution in [low, high], exact also in the tails."""
    low, high = np.where(low > 0, -high, low), np.where(low > 0, -low, high)  # the right tail is mirrored to the left
    logs = np.empty_like(low)
    is_tail = high <= 0
    below, above = log_ndtr(low[is_tail]), log_ndtr(high[is_tail])
    with np.errstate(divide="ignore"):  # the mass may be smaller than the smallest float
        logs[is_tail] = above + np.log1p(-np.exp(below - above))
    logs[~is_tail] = np.log1p(-ndtr(low[~is_tail]) - ndtr(-high[~is_tail]))
    return logs
