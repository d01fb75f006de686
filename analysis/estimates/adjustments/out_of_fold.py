"""Predictions that are scaled by a temperature which was fitted to other images than those it is applied to."""

import numpy as np

from analysis.estimates.adjustments import temperature
from analysis.record import Record

FOLDS, SEED = 5, 20170806  # where the sweep has no folds of its own
FEWEST = 2 * FOLDS  # images that can be parted so


def scaled(record: Record, shares: np.ndarray) -> np.ndarray | None:
    """Returns (N, classes) probabilities on the validation images; None where there are too few of them.

    Each fold is scaled by the temperature with which the others have the least log loss. The folds are those of the
    sweep, or else every class is dealt to five.

    Args:
      shares: (N, classes) probabilities.
    """
    labels = record.valid_labels
    if len(labels) < FEWEST:
        return None
    folds = _folds(labels) if record.folds is None else record.folds
    found = np.empty(shares.shape)
    for fold in np.unique(folds):
        is_in = folds == fold
        number = temperature.fit(None, labels, shares.T, ~is_in)
        found[is_in] = temperature.apply(shares[is_in].T, number).T
    return found


def _folds(labels: np.ndarray) -> np.ndarray:
    """(N,) the number of the fold of each image: the images of a class, in a fixed random order, are dealt in turn."""
    order = np.random.default_rng(SEED).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    folds = np.empty(len(labels), int)
    folds[order] = np.arange(len(labels)) % FOLDS
    return folds
