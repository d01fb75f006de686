"""Every metric has the value that scikit-learn computes, on a thousand random cases of each, or is refused by name.

Among the cases are ties, classes without images, classes that are no image's answer, and images of one class alone.
"""

import numpy as np
import pytest
import sklearn
from sklearn import metrics as sklearn_metrics

from sweep.storage.errors import UserError
from sweep.trainable.metrics import NAMES, named
from sweep.trainable.metrics.contract import softmax

CASES = 1000
KINDS = ("plain", "ties", "a class is missing", "few answers", "one class")
MANY_CLASSES = {"top5": 6}  # the least that a metric has a value for


def of_answers(function, **options):
    return lambda labels, probabilities: function(labels, probabilities.argmax(axis=1), **options)


def of_classes(function, **options):
    """Of one class against the rest, or, of more than two, the mean over all of them."""

    def value(labels, probabilities):
        classes = probabilities.shape[1]
        if classes == 2:
            return function(labels == 1, probabilities[:, 1], **options)
        return function(np.eye(classes, dtype=int)[labels], probabilities, average="macro", **options)

    return value


THEIRS = {
    "accuracy": of_answers(sklearn_metrics.accuracy_score),
    "balanced_accuracy": of_answers(sklearn_metrics.balanced_accuracy_score),
    "log_loss": lambda labels, probabilities: sklearn_metrics.log_loss(
        labels, probabilities, labels=range(probabilities.shape[1])
    ),
    "macro_f1": of_answers(sklearn_metrics.f1_score, average="macro"),
    "weighted_f1": of_answers(sklearn_metrics.f1_score, average="weighted"),
    "micro_f1": of_answers(sklearn_metrics.f1_score, average="micro"),
    "mcc": of_answers(sklearn_metrics.matthews_corrcoef),
    "qwk": lambda labels, probabilities: sklearn_metrics.cohen_kappa_score(
        labels, probabilities.argmax(axis=1), weights="quadratic", labels=range(probabilities.shape[1])
    ),
    "auc": of_classes(sklearn_metrics.roc_auc_score),
    "average_precision": of_classes(sklearn_metrics.average_precision_score),
    "top5": lambda labels, probabilities: sklearn_metrics.top_k_accuracy_score(
        labels, probabilities, k=5, labels=range(probabilities.shape[1])
    ),
    "precision:1": of_answers(sklearn_metrics.precision_score, labels=[1], average="macro", zero_division=0),
    "recall:1": of_answers(sklearn_metrics.recall_score, labels=[1], average="macro", zero_division=0),
}


def case(rng, least_classes):
    """Returns the labels and logits of some images."""
    kind, classes = rng.choice(KINDS), int(rng.integers(least_classes, 8))
    images = int(rng.integers(1, 120))
    labels = rng.integers(0, classes, images)
    logits = rng.normal(0, 2, (images, classes)) + rng.uniform(0, 3) * np.eye(classes)[labels]
    if kind == "ties":
        logits = np.round(logits)
    elif kind == "a class is missing":
        labels[labels == rng.integers(0, classes)] = rng.integers(0, classes)
    elif kind == "few answers":
        logits[:, rng.integers(0, classes)] += 5
    elif kind == "one class":
        labels[:] = rng.integers(0, classes)
    return labels, logits.astype(np.float32)


def test_each_metric_is_compared():
    assert THEIRS.keys() >= set(NAMES)


@sklearn.config_context(assume_finite=True, skip_parameter_validation=True)  # quicker
@pytest.mark.filterwarnings("ignore")  # what scikit-learn says of a class without images
@pytest.mark.parametrize("name", THEIRS)
def test_a_metric_has_the_value_of_scikit_learn_or_is_refused_by_name(name):
    rng, compared = np.random.default_rng(3), 0

    for _ in range(CASES):
        labels, logits = case(rng, MANY_CLASSES.get(name, 2))
        classes = [str(label) for label in range(logits.shape[1])]
        metric = named(name).for_classes(classes)
        if metric.undefined(labels, classes):
            with pytest.raises(UserError, match=f"^--metric {name}: on the "):
                metric.check(labels, classes)
            continue
        assert metric.value(labels, logits) == pytest.approx(THEIRS[name](labels, softmax(logits)), abs=1e-9, rel=0)
        compared += 1

    assert compared > CASES / 2
