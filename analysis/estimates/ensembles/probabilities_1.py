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
    counting = np.flatnonzero(weights)
    probabilities, labels, weights = parts[:, :, counting], labels[counting], weights[counting]
    classes, models, images = probabilities.shape
    true = probabilities[labels, :, np.arange(images)].T  # (T, N)
    total = np.zeros((classes, images), np.float32)
    true_total = np.zeros(images, np.float32)
    smallest = weights.min()
    added: list[int] = []
    scores: list[float] = []
    for step in range(1, MOST_STEPS + 1):
        true_then = true_total + true
        if by_loss:
            score = np.log(np.maximum(true_then, 1e-12) / step) @ weights
        else:
            best = total[0] + probabilities[0]
            for of_class, of_models in zip(total[1:], probabilities[1:], strict=True):
                np.maximum(best, of_class + of_models, out=best)
            score = (true_then >= best) @ weights + 0.5 * smallest * (true_then @ weights) / step
        chosen = int(score.argmax())
        added.append(chosen)
        scores.append(float(score[chosen]))
        total += probabilities[:, chosen]
        true_total = true_then[chosen]
    return np.bincount(added[: 1 + int(np.argmax(scores))], minlength=models)


ENSEMBLES = Ensembles(part=lambda each: each, whole=lambda total, count: total, choose=greedy, of_kind=0)
