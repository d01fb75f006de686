"""Restores, after a restart, the notes that a sampler took at one draw for later draws.

Optuna's samplers keep such notes with the trials; CMA-ES keeps its whole state, pickled. These notes are only in
memory, because a sweep's folder holds no pickle. Instead, for each trial at which the sampler took notes, the ledger
stores how the earlier trials had changed since the last such trial. A restart asks the sampler again, in the same order
and with the trials as they were then, so that it takes the same notes.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from sweep.search.samplers.optuna_5_0 import is_used, running_again, study_of, without_constraints
from sweep.storage.schema import parsed
from sweep.storage.states import Reason

SAW = "sampler_saw"  # the user attribute of a trial that stores the `Changes`
ENDED = -1  # in place of the steps of a trial that has ended


@dataclass(frozen=True)
class Changes:
    """The changes of the trials since the sampler last took notes, as the ledger stores them.

    Attributes:
      ended: the numbers of trials that had ended.
      paused: [number, steps] of each trial that waited at a rung, with the steps that it had trained by then.
      running: the numbers of trials that ran again.
    """

    ended: list[int] = field(default_factory=list)
    paused: list[list[int]] = field(default_factory=list)
    running: list[int] = field(default_factory=list)


@dataclass
class KnownStates:
    """The state of each trial when the sampler last took notes.

    Attributes:
      steps: by the trial's number, the steps of a paused trial or `ENDED`; running trials are missing.
    """

    steps: dict[int, int] = field(default_factory=dict)

    def note_changes(self, shown: Sequence[FrozenTrial], trials: Sequence[FrozenTrial]) -> dict[str, Any]:
        """Takes in the current trials and returns how they changed, to be stored as an attribute of the next trial.

        Args:
          shown: the trials as the sampler is shown them; one that waits at a rung appears to have been stopped there.
          trials: the same trials as they are.
        """
        current = {}
        for shown_trial, trial in zip(shown, trials, strict=True):
            if shown_trial.state.is_finished():
                current[trial.number] = ENDED if trial.state.is_finished() else len(shown_trial.intermediate_values)
        previous, self.steps = self.steps, current
        changed_steps = {number: steps for number, steps in current.items() if previous.get(number) != steps}
        changes = {
            "ended": [number for number, steps in changed_steps.items() if steps == ENDED],
            "paused": [[number, steps] for number, steps in changed_steps.items() if steps != ENDED],
            "running": [number for number in previous if number not in current],
        }
        return {name: numbers for name, numbers in changes.items() if numbers}

    def follow(self, attribute: Any) -> None:
        """Takes in the changes that the ledger stores.

        Raises:
          ValueError: the attribute has another form.
        """
        changes = parsed(Changes, attribute)
        self.steps |= dict.fromkeys(changes.ended, ENDED)
        for number, steps in changes.paused:
            self.steps[number] = steps
        for number in changes.running:
            self.steps.pop(number, None)

    def as_then(self, trial: FrozenTrial) -> FrozenTrial:
        """Returns the trial as the sampler was shown it at its last notes."""
        steps = self.steps.get(trial.number)
        if steps == ENDED and trial.state.is_finished():
            return trial
        running_trial = without_constraints(trial)
        running_trial.state, running_trial.values = TrialState.RUNNING, None
        return stopped_at(running_trial, steps) if steps in trial.intermediate_values else running_trial


def stopped_at(trial: FrozenTrial, steps: int) -> FrozenTrial:
    """Returns the trial as it would be if it had been stopped after so many steps."""
    stopped_trial = copy(trial)
    stopped_trial.intermediate_values = {
        step: value for step, value in trial.intermediate_values.items() if step <= steps
    }
    stopped_trial.state, stopped_trial.values = TrialState.PRUNED, [trial.intermediate_values[steps]]
    stopped_trial.user_attrs = trial.user_attrs | {"reason": Reason.NOT_AMONG_THE_BEST}
    return stopped_trial


def take_again(study: Study, trial: FrozenTrial, states: KnownStates, sampler: BaseSampler) -> None:
    """Lets the sampler take again the notes that it took when a trial was drawn.

    Args:
      study: a study in memory with all trials, in which those before this one have their notes again.
      trial: the trial at whose draw the notes were taken.
      states: the states that the sampler saw when it took the notes before these; updated to those it saw now.

    Raises:
      ValueError: the trial's attribute is not as a driver wrote it.
    """
    states.follow(trial.user_attrs[SAW])
    if not is_used():
        return
    earlier_trials = study.get_trials(deepcopy=False)[: trial.number]
    with running_again(study, trial) as blank_trial:
        past_study = study_of(study, [*map(states.as_then, earlier_trials), blank_trial])
        sampler.sample_relative(past_study, blank_trial, sampler.infer_relative_search_space(past_study, blank_trial))
