"""What an ensemble is said to be worth, on simulated sweeps of which the truth is known."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from sweep.analysis.estimates import choice, mean_scores
from sweep.analysis.estimates.choice import choose
from sweep.analysis.estimates.ensembles import ensembles
from sweep.storage.states import State
from sweep.trainable.metrics import named
from sweep.trainable.metrics.contract import softmax

SWEEPS, IMAGES, TRUTH, TRIALS, CLASSES = 32, 200, 3000, 9, 4
KINDS = ("logistic_head", "net", "other net")


@dataclass(eq=False)
class Simulated:
    """A COMPLETE trial of one epoch, whose weights are kept."""

    number: int
    kind: str
    valid_logits: np.ndarray
    state: State = State.COMPLETE
    epochs: int = 1
    best_epoch: int = 1
    weights: bool = True
    valid_logits_tta: None = None

    @property
    def kept_logits(self):
        return {1: self.valid_logits}

    @property
    def valid_classes(self):
        return self.valid_logits.argmax(axis=1)[None].astype(np.uint8)


@dataclass(eq=False)
class SimulatedSweep:
    trials: list
    valid_labels: np.ndarray
    metric: object = field(default_factory=lambda: named("accuracy"))
    classes: tuple = tuple("abcd")
    damaged: dict = field(default_factory=dict)
    best: None = None
    folds: None = None
    ensembles: object = field(default_factory=lambda: ensembles(2))


def answers(rng, images, strengths):
    """Labels, and the logits of each trial: what is hard is shared, half of the rest is that of its kind."""
    labels = rng.integers(0, CLASSES, images)
    shared = 0.8 * rng.normal(size=(images, CLASSES))
    of_kinds = [0.6 * rng.normal(size=(images, CLASSES)) for _ in KINDS]
    found = []
    for number, strength in enumerate(strengths):
        logits = shared + of_kinds[number % len(KINDS)] + 0.5 * rng.normal(size=(images, CLASSES))
        logits[np.arange(images), labels] += strength
        found.append((1.5 * logits).astype(np.float32))
    return labels, found


@pytest.fixture(scope="module")
def simulated():
    """Of each sweep's ensemble: as it seems, corrected, the truth, the ends of the interval."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "COMPARED_DRAWS", 10)
        patch.setattr(mean_scores.MeanScores, "most_draws", 50)
        for seed in range(SWEEPS):
            rng = np.random.default_rng(seed)
            strengths = 1.3 - 0.3 * rng.exponential(size=TRIALS)
            labels, logits = answers(rng, IMAGES, strengths)
            trials = [Simulated(n, KINDS[n % len(KINDS)], each) for n, each in enumerate(logits)]
            option = choose(SimulatedSweep(trials, labels)).options[-1]
            assert option.is_ensemble
            of_all, fresh = answers(rng, TRUTH, strengths)
            members = np.zeros(TRIALS)
            for number, count in option.members:
                members[number] = count
            parts = ensembles(2).part(np.stack([softmax(each, np.float32).T for each in fresh], axis=1))
            truth = (ensembles(2).mean(parts, members).argmax(axis=0) == of_all).mean()
            found.append((option.raw, option.corrected, truth, option.low, option.high))
    return np.array(found).T


def test_as_it_seems_an_ensemble_overshoots(simulated):
    raw, _, truth, *_ = simulated
    assert (raw - truth).mean() > 0.005


def test_corrected_for_the_choice_of_its_members_it_does_not(simulated):
    _, corrected, truth, *_ = simulated
    apart = corrected - truth
    assert abs(apart.mean()) < 2 * apart.std(ddof=1) / np.sqrt(SWEEPS)


def test_the_interval_holds_the_truth(simulated):
    *_, truth, low, high = simulated
    assert ((low <= truth) & (truth <= high)).mean() >= 0.9
