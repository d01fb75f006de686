"""Estimates how important each parameter was, and how certain that is."""

import math
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from sweep.analysis.record import Record
from sweep.analysis.report.charts import Axis, Chart, Figure, Series, named_rows, rows_height_px
from sweep.analysis.report.contents import plain
from sweep.analysis.trial_record import shown_name

FEWEST_FOR_IMPORTANCES = 10  # COMPLETE trials
DRAWS, SEED = 100, 20231002  # of the bootstrap over the trials
SPREAD = (5, 95)  # percentiles of the draws that are shown


@dataclass(frozen=True)
class Importance:
    """The share of a parameter in what distinguishes the best trials from the others.

    Attributes:
      name: the parameter.
      share: the share; the shares of all parameters add up to 1.
      low, high: the range that contains 90 % of the draws.
    """

    name: str
    share: float
    low: float
    high: float


@lru_cache(maxsize=4)
def importances(record: Record) -> tuple[list[Importance], str]:
    """Returns the importance of each parameter, the largest first, and an empty text.

    If the importances cannot be computed, returns an empty list and a text that says why. The result is computed once
    for each `Record` object.
    """
    trials = record.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(trials) < FEWEST_FOR_IMPORTANCES:
        clause = f"there is {len(trials)}" if len(trials) == 1 else f"there are {len(trials)}"
        return [], f"it takes {FEWEST_FOR_IMPORTANCES} COMPLETE trials to tell, and {clause}"
    rng = np.random.default_rng(SEED)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a branch may have few trials, which the spread shows
            shares = _shares(record.study, trials)
            draws = [
                _shares(record.study, [trials[i] for i in rng.integers(0, len(trials), len(trials))])
                for _ in range(DRAWS)
            ]
    except Exception as error:  # a failure of this estimate must not prevent the report
        return [], f"they could not be computed: {plain(str(error))}"
    if not shares:
        return [], "the trials do not differ in any parameter"
    ends = {name: np.percentile([draw.get(name, 0.0) for draw in draws], SPREAD).tolist() for name in shares}
    order = sorted(shares, key=lambda name: (-shares[name], name))
    return [Importance(shown_name(name), shares[name], *ends[name]) for name in order], ""


class _DrawnStudy(optuna.Study):
    """A study that returns the trials of a draw; adding them to a study would copy them and take a second a draw."""

    def __init__(self, study: optuna.Study, trials: list[FrozenTrial]) -> None:
        memory = optuna.storages.InMemoryStorage()
        memory.create_new_study(study.directions, study.study_name)
        super().__init__(study.study_name, memory)
        self._drawn_trials = trials

    def get_trials(self, deepcopy: bool = True, states: Any = None) -> list[FrozenTrial]:
        return self._drawn_trials


def _shares(study: optuna.Study, trials: list[FrozenTrial]) -> dict[str, float]:
    """Returns the share of each parameter, adding up to 1; empty if no parameter makes a difference."""
    # The method needs five trials above the quantile to be stable, according to its documentation in Optuna.
    quantile = min(0.5, max(0.1, 5 / len(trials)))
    evaluator = PedAnovaImportanceEvaluator(target_quantile=quantile)
    scores = get_param_importances(_DrawnStudy(study, trials), evaluator=evaluator, normalize=False)
    total = sum(scores.values())
    return {name: share / total for name, share in scores.items()} if 0 < total < math.inf else {}


def importances_figure(record: Record) -> Figure | None:
    """Returns the figure of the importances; None if they cannot be computed."""
    rows, _ = importances(record)
    if not rows:
        return None
    texts = [f"{row.name}: {row.share:.2f}, in 90 % of the draws {row.low:.2f} to {row.high:.2f}" for row in rows]
    series = Series(
        "measured",
        [row.share for row in rows],
        [-place for place in range(len(rows))],
        texts=texts,
        intervals=[(row.low, row.high) for row in rows],
        intervals_along="x",
    )
    caption = (
        "The share of each parameter in what sets the best trials apart from the rest (Optuna's PED-ANOVA over the "
        f"COMPLETE trials; the shares add up to 1). A bar holds 90 % of {DRAWS} draws of the trials with replacement: "
        "where bars overlap, the order of the parameters is not settled; a point outside its bar hangs on few trials."
    )
    x = Axis("share of the importance", span=(0, 1.05 * max(max(row.high, row.share) for row in rows)))
    chart = Chart(x, named_rows([row.name for row in rows]), (series,), height_px=rows_height_px(len(rows)))
    return Figure("importances", caption, (chart,))
