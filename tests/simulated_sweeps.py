"""Simulated sweeps of which the truth is known: whether what the best trial is said to be worth is what it is worth.

A trial's logits at an epoch are a strength, on the true class, and noise: of the image, for trials find the same images
hard; of the trial and the image; and of the epoch and the image. So what a trial is worth at an epoch, on images
without end, follows from its strength alone.
"""

import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from unittest.mock import patch

import numpy as np

from sweep.analysis.estimates.choice import candidates
from sweep.analysis.estimates.draws import draws
from sweep.analysis.estimates.honest import estimate
from sweep.storage.states import State
from sweep.trainable.metrics import named
from sweep.trainable.metrics.contract import Metric

NOISE_OF_IMAGE, NOISE_OF_TRIAL, NOISE_OF_EPOCH = 0.8, 0.6, 0.4
SHARPNESS = 1.5  # of all logits, which log loss minds
TRUTH_IMAGES, STRENGTHS = 200_000, np.linspace(-1, 6, 57)
RUNGS = (1, 3)  # epochs whose probabilities are kept, beside the best
DRAWS = 200


@dataclass(frozen=True)
class World:
    """What the simulated sweeps are of.

    Attributes:
      imbalance: the largest class has exp(imbalance) times the images of the smallest.
      strength: of the best trials; 1.5 leaves a third of the images of four classes wrong, 4 one in a hundred.
    """

    metric: str
    images: int = 300
    classes: int = 4
    trials: int = 12
    epochs: int = 6
    imbalance: float = 1.0
    strength: float = 1.5

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(str(label) for label in range(self.classes))

    @property
    def judge(self) -> Metric:
        return named(self.metric).for_classes(self.names)

    def labels(self, rng: np.random.Generator, images: int) -> np.ndarray:
        shares = np.exp(-self.imbalance * np.arange(self.classes) / (self.classes - 1))
        drawn = rng.choice(self.classes, images, p=shares / shares.sum())
        drawn[: self.classes] = np.arange(self.classes)  # a split without one of the classes is refused
        return drawn

    def logits(self, rng: np.random.Generator, labels: np.ndarray, strengths: np.ndarray) -> np.ndarray:
        """(trials, epochs, N, classes) float32, of (trials, epochs) strengths."""
        (trials, epochs), shape = strengths.shape, (len(labels), self.classes)
        found = NOISE_OF_IMAGE * rng.standard_normal((1, 1, *shape), np.float32)
        found = found + NOISE_OF_TRIAL * rng.standard_normal((trials, 1, *shape), np.float32)
        found = found + NOISE_OF_EPOCH * rng.standard_normal((trials, epochs, *shape), np.float32)
        found[:, :, np.arange(len(labels)), labels] += strengths[..., None].astype(np.float32)
        return SHARPNESS * found


WORLDS = {
    "a mean: accuracy": World("accuracy"),
    "counts: macro F1": World("macro_f1"),
    "ranks: AUC of two classes": World("auc", classes=2),
}


@lru_cache
def _truths(world: World) -> np.ndarray:
    """The metric at each of `STRENGTHS`, on images without end."""
    rng = np.random.default_rng(10**6)
    labels = world.labels(rng, TRUTH_IMAGES)
    noise = world.logits(rng, labels, np.zeros((1, 1)))[0, 0]
    right, values = SHARPNESS * np.eye(world.classes, dtype=np.float32)[labels], []
    for strength in STRENGTHS:
        assert world.judge.value is not None
        values.append(world.judge.value(labels, noise + np.float32(strength) * right))
    return np.array(values)


@dataclass(frozen=True, eq=False)
class SimulatedTrial:
    """A COMPLETE trial."""

    number: int
    logits: np.ndarray
    best_epoch: int
    state: State = State.COMPLETE

    @property
    def epochs(self) -> int:
        return len(self.logits)

    @property
    def valid_logits(self) -> np.ndarray:
        return self.logits[self.best_epoch - 1]

    @property
    def valid_classes(self) -> np.ndarray:
        return self.logits.argmax(axis=2).astype(np.uint8)

    @property
    def kept_logits(self) -> dict[int, np.ndarray]:
        return {epoch: self.logits[epoch - 1] for epoch in sorted({*RUNGS, self.best_epoch})}


@dataclass(frozen=True, eq=False)
class SimulatedSweep:
    metric: Metric
    classes: tuple[str, ...]
    valid_labels: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """Of what was chosen in each sweep, minus the truth: as it seems, corrected, and the ends of the interval."""

    raw: np.ndarray
    corrected: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def coverage(self) -> float:
        return float(((self.low <= 0) & (self.high >= 0)).mean())


def simulate(world: World, seeds: Iterable[int]) -> Outcome:
    """Simulates a sweep a seed."""
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        labels = world.labels(rng, world.images)
        strengths = world.strength - 0.3 * rng.exponential(size=(world.trials, 1))
        strengths = strengths * (1 - 0.6 * np.exp(-np.arange(1, world.epochs + 1) / 1.5))
        strengths = strengths + 0.03 * rng.normal(size=strengths.shape)
        logits, judge = world.logits(rng, labels, strengths), world.judge
        trials = []
        for number, of_trial in enumerate(logits):
            values = [judge.sign * judge.value(labels, of_epoch) for of_epoch in of_trial]
            trials.append(SimulatedTrial(number, of_trial, 1 + int(np.argmax(values))))
        scores, chosen_from = candidates(SimulatedSweep(judge, world.names, labels), trials)
        honest = estimate(scores, draws(world.images, DRAWS))
        trial, epoch = chosen_from[honest.chosen]
        truth = judge.sign * np.interp(strengths[trial.number, epoch - 1], STRENGTHS, _truths(world))
        found.append([honest.raw - truth, honest.corrected - truth, honest.low - truth, honest.high - truth])
    return Outcome(*np.array(found).T)


def simulate_many(world: World, seeds: range, processes: int | None = None) -> Outcome:
    """Simulates a sweep a seed, in as many processes as there are processors, or in so many."""
    processes = processes or os.cpu_count() or 1
    parts = [seeds[place::processes] for place in range(processes)]
    with (
        patch.dict(os.environ, OPENBLAS_NUM_THREADS="1"),
        ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool,
    ):
        found = [vars(outcome) for outcome in pool.map(simulate, [world] * processes, parts)]
    return Outcome(**{name: np.concatenate([outcome[name] for outcome in found]) for name in found[0]})
