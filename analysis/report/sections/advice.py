"""Advises what to do next, from what the sweep shows."""

import shlex
from dataclasses import dataclass

from sweep.analysis.commands import command_to_go_on, own_code, search_command
from sweep.analysis.estimates.repeated import Repeated
from sweep.analysis.record import Record
from sweep.analysis.report.contents import count_states, failures
from sweep.analysis.report.sections.pictures import Doubts
from sweep.analysis.report.sections.ranges import Range, to_widen
from sweep.analysis.trial_record import TrialRecord
from sweep.storage import paths
from sweep.storage.programs import spelled
from sweep.storage.states import State
from sweep.storage.text import counted
from sweep.trainable.models import unread_fields

MANY_FAILED = 0.2  # a larger share of failed trials, of those that ended, is mentioned
LATE = 0.75  # a best trial after this share of the sweep may not be the best that can be found
FAR_ENOUGH = 0.5  # after a best trial before this share of the sweep, more trials of the same space bring little


@dataclass(frozen=True)
class NextStep:
    """One thing to do next.

    Attributes:
      text: what to do and why.
      commands: the commands that do it, if there are any.
    """

    text: str
    commands: tuple[str, ...] = ()


def next_steps(record: Record, rows: list[Range], doubts: Doubts | None, repeated: Repeated | None) -> list[NextStep]:
    """Returns what to do next, the most useful first; for a sweep that has not ended, how to bring it to its end.

    Args:
      record: the sweep.
      rows: what `ranges` returned.
      doubts: labels that may be wrong; None if no trial is COMPLETE.
      repeated: the repeat of the best configs; None if they were not trained again.
    """
    counts, sweep = count_states(record), shlex.join([f"{record.folder}", *own_code(record.file)])
    ended = sum(counts.values()) - counts.get(State.RUNNING, 0)
    steps = []
    is_ended = ended >= record.trials_wanted and not counts.get(State.RUNNING)
    if not is_ended:
        text = "The sweep is not at its end. If no driver runs any more, the same command goes on."
        steps.append(NextStep(text, (command,) if (command := command_to_go_on(record)) else ()))
    if counts.get(State.FAIL, 0) > MANY_FAILED * ended:
        finding = (
            f"{counts[State.FAIL]} of {counted(ended, 'trial')} failed, most often as {next(iter(failures(record)))}"
        )
        steps.append(NextStep(f"{finding}: see the failures, mend the cause."))
    best = record.best
    if best is None or not is_ended:
        return steps
    if names := to_widen(rows):
        steps.append(
            NextStep(
                f"Search wider: {names}. That is another space and so another sweep, where --enqueue can run these "
                "configs first."
            )
        )
    has_epochs = best.number not in record.damaged and "epochs" not in unread_fields(best.config["arch"])
    if has_epochs and best.best_epoch == best.epochs:
        steps.append(
            NextStep("The best trial was at its best in its last epoch: another sweep with more --max-epochs may help.")
        )
    steps += _more_trials(record, best, ended)
    if repeated is None:
        text = "Is the first config really better than the second? Train the best again with other seeds."
        steps.append(NextStep(text, (f"{spelled('repeat')} {sweep} --top 3 --seeds 5",)))
    if doubts is not None and doubts.found:
        steps.append(
            NextStep(
                f"Look at the {counted(doubts.found, 'label')} that all good trials speak against, and mend what is "
                "wrong."
            )
        )
    if not paths.is_sweep(record.folder / paths.REFIT):
        steps.append(
            NextStep(
                "The validation images can train too: refit the best config on them and the others, and predict with "
                "that.",
                (f"{spelled('refit')} {sweep}", f"{spelled('predict')} {sweep} --with refit"),
            )
        )
    return steps


def _more_trials(record: Record, best: TrialRecord, ended: int) -> list[NextStep]:
    """Returns advice for or against more trials, from how early the best trial came; empty if neither applies."""
    position = f"as number {best.number + 1} of {ended}"
    if best.number >= LATE * (ended - 1):
        flag, limit = ("--trials", ended)
        if budget := record.settings.budget_epochs:
            flag, limit = "--budget-epochs", max(budget, record.epochs)
        command = search_command(record, flag, str(limit + (limit + 1) // 2))
        return [
            NextStep(f"The best trial came late, {position}: half as many again may find a better one.", (command,))
        ]
    if best.number <= FAR_ENOUGH * (ended - 1):
        return [
            NextStep(f"The best trial came early, {position}: more trials of this space are likely to bring little.")
        ]
    return []
