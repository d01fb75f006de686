"""Makes ensembles by the mean of probabilities, with members chosen greedily.

The method is that of Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of models", 2004.
"""

from collections.abc import Sequence

import numpy as np

from sweep.analysis.estimates.ensembles.contract import Ensembles

MOST_STEPS = 10  # models that are added; a model that is added again counts again


def greedy(
    parts: np.ndarray, labels: np.ndarray, weights: np.ndarray, by_loss: bool = False, kinds: Sequence[str] = ()
) -> np.ndarray:
    """Adds models one by one, each time the one that improves the mean of the probabilities most.

    A model may be added again. Of two additions that leave equally many images right, the one that gives the true
    classes more probability is better. The result is the best of all ensembles on the way. The kinds of the models do
    not matter. Arguments and result are those of `analysis.estimates.ensembles.contract.Choose`.
    """
    counted_images = np.flatnonzero(weights)
    probabilities, labels, weights = parts[:, :, counted_images], labels[counted_images], weights[counted_images]
    classes, models, images = probabilities.shape
    true_probabilities = probabilities[labels, :, np.arange(images)].T  # (T, N)
    total = np.zeros((classes, images), np.float32)
    true_total = np.zeros(images, np.float32)
    smallest = weights.min()
    members: list[int] = []
    scores: list[float] = []
    for step in range(1, MOST_STEPS + 1):
        true_sums = true_total + true_probabilities
        if by_loss:
            score = np.log(np.maximum(true_sums, 1e-12) / step) @ weights
        else:
            best = total[0] + probabilities[0]
            for class_total, class_probabilities in zip(total[1:], probabilities[1:], strict=True):
                np.maximum(best, class_total + class_probabilities, out=best)
            score = (true_sums >= best) @ weights + 0.5 * smallest * (true_sums @ weights) / step
        model = int(score.argmax())
        members.append(model)
        scores.append(float(score[model]))
        total += probabilities[:, model]
        true_total = true_sums[model]
    return np.bincount(members[: 1 + int(np.argmax(scores))], minlength=models)


ENSEMBLES = Ensembles(part=lambda each: each, whole=lambda total, count: total, choose=greedy, of_kind=0)
