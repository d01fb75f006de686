"""The trials whose weights stay: the best ones, as many as the leaderboard has."""

from bisect import bisect, insort
from collections.abc import Iterable
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from search.runtime import trial_files
from storage import paths
from trainable.metrics import named


class BestWeights:
    """Knows which COMPLETE trials are the best, and removes the weights of all others.

    Args:
      folder: of the sweep.
    """

    def __init__(self, folder: Path, metric: str) -> None:
        self.folder, self.sign = folder, named(metric).sign
        self.best: list[tuple[float, int]] = []  # by `_rank`, in order

    def recover(self, ended: list[FrozenTrial]) -> None:
        """Begins with the trials that have ended."""
        complete = {t.number: t.value for t in ended if t.state == TrialState.COMPLETE and t.value is not None}
        self.best = sorted({self._rank(*each) for each in complete.items()})[: trial_files.KEPT_WEIGHTS]
        self._remove({trial.number for trial in ended} - {number for _, number in self.best})

    def would_stay(self, number: int, value: float) -> bool:
        return bisect(self.best, self._rank(number, value)) < trial_files.KEPT_WEIGHTS

    def add(self, number: int, value: float) -> None:
        """Takes in a trial that is COMPLETE."""
        insort(self.best, self._rank(number, value))
        self._remove(number for _, number in self.best[trial_files.KEPT_WEIGHTS :])
        del self.best[trial_files.KEPT_WEIGHTS :]

    def _rank(self, number: int, value: float) -> tuple[float, int]:
        """Of a COMPLETE trial: the lower, the better."""
        return (-self.sign * value, number)

    def _remove(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            trial_files.remove_weights(paths.trial_folder(self.folder, number))
