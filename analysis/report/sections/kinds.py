"""Compares the kinds of models: the best trial of each, and its share in the chosen ensemble."""

from dataclasses import dataclass

from sweep.analysis.estimates.choice import Choice
from sweep.analysis.record import Record
from sweep.analysis.trial_record import TrialRecord
from sweep.storage.states import State


@dataclass(frozen=True)
class KindRow:
    """The results of one kind of model.

    Attributes:
      kind: the kind, as `trainable.models.kind_of` returns it.
      trials: how many trials of this kind are COMPLETE.
      best: the best of these trials.
      members: the trials of this kind that predict in the chosen option, each with how often it counts.
      share: the share of these trials among all that predict in it.
    """

    kind: str
    trials: int
    best: TrialRecord
    members: tuple[tuple[int, int], ...]
    share: float


def kind_rows(record: Record, choice: Choice) -> list[KindRow]:
    """Returns a row for each kind, the one with the best trial first; none if all COMPLETE trials are of one kind."""
    kinds: dict[str, list[TrialRecord]] = {}
    for trial in record.ranked:
        if trial.state == State.COMPLETE:
            kinds.setdefault(trial.kind, []).append(trial)
    if len(kinds) < 2:
        return []
    members, rows = choice.chosen.members, []
    for kind, trials in kinds.items():
        kind_members = tuple(member for member in members if record.trials[member[0]].kind == kind)
        share = sum(count for _, count in kind_members) / sum(count for _, count in members)
        rows.append(KindRow(kind, len(trials), trials[0], kind_members, share))
    return rows
