"""What handling unequal classes changed, on sweeps whose predictions are made by hand."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from sweep.analysis.report.sections import imbalance
from sweep.storage.states import State
from sweep.trainable.metrics import metrics

LABELS = np.array([0] * 40 + [1] * 10)


@dataclass
class Trial:
    number: int
    config: dict
    right: tuple[int, int]  # of the two classes
    value: float = 0.5
    state: State = State.COMPLETE
    params: dict = field(default_factory=dict)

    def __post_init__(self):
        self.params = self.config

    @property
    def valid_logits(self):
        answers = np.array([*([0] * self.right[0]), *([1] * (40 - self.right[0]))])
        answers = np.append(answers, [*([1] * self.right[1]), *([0] * (10 - self.right[1]))])
        return np.eye(2)[answers]


@dataclass
class Sweep:
    trials: list
    classes: tuple = ("large", "small")
    damaged: dict = field(default_factory=dict)

    @property
    def ranked(self):
        return self.trials

    @property
    def valid_labels(self):
        return LABELS

    @property
    def metric(self):
        return metrics()["macro_f1"]


def test_the_best_that_handles_it_stands_beside_the_best_that_does_not_the_smallest_class_first():
    handled = Trial(3, {"class_weights": "inverse", "loss": "cross_entropy"}, (36, 8))
    plain = Trial(5, {"class_weights": "none", "loss": "cross_entropy"}, (40, 4))

    part = imbalance.part(Sweep([handled, Trial(4, handled.config, (0, 0)), plain, Trial(6, plain.config, (0, 0))]))

    small, large = part.table.rows
    assert [cell.value for cell in (small[0], small[2], small[4], small[6])] == [None, 0.8, 0.4, pytest.approx(0.4)]
    assert [cell.value for cell in (large[2], large[4], large[6])] == [0.9, 1.0, pytest.approx(-0.1)]
    assert small[7].value < 0.4
    assert "trial that handles unequal classes, 3 (class_weights inverse)" in part.sentences[0]
    assert [series.name for series in part.figures[0].charts[0].series] == ["handled, trial 3", "not handled, trial 5"]


@pytest.mark.parametrize(
    "configs",
    [
        [{"lr": 0.1}, {"lr": 0.2}],  # not searched
        [{"balanced": 0.0}, {"balanced": 0}],  # never on
        [{"balanced": 0.5}, {"loss": "focal"}],  # always on
    ],
)
def test_without_both_kinds_of_trials_nothing_is_said(configs):
    assert imbalance.part(Sweep([Trial(number, config, (1, 1)) for number, config in enumerate(configs)])) is None
