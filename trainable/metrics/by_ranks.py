"""The common part of the metrics whose value follows from the order in which probabilities put the images."""

from sweep.trainable.metrics.contract import PERCENT, Metric, Ranks
from sweep.trainable.metrics.predictions import every_class_needed


def by_ranks(name: str, short: str, one: str, ranks: Ranks) -> Metric:
    """Returns the metric whose fields of the same names have these values."""
    return Metric(
        name,
        words=f"validation {short}",
        short=short,
        one=one,
        value=ranks.value,
        ranks=ranks,
        scale=PERCENT,
        undefined=every_class_needed,
    )
