"""Chooses the branch of each drawn trial where pretrained nets are searched, so that cheap trials come first.

Heads come before fine-tuning, because they take seconds and show which nets are worth hours. The nets whose trials were
best so far are fine-tuned: the better half of them once each, the better half of these twice more, and so on. If none
of the first fine-tuned trials reaches the best head, there are no further turns for fine-tuning, because such a trial
takes a hundred times as long. Nets from scratch take turns with fine-tuning. After the turns of all branches, the
sampler decides alone.

Every choice follows from the trials in the ledger at that time, so a restart continues as if there had been none.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sweep.search.portfolios.by_cost import TUNED
from sweep.storage.sweep_file import Values
from sweep.trainable.models import is_of_catalogue, reads_features

HEADS_FIRST = 16  # trials of heads before all others, including the linear heads in the queue
TUNED_TRIED = 6  # trials of fine-tuning, whatever their results are
TUNED_FIRST = 14  # trials of fine-tuning if one of them is as good as the best head
SCRATCH_FIRST = 8  # trials from scratch, which alternate with those of fine-tuning


@dataclass(frozen=True)
class Turns:
    """Chooses the architecture, and the parameters of its first trial, while the branches take turns.

    Attributes:
      families: the architectures among which the space chooses.
      recipes: the parameters of the first trial of an architecture, or, under `TUNED`, of any pretrained net.
    """

    families: tuple[str, ...]
    recipes: Mapping[str, Values]

    @property
    def cheap(self) -> int:
        """The number of first trials that are all heads and so cost little; 0 if the space has only heads or none."""
        heads = [reads_features(arch) for arch in self.families]
        return HEADS_FIRST if any(heads) and not all(heads) else 0

    def next(self, study: Study) -> tuple[str, Values] | None:
        """Returns the next trial's architecture and the parameters that it should have; None if the sampler may choose.

        Args:
          study: the existing trials, without the next one.
        """
        trials = [trial for trial in study.get_trials(deepcopy=False) if "arch" in trial.params]
        draws = Counter(trial.params["arch"] for trial in trials)
        heads = [arch for arch in self.families if reads_features(arch)]
        nets = [arch for arch in self.families if is_of_catalogue(arch)]
        scratch = [arch for arch in self.families if arch not in (*heads, *nets)]
        if heads and _count(draws, heads) < HEADS_FIRST:
            return self._recipe(_least_drawn(draws, heads), draws)
        shares = [
            (_count(draws, archs) / limit, archs)
            for archs, limit in ((nets, self._most_tuned(study, trials, heads, nets)), (scratch, SCRATCH_FIRST))
            if archs and _count(draws, archs) < limit
        ]
        if not shares:
            return None
        _, archs = min(shares, key=lambda share: share[0])
        if archs is nets:
            archs = self._worth_tuning(study, trials, nets, _count(draws, nets))
        return self._recipe(_least_drawn(draws, archs), draws)

    def _recipe(self, arch: str, draws: Counter[str]) -> tuple[str, Values]:
        recipe = self.recipes.get(TUNED if is_of_catalogue(arch) else arch, {})
        return arch, {} if draws[arch] else recipe

    def _most_tuned(self, study: Study, trials: list[FrozenTrial], heads: list[str], nets: list[str]) -> int:
        """Returns how many trials of fine-tuning have a turn before the sampler decides alone."""
        best = _best(study, trials, lambda trial: "head" if trial.params["arch"] in heads else trial.params["arch"])
        best_tuned = min((best[net] for net in nets if net in best), default=math.inf)
        return TUNED_FIRST if best_tuned <= best.get("head", math.inf) else TUNED_TRIED

    def _worth_tuning(self, study: Study, trials: list[FrozenTrial], nets: list[str], tuned_count: int) -> list[str]:
        """Returns the nets from which the next one to fine-tune is taken, the best first.

        Args:
          tuned_count: the number of fine-tuning trials drawn so far.
        """
        net_count, trials_each = math.ceil(len(nets) / 2), 1
        while net_count > 1 and tuned_count >= net_count * trials_each:
            tuned_count -= net_count * trials_each
            net_count, trials_each = math.ceil(net_count / 2), 2 * trials_each
        return _by_value(study, trials, nets)[:net_count]


def _by_value(study: Study, trials: list[FrozenTrial], nets: list[str]) -> list[str]:
    """Returns the nets, ordered by the best value of their trials that ran to the end, the best first."""
    best = _best(study, trials, lambda trial: trial.params.get("backbone", trial.params["arch"]))
    return sorted(nets, key=lambda net: best.get(net, math.inf))


def _best(study: Study, trials: list[FrozenTrial], kind: Callable[[FrozenTrial], str]) -> dict[str, float]:
    """Returns the best value of each kind among trials that ran to the end; signs are such that smaller is better."""
    sign = -1 if study.direction == StudyDirection.MAXIMIZE else 1
    best = dict[str, float]()
    for trial in trials:
        if trial.state == TrialState.COMPLETE and trial.value is not None:
            best[kind(trial)] = min(best.get(kind(trial), math.inf), sign * trial.value)
    return best


def _count(draws: Counter[str], archs: list[str]) -> int:
    return sum(draws[arch] for arch in archs)


def _least_drawn(draws: Counter[str], archs: list[str]) -> str:
    return min(archs, key=draws.__getitem__)
