"""A search space of your own: a function that asks for values and returns the config that they make.

    python -m search.run --sweep sweeps/mine --space examples/space.py:suggest --trials 10

A range is inclusive at both ends; `log=True` suits values that span decades. A field left out keeps its default.
"""

from sweep.search.spaces.space import Suggests
from sweep.trainable.config import TrialConfig


def suggest(trial: Suggests) -> TrialConfig:
    """A small net or a smaller one, with a learning rate and flips."""
    arch = trial.suggest_categorical("arch", ["small_resnet", "mlp"])
    return TrialConfig(
        arch=arch,
        width=trial.suggest_float("width", 1.0, 4.0, log=True),
        depth=1 if arch == "small_resnet" else None,
        lr=trial.suggest_float("lr", 0.003, 0.3, log=True),
        batch_size=trial.suggest_categorical("batch_size", [64, 128]),
        epochs=trial.suggest_int("epochs", 5, 20),
        horizontal_flip=trial.suggest_float("horizontal_flip", 0.0, 0.5),
    )
