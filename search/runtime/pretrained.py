"""Checks, before a sweep continues, whether its pretrained weights are on this machine."""

from pathlib import Path

from sweep.storage import paths
from sweep.storage.sweep_file import SweepFile
from sweep.trainable import weights
from sweep.trainable.options import CHOICES
from sweep.trainable.weights.prepare import prepare


def check_weights(sweep: Path) -> list[str]:
    """Checks the weights with which a sweep continues, without downloading any.

    Returns:
      One line for each of the sweep's weights; if the sweep has not begun, one line with all nets that are available.

    Raises:
      WeightsError: weights of the sweep are missing, or are not the same any more.
    """
    if not paths.is_sweep(sweep):
        return [f"weights at hand: {', '.join(nets)}" for nets in [weights.all_at_hand()] if nets]
    stored_weights = SweepFile.read(sweep).weights or {}
    CHOICES.offline = True
    return [f"weights of {net}: {each.source}" for net, each in prepare(stored_weights, print, stored_weights).items()]
