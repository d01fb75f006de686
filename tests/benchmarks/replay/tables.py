"""Tables of curves that nobody trained: they cross, are noisy, and take seconds that depend on the config."""

from dataclasses import replace

import numpy as np

from benchmarks.curves.table import About, Curve, Table
from benchmarks.replay.uniform import UniformTrial
from sweep.search.spaces import suggest_of
from sweep.search.spaces.space import Space

SPACE = Space(suggest_of("default", 2), {}, max_epochs=20)


def synthetic_table(
    rows=60, images=200, seed=0, diverged=0, space=SPACE, name=("default", 2), fixed=None, backbones=()
):
    """A table of configs of a space; the last `diverged` ones end halfway."""
    curves = tuple(_curve(space, number, images, seed, number >= rows - diverged) for number in range(rows))
    about = About(
        **dict(name="synthetic", data="none", fingerprint="0" * 64, train_images=100, valid_images=images, classes=7),
        **dict(image_size=(16, 16), space=name, fixed=fixed or {}, backbones=backbones, ranges=space.table()["ranges"]),
        **dict(seed=seed, rows=rows, conditions=()),
    )
    return Table(about, curves)


def _curve(space, number, images, seed, is_diverged):
    generator = np.random.default_rng([seed, number])
    trial = UniformTrial(generator)
    config = space.config(trial)
    distance = abs(np.log10(trial.params.get("lr_multiple", 1.0)))  # a good rate learns fast and comes far
    goal, speed = 0.7 - 0.25 * distance + 0.05 * generator.normal(), 0.5 - 0.2 * distance + 0.1 * generator.uniform()
    done = np.arange(1, config.epochs + 1) / config.epochs
    accuracies = np.clip(0.14 + (goal - 0.14) * done ** (1 / (10 * speed)), 0, 1)
    right = generator.uniform(size=images) < (accuracies + 0.01 * generator.normal(size=config.epochs))[:, None]
    seconds = (1 + config.width if config.width else 2.0) * generator.uniform(0.9, 1.1, config.epochs)
    epochs = config.epochs // 2 if is_diverged else config.epochs
    timed = epochs + 1 if is_diverged else epochs
    losses = -np.log(np.clip(accuracies, 0.01, 1))
    return Curve(
        **dict(draw=number, repeat=0, params=trial.params, config=config.to_dict(), right=right[:epochs]),
        **dict(losses=losses[:epochs].astype(np.float32), seconds=seconds[:timed].astype(np.float32)),
    )


def with_scoring_half_changed(training):
    """The same training, of which only what judges it is another one."""
    return replace(training, scored=training.scored[::-1].copy())
