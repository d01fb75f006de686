"""Adjustments of the predictions of a trained model, each by one number that is fitted to them.

Each file beside this one makes one `Adjustment`. Which one a sweep uses follows from its metric. The number is fitted
to the predictions on the validation images, on which the model was not trained. What an adjustment gains is estimated
like any other choice, draw by draw, in `analysis.estimates.choice`.
"""

from sweep.analysis.estimates.adjustments import temperature, threshold
from sweep.analysis.estimates.adjustments.contract import Adjustment, Fitted
from sweep.trainable.metrics.contract import Metric

ADJUSTMENTS = (threshold.ADJUSTMENT, temperature.ADJUSTMENT)


def adjustment_for(metric: Metric, classes: int) -> Adjustment | None:
    """Returns the adjustment that can improve predictions by this metric; None if there is none.

    Args:
      metric: the metric of the sweep.
      classes: how many classes there are.
    """
    return next((each for each in ADJUSTMENTS if each.suits(metric, classes)), None)


def from_json(content: dict[str, float]) -> Fitted:
    """Returns the fitted adjustment from which `Fitted.to_json` made this dict.

    Raises:
      ValueError: `Fitted.to_json` makes no such dict.
    """
    kinds = {each.name: each for each in ADJUSTMENTS}
    match list(content.items()):
        case [(name, float(number))] if name in kinds and kinds[name].is_possible(number):
            return Fitted(kinds[name], number)
    raise ValueError(f"an adjustment must be one of {', '.join(kinds)} with its number, got {content}")
