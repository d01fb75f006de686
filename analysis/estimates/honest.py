"""What the best of many trials is worth: an estimate of the whole selection, epoch choice included.

The best of 50 trials, each at its best epoch, on the images that chose it, is flattered. Chosen again and again on
images drawn with replacement, and scored on the images that were left out, it is not: the bootstrap bias correction of
Tsamardinos, Greasidou and Borboudakis, "Bootstrapping the out-of-sample predictions for efficient and accurate
cross-validation", Machine Learning 107, 2018, with larger draws than theirs (`analysis.estimates.draws`). It needs the
kept predictions alone and trains nothing again. The interval around it is that of `analysis.estimates.intervals` or
`analysis.estimates.posterior`, as if a single trial had been measured and came out like that.

What it cannot correct: that the sampler and the pruner saw the same images while the sweep ran.
"""

from dataclasses import dataclass

import numpy as np

from sweep.analysis.estimates.scores import Scored


@dataclass(frozen=True)
class Estimate:
    """Of something chosen by its score.

    Attributes:
      chosen: the candidate that is the best on all images; the first of equals.
      raw: its score there.
      corrected: the bias-corrected estimate of the selection.
      low, high: 95 % interval around it, by the number of images.
    """

    chosen: int
    raw: float
    corrected: float
    low: float
    high: float


def estimate(scores: Scored, counts: np.ndarray) -> Estimate:
    """Chooses the best candidate, and says what the choice is worth.

    Args:
      counts: (B, N), of `draws`.
    """
    everywhere = scores.everywhere()
    best = int(everywhere.argmax())
    raw = corrected = float(everywhere[best])
    if len(counts):  # a single image tells nothing
        corrected = scores.left_out(counts, scores.on_drawn(counts).argmax(axis=1))
    return Estimate(best, raw, corrected, *scores.interval(best, corrected))
