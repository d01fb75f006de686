"""QWK: Cohen's kappa with quadratic weights, for classes that have an order, such as grades.

Jacob Cohen, "Weighted kappa", 1968. A wrong answer counts by the square of how many classes it is off; 1 is perfect
agreement, 0 the agreement of answers by chance. The order is that of the numbers in the names of the classes: `0`, `1`,
`2`, or `grade 0`, `grade 1`, with the same words in each name. Only the order of these numbers matters, as in
scikit-learn's `cohen_kappa_score` with all classes as its `labels`.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sweep.datasets.problems import shown
from sweep.storage.errors import UserError
from sweep.trainable.metrics.contract import Metric, unbound
from sweep.trainable.metrics.predictions import of_counts, one_class_alone

SIGNED, NUMBER = re.compile(r"[-+]?\d+(\.\d+)?"), re.compile(r"\d+(?:\.\d+)?")


def _ranks(classes: Sequence[str]) -> np.ndarray:
    """Returns (classes,) the place of each class in the order of the numbers in their names.

    Raises:
      UserError: the names have no numbers that give an order.
    """
    are_plain = all(SIGNED.fullmatch(name) for name in classes)
    numbers = [[name] if are_plain else NUMBER.findall(name) for name in classes]
    values = {float(matches[0]) for matches in numbers if len(matches) == 1}
    words = set() if are_plain else {tuple(NUMBER.split(name.casefold())) for name in classes}
    if len(values) < len(classes) or len(words) > 1:
        unclear_names = [name for name, matches in zip(classes, numbers, strict=True) if len(matches) != 1]
        sample = shown(unclear_names[0]) if unclear_names else f"{shown(classes[0])} and {shown(classes[-1])}"
        raise UserError(
            "--metric qwk: classes must have an order, which different numbers in their names tell (`0`, `1`, ... or "
            f"`grade 0`, `grade 1`, ...), got {sample}; rename the classes, or take a metric without an order, such as "
            "macro_f1"
        )
    return np.argsort(np.argsort([float(matches[0]) for matches in numbers]))


def _bound(classes: Sequence[str]) -> Metric:
    """Returns the metric for these classes, whose order the numbers in their names give.

    Raises:
      UserError: the names have no numbers that give an order.
    """
    ranks = _ranks(classes)
    penalty = (ranks[:, None] - ranks[None, :]).astype(np.float64) ** 2

    def of_classes(counts: np.ndarray) -> np.ndarray:
        counts = counts.astype(np.float64)
        class_sizes, answer_counts = counts.sum(axis=-1), counts.sum(axis=-2)
        disagreement = (counts * penalty).sum(axis=(-2, -1)) * class_sizes.sum(axis=-1)
        chance = (class_sizes @ penalty * answer_counts).sum(axis=-1)
        share = np.divide(disagreement, chance, out=np.full_like(disagreement, np.nan), where=chance > 0)
        return 1 - share

    return replace(METRIC, value=of_counts(of_classes), counts=of_classes)


METRIC = Metric(
    "qwk",
    words="validation quadratic weighted kappa",
    short="QWK",
    one="a QWK",
    value=unbound,
    counts=unbound,
    span=(-1.0, 1.0),
    undefined=one_class_alone,
    bind=_bound,
)
