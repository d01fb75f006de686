"""Whether the pretrained weights of a sweep are on this machine, asked before it goes on."""

from pathlib import Path

from sweep.storage import paths
from sweep.storage.sweep_file import SweepFile
from sweep.trainable import weights
from sweep.trainable.options import CHOICES
from sweep.trainable.weights.prepare import prepare


def check_weights(sweep: Path) -> list[str]:
    """Checks the weights that a sweep goes on with; fetches none.

    Returns:
      what is there, a line each; for a sweep that is not begun, whatever nets are at hand.

    Raises:
      WeightsError: the sweep's are not there, or are others by now.
    """
    if not paths.is_sweep(sweep):
        return [f"weights at hand: {', '.join(nets)}" for nets in [weights.all_at_hand()] if nets]
    begun = SweepFile.read(sweep).weights or {}
    CHOICES.offline = True
    return [f"weights of {net}: {each.source}" for net, each in prepare(begun, print, begun).items()]
