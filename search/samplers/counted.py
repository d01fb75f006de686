"""A view of the study for samplers that learn only from COMPLETE trials."""

from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sweep.search.samplers.optuna_5_0 import study_of, without_constraints
from sweep.storage.states import Reason


def counted(study: Study, counts_pruned: bool = False) -> Study:
    """Returns a view of the study in which every trial that says something about its parameters is COMPLETE.

    A trial that could not be trained gets the worst value of all, so that the sampler avoids its parameters. The view
    leaves out trials that ran a complete given config, which have no parameters, and trials for which the space had no
    config, which have only some. Otherwise fewer parameters would be common to all trials.

    Args:
      counts_pruned: whether a pruned trial is COMPLETE as well, with its value at that time.
    """
    trials = study.get_trials(deepcopy=False)
    values = {
        trial.number: trial.value
        for trial in trials
        if trial.value is not None and not trial.constraints and (counts_pruned or trial.state == TrialState.COMPLETE)
    }
    if not values:
        return study
    worst = (max if study.direction == StudyDirection.MINIMIZE else min)(values.values())
    view = []
    for trial in trials:
        if not trial.state.is_finished():
            view.append(trial)
        elif trial.params and trial.user_attrs.get("reason") != Reason.NO_CONFIG:
            says_something = trial.number in values or trial.constraints
            view.append(_complete(trial, values.get(trial.number, worst)) if says_something else trial)
    return study_of(study, view)


def _complete(trial: FrozenTrial, value: float) -> FrozenTrial:
    complete = without_constraints(trial)
    complete.state, complete.values = TrialState.COMPLETE, [value]
    return complete
