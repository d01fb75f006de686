"""The search space that `benchmarks/docs_loop.py` can express, for `--space benchmarks/rival_space.py:suggest`."""

from typing import Any

from sweep.trainable.config import TrialConfig

SHAPES: dict[str, dict[str, Any]] = {
    "cnn": dict(width=1.0, depth=2, head=128),
    "small_vgg": dict(width=1.0),
    "resnet18": dict(small_stem=False, pretrained=False),
}


def suggest(trial: Any) -> TrialConfig:
    """Draws a config that both sides can train."""
    arch = trial.suggest_categorical("arch", list(SHAPES))
    p = trial.suggest_float("p", 0.0, 0.7)
    return TrialConfig(
        arch=arch,
        optimizer="sgd",
        schedule="constant",
        weight_decay=5e-4,
        lr=trial.suggest_float("lr", 1e-3, 1e-1, log=True),
        batch_size=trial.suggest_int("batch_size", 50, 400),
        epochs=trial.suggest_int("epochs", 1, 40),
        horizontal_flip=p,
        vertical_flip=p,
        rotate=p,
        **SHAPES[arch],
    )
