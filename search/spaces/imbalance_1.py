"""The parameters searched beside a published space when classes are unequal; it must not change, for sweeps use it.

The three remedies (loss, class weights, balanced sampling) are drawn independently of each other and of the rest. No
combination corrects twice: class weights are computed from the class shares that the sampling produces, and a
logit-adjusted loss uses the shares that remain after sampling and weights (`trainable.objective`).
"""

from sweep.search.spaces.space import Addition, Suggests
from sweep.storage.sweep_file import Values


def suggest(trial: Suggests) -> Values:
    """Draws the fields of `TrialConfig` that handle unequal classes."""
    return dict(
        loss=trial.suggest_categorical("loss", ["cross_entropy", "focal", "logit_adjusted"]),
        class_weights=trial.suggest_categorical("class_weights", ["none", "inverse", "sqrt_inverse", "effective"]),
        balanced=trial.suggest_float("balanced", 0.0, 1.0),
    )


ADDITION = Addition(suggest, plain={"loss": "cross_entropy", "class_weights": "none", "balanced": 0.0})
