"""What is searched beside a published space where the classes are unequal; frozen, for sweeps that began with it.

The three ways are drawn apart from each other and from the rest. No draw overdoes it: weights are by what sampling
shows, and a logit-adjusted loss adjusts by the shares that sampling and weights leave (`trainable.objective`).
"""

from sweep.search.spaces.space import Addition, Suggests
from sweep.storage.sweep_file import Values


def suggest(trial: Suggests) -> Values:
    """Returns the fields of `TrialConfig` that handle unequal classes."""
    return dict(
        loss=trial.suggest_categorical("loss", ["cross_entropy", "focal", "logit_adjusted"]),
        class_weights=trial.suggest_categorical("class_weights", ["none", "inverse", "sqrt_inverse", "effective"]),
        balanced=trial.suggest_float("balanced", 0.0, 1.0),
    )


ADDITION = Addition(suggest, plain={"loss": "cross_entropy", "class_weights": "none", "balanced": 0.0})
