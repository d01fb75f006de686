"""What a sampler notes at one draw for the draws to come, and how a restart gets its notes back.

Optuna's samplers keep such notes with the trials: CMA-ES its whole state, pickled. They are in memory alone, for
nothing in a sweep's folder is a pickle. With each trial at which the sampler took notes the ledger has instead how the
trials before it had changed since the last such trial. A restart asks the sampler once more, in the same order and
before the same trials, so that it takes the same notes.
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

SAW = "sampler_saw"  # the attribute of a trial
ENDED = -1


@dataclass(frozen=True)
class Changes:
    """How trials had changed for the sampler since it last took notes, as the ledger has it.

    Attributes:
      ended: numbers of those that had ended.
      paused: of those that waited at a rung, each with its steps by then.
      running: of those that ran again.
    """

    ended: list[int] = field(default_factory=list)
    paused: list[list[int]] = field(default_factory=list)
    running: list[int] = field(default_factory=list)


@dataclass
class Seen:
    """What the sampler has seen of each trial when it last took notes.

    Attributes:
      steps: by the trial's number; `ENDED` of those that had ended, and nothing of those that ran.
    """

    steps: dict[int, int] = field(default_factory=dict)

    def look(self, shown: Sequence[FrozenTrial], trials: Sequence[FrozenTrial]) -> dict[str, Any]:
        """Takes in the trials; returns how they changed, as an attribute of the next one.

        Args:
          shown: the trials as the sampler is shown them: one that waits at a rung as if it had been stopped there.
          trials: the same as they are.
        """
        now = {}
        for then, trial in zip(shown, trials, strict=True):
            if then.state.is_finished():
                now[trial.number] = ENDED if trial.state.is_finished() else len(then.intermediate_values)
        before, self.steps = self.steps, now
        changed = {number: steps for number, steps in now.items() if before.get(number) != steps}
        changes = {
            "ended": [number for number, steps in changed.items() if steps == ENDED],
            "paused": [[number, steps] for number, steps in changed.items() if steps != ENDED],
            "running": [number for number in before if number not in now],
        }
        return {name: numbers for name, numbers in changes.items() if numbers}

    def follow(self, attribute: Any) -> None:
        """Takes in a change as the ledger has it.

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
        """Returns the trial as the sampler was shown it."""
        steps = self.steps.get(trial.number)
        if steps == ENDED and trial.state.is_finished():
            return trial
        running = without_constraints(trial)
        running.state, running.values = TrialState.RUNNING, None
        return stopped_at(running, steps) if steps in trial.intermediate_values else running


def stopped_at(trial: FrozenTrial, steps: int) -> FrozenTrial:
    """Returns the trial as it would be had it been stopped after so many steps."""
    stopped = copy(trial)
    stopped.intermediate_values = {step: value for step, value in trial.intermediate_values.items() if step <= steps}
    stopped.state, stopped.values = TrialState.PRUNED, [trial.intermediate_values[steps]]
    stopped.user_attrs = trial.user_attrs | {"reason": Reason.NOT_AMONG_THE_BEST}
    return stopped


def take_again(study: Study, trial: FrozenTrial, seen: Seen, sampler: BaseSampler) -> None:
    """Lets the sampler take the notes again that it had taken at the draw of a trial.

    Args:
      study: in memory, all trials in it, those before this one with their notes.
      seen: by the sampler at the last notes before; by these when the function returns.

    Raises:
      ValueError: the trial's attribute is not as a driver wrote it.
    """
    seen.follow(trial.user_attrs[SAW])
    if not is_used():
        return
    before = study.get_trials(deepcopy=False)[: trial.number]
    with running_again(study, trial) as blank:
        then = study_of(study, [*map(seen.as_then, before), blank])
        sampler.sample_relative(then, blank, sampler.infer_relative_search_space(then, blank))
