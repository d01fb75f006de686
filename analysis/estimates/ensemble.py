"""Greedy ensembles: Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of models", 2004."""

import numpy as np

MOST_STEPS = 10  # models added, a model that is added again counting again


def greedy(probabilities: np.ndarray, labels: np.ndarray, weights: np.ndarray, by_loss: bool = False) -> np.ndarray:
    """Adds, with replacement, the model whose addition does most for the mean of the probabilities.

    Of two that leave as many images right, the one that gives the true classes more probability is the better; of all
    that were tried on the way, the best ensemble is taken.

    Args:
      probabilities: (classes, T, N) float32, of T models.
      labels: (N,) class indices.
      weights: (N,) what each image counts, adding up to 1.
      by_loss: judges by the mean log probability of the true class instead of by images that are right.

    Returns:
      (T,) int: how often each model is in it; one at least is.
    """
    counting = np.flatnonzero(weights)
    probabilities, labels, weights = probabilities[:, :, counting], labels[counting], weights[counting]
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


def mean(probabilities: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(classes, N): of the ensemble with each of the T models in it so often.

    Args:
      probabilities: (classes, T, N).
      counts: (T,).
    """
    return np.tensordot(probabilities, counts.astype(np.float32) / counts.sum(), axes=([1], [0]))
