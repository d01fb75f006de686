"""A labelled test split is scored with what was chosen, once all trials have ended; report and screen say so."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from analysis.estimates import held_out
from analysis.outputs import results
from analysis.outputs.best import write_best
from analysis.outputs.results import is_scored, write_results
from analysis.report.status import summary
from datasets.load import load
from storage import paths
from storage.states import State
from tests.sweeps import varied_sweep
from trainable.metrics import named


@pytest.fixture
def sweep(tmp_path, tiny_data):
    sweep = varied_sweep(tmp_path / "sweep", load(tiny_data), str(tiny_data))
    write_best(sweep.record)
    return sweep


def of_trials(wanted: int, *states: State) -> SimpleNamespace:
    trials = [SimpleNamespace(state=state) for state in states]
    return SimpleNamespace(trials=trials, settings=SimpleNamespace(trials=wanted), metric=named("accuracy"))


def labelled(data):
    return replace(data, test=replace(data.test, labels=np.arange(10) % 3))


def test_the_labelled_test_images_are_scored_and_said(sweep, tiny_data, monkeypatch):
    monkeypatch.setattr(results, "is_scored", lambda labels, record: True)

    write_results(sweep.record, labelled(load(tiny_data)))

    words = "On the 10 labelled test images, which no trial was trained on and none was chosen by, "
    assert words in summary(sweep.record)
    assert words in (sweep.folder / paths.REPORT_TEXT).read_text()
    assert words in (sweep.folder / paths.REPORT_PAGE).read_text()


def test_before_the_end_and_without_labels_nothing_is_scored(sweep, tiny_data):
    labels, finished = np.arange(10) % 3, of_trials(2, State.COMPLETE, State.FAIL)

    assert is_scored(labels, finished)
    assert not is_scored(labels, of_trials(3, State.COMPLETE, State.FAIL))
    assert not is_scored(labels, of_trials(2, State.COMPLETE, State.FAIL, State.RUNNING))
    assert not is_scored(None, finished)
    assert not is_scored(np.zeros(10, np.int64), finished)  # all the same: filled in
    write_results(sweep.record, labelled(load(tiny_data)))
    assert not (sweep.folder / paths.TEST_SCORE).exists()
    assert held_out.sentence(sweep.record) == ""


def test_the_score_is_the_metrics_with_its_interval(sweep):
    labels, shares = (
        np.array([0, 1, 2, 0]),
        np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.8, 0.2, 0]]),
    )

    score = held_out.measured(sweep.record, "trial 3", labels, shares)

    assert (score.images, score.value) == (4, 0.75)
    assert 0.15 < score.low < 0.25
    assert 0.99 < score.high < 1


def test_a_damaged_score_is_said_and_stops_no_report(sweep):
    (sweep.folder / paths.TEST_SCORE).write_text('{"predictor": 5}')

    assert held_out.sentence(sweep.record).startswith("What was measured on the test images is damaged: ")
