"""Which branch of a space the next drawn trial is of, where pretrained nets are searched: what is cheap comes first.

Heads come before fine-tuning, for they take seconds and say which nets are worth hours. Those nets are fine-tuned whose
trials were the best so far: half of them once each, the better half of these twice more, and so on. Where none of the
first of these comes up to the best head, fine-tuning has had its turns: a trial of it takes a hundred times as long.
Nets from scratch take turns with fine-tuning. When each branch has had its turns, the sampler is free.

Everything follows from the trials in the ledger at the time of the draw, and what was drawn is in the ledger, so a
restart goes on as if there had been none.
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

HEADS_FIRST = 16  # trials before any other, linear heads of the queue among them
TUNED_TRIED = 6  # trials of fine-tuning, whatever they come to
TUNED_FIRST = 14  # trials of fine-tuning, where one is as good as the best head
SCRATCH_FIRST = 8  # trials from scratch, between those of fine-tuning


@dataclass(frozen=True)
class Turns:
    """Attributes:
    families: the architectures that the space chooses among.
    recipes: the parameters of the first trial of an architecture, or of any pretrained net.
    """

    families: tuple[str, ...]
    recipes: Mapping[str, Values]

    @property
    def cheap(self) -> int:
        """So many trials, from the first, are heads before anything else is trained; 0 where there is nothing else."""
        heads = [reads_features(arch) for arch in self.families]
        return HEADS_FIRST if any(heads) and not all(heads) else 0

    def next(self, study: Study) -> tuple[str, Values] | None:
        """Returns the architecture of the next trial, and the parameters that it should have; None for any.

        Args:
          study: the trials there are; the next one is not among them.
        """
        trials = [trial for trial in study.get_trials(deepcopy=False) if "arch" in trial.params]
        drawn = Counter(trial.params["arch"] for trial in trials)
        heads = [arch for arch in self.families if reads_features(arch)]
        nets = [arch for arch in self.families if is_of_catalogue(arch)]
        scratch = [arch for arch in self.families if arch not in (*heads, *nets)]
        if heads and _count(drawn, heads) < HEADS_FIRST:
            return self._recipe(_least_drawn(drawn, heads), drawn)
        shares = [
            (_count(drawn, archs) / most, archs)
            for archs, most in ((nets, self._most_tuned(study, trials, heads, nets)), (scratch, SCRATCH_FIRST))
            if archs and _count(drawn, archs) < most
        ]
        if not shares:
            return None
        _, archs = min(shares, key=lambda share: share[0])
        if archs is nets:
            archs = self._worth_tuning(study, trials, nets, _count(drawn, nets))
        return self._recipe(_least_drawn(drawn, archs), drawn)

    def _recipe(self, arch: str, drawn: Counter[str]) -> tuple[str, Values]:
        recipe = self.recipes.get(TUNED if is_of_catalogue(arch) else arch, {})
        return arch, {} if drawn[arch] else recipe

    def _most_tuned(self, study: Study, trials: list[FrozenTrial], heads: list[str], nets: list[str]) -> int:
        """Returns how many trials of fine-tuning come before the sampler is free."""
        best = _best(study, trials, lambda trial: "head" if trial.params["arch"] in heads else trial.params["arch"])
        tuned = min((best[net] for net in nets if net in best), default=math.inf)
        return TUNED_FIRST if tuned <= best.get("head", math.inf) else TUNED_TRIED

    def _worth_tuning(self, study: Study, trials: list[FrozenTrial], nets: list[str], tuned: int) -> list[str]:
        """Returns the nets among which the next one to fine-tune is, the best first.

        Args:
          tuned: so many trials of fine-tuning were drawn.
        """
        kept, each = math.ceil(len(nets) / 2), 1
        while kept > 1 and tuned >= kept * each:
            tuned -= kept * each
            kept, each = math.ceil(kept / 2), 2 * each
        return _by_value(study, trials, nets)[:kept]


def _by_value(study: Study, trials: list[FrozenTrial], nets: list[str]) -> list[str]:
    """Returns the nets, those first of which a trial that ran to its end has the best value."""
    best = _best(study, trials, lambda trial: trial.params.get("backbone", trial.params["arch"]))
    return sorted(nets, key=lambda net: best.get(net, math.inf))


def _best(study: Study, trials: list[FrozenTrial], kind: Callable[[FrozenTrial], str]) -> dict[str, float]:
    """Returns the best value, the smaller the better, of the trials of each kind that ran to their ends."""
    sign = -1 if study.direction == StudyDirection.MAXIMIZE else 1
    best = dict[str, float]()
    for trial in trials:
        if trial.state == TrialState.COMPLETE and trial.value is not None:
            best[kind(trial)] = min(best.get(kind(trial), math.inf), sign * trial.value)
    return best


def _count(drawn: Counter[str], archs: list[str]) -> int:
    return sum(drawn[arch] for arch in archs)


def _least_drawn(drawn: Counter[str], archs: list[str]) -> str:
    return min(archs, key=drawn.__getitem__)
