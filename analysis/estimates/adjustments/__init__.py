"""What can be done to the predictions of a trained model: a number is fitted to them, and changes what is made of them.

Each is a file that makes an `Adjustment`; which one a sweep has follows from its metric. A number is fitted to the
validation predictions, which the model was not trained on, and what that brings is estimated as any other choice is,
draw by draw, in `analysis.estimates.choice`.
"""

from sweep.analysis.estimates.adjustments import temperature, threshold
from sweep.analysis.estimates.adjustments.contract import Adjustment, Fitted
from sweep.trainable.metrics.contract import Metric

ADJUSTMENTS = (threshold.ADJUSTMENT, temperature.ADJUSTMENT)


def adjustment_for(metric: Metric, classes: int) -> Adjustment | None:
    """Returns what can better predictions of so many classes by this metric; None where nothing can."""
    return next((each for each in ADJUSTMENTS if each.suits(metric, classes)), None)


def from_json(found: dict[str, float]) -> Fitted:
    """Returns what `Fitted.to_json` gave.

    Raises:
      ValueError: it is something else.
    """
    kinds = {each.name: each for each in ADJUSTMENTS}
    match list(found.items()):
        case [(name, float(number))] if name in kinds and kinds[name].is_possible(number):
            return Fitted(kinds[name], number)
    raise ValueError(f"an adjustment must be one of {', '.join(kinds)} with its number, got {found}")
