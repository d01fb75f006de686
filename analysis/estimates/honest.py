"""Estimates what the best of many trials is worth, corrected for the choice of the trial and of its epoch.

The value of the best of 50 trials, each at its best epoch, is too good on the images that chose it. Here the choice is
repeated many times on images drawn with replacement, and each time the chosen candidate is scored on the images that
were left out. This is the bootstrap bias correction of Tsamardinos, Greasidou and Borboudakis, "Bootstrapping the
out-of-sample predictions for efficient and accurate cross-validation", Machine Learning 107, 2018, with larger draws
than theirs (`analysis.estimates.draws`). It needs only the kept predictions and trains nothing again. The interval
around the estimate comes from `analysis.estimates.intervals` or `analysis.estimates.posterior`, as if a single trial
had been measured with this value.

One thing is not corrected: the sampler and the pruner used the same images while the sweep ran.
"""

from dataclasses import dataclass

import numpy as np

from sweep.analysis.estimates.scores import Scored


@dataclass(frozen=True)
class Estimate:
    """The estimate for a candidate that was chosen for its score.

    Attributes:
      chosen: the index of the candidate that is the best on all images; the first of equals.
      raw: the score of this candidate on all images.
      corrected: the score corrected for the choice.
      low, high: the 95 % interval around `corrected`, which follows from the number of images.
    """

    chosen: int
    raw: float
    corrected: float
    low: float
    high: float


def estimate(scores: Scored, counts: np.ndarray) -> Estimate:
    """Chooses the best candidate, and estimates what the choice is worth.

    Args:
      scores: the scores of the candidates.
      counts: (B, N), how often each image was drawn, as `draws` returns it.
    """
    values = scores.everywhere()
    best = int(values.argmax())
    raw = corrected = float(values[best])
    if len(counts):  # a single image allows no draw that leaves an image out
        corrected = scores.left_out(counts, scores.on_drawn(counts).argmax(axis=1))
    return Estimate(best, raw, corrected, *scores.interval(best, corrected))
