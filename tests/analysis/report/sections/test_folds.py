"""Folds side by side, on sweeps whose out-of-fold predictions are made by hand."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from sweep.analysis.report.sections import folds
from sweep.storage.states import State
from sweep.trainable.metrics import metrics

LABELS, FOLDS = np.arange(30) % 2, np.repeat([0, 1, 2], 10).astype(np.uint8)


@dataclass
class Sweep:
    ranked: list
    folds: np.ndarray | None = field(default_factory=lambda: FOLDS)
    valid_labels: np.ndarray = field(default_factory=lambda: LABELS)
    damaged: dict = field(default_factory=dict)
    metric: object = field(default_factory=lambda: metrics()["accuracy"])


def trial(number, *right, state=State.COMPLETE):
    """A trial that has so many images of each fold right."""
    answers = np.concatenate([np.where(np.arange(10) < count, LABELS[:10], 1 - LABELS[:10]) for count in right])
    value = float(np.mean(right)) / 10
    return SimpleNamespace(number=number, state=state, value=value, valid_logits=np.eye(2)[answers])


def test_each_trial_has_the_value_of_each_fold_the_mean_and_the_spread():
    part = folds.part(Sweep([trial(4, 9, 7, 8), trial(1, 6, 6, 6)]))

    first, second = part.table.rows
    assert [cell.value for cell in first] == pytest.approx([4, 0.8, 0.9, 0.7, 0.8, 0.1])
    assert [cell.value for cell in second] == pytest.approx([1, 0.6, 0.6, 0.6, 0.6, 0.0])
    assert list(part.table.heads)[2:5] == ["fold 1 (10)", "fold 2 (10)", "fold 3 (10)"]
    assert list(part.figures[0].charts[0].series[1].x) == pytest.approx([80, 60])


def test_trials_that_did_not_go_through_all_folds_are_left_out():
    pruned = trial(2, 10, 10, 10, state=State.PRUNED)
    part = folds.part(Sweep([trial(4, 9, 7, 8), pruned]))
    assert [row[0].value for row in part.table.rows] == [4]


def test_a_sweep_without_folds_or_without_such_a_trial_has_no_part():
    assert folds.part(Sweep([trial(4, 9, 7, 8)], folds=None)) is None
    assert folds.part(Sweep([])) is None
