"""The kinds of model side by side: how good the best of each is, and what it has in what is chosen to predict with."""

from dataclasses import dataclass

from sweep.analysis.estimates.choice import Choice
from sweep.analysis.record import Record
from sweep.analysis.trial_record import TrialRecord
from sweep.storage.states import State


@dataclass(frozen=True)
class KindRow:
    """One kind of model, `trainable.models.kind_of`.

    Attributes:
      trials: how many of it are COMPLETE.
      best: the best of them.
      members: those in what is chosen to predict with, each with how often it counts.
      share: of these in it.
    """

    kind: str
    trials: int
    best: TrialRecord
    members: tuple[tuple[int, int], ...]
    share: float


def kind_rows(record: Record, choice: Choice) -> list[KindRow]:
    """Returns a row a kind, the one with the best trial first; none where all trials are of one kind."""
    kinds: dict[str, list[TrialRecord]] = {}
    for trial in record.ranked:
        if trial.state == State.COMPLETE:
            kinds.setdefault(trial.kind, []).append(trial)
    if len(kinds) < 2:
        return []
    members, rows = choice.chosen.members, []
    for kind, trials in kinds.items():
        own = tuple(each for each in members if record.trials[each[0]].kind == kind)
        share = sum(count for _, count in own) / sum(count for _, count in members)
        rows.append(KindRow(kind, len(trials), trials[0], own, share))
    return rows
