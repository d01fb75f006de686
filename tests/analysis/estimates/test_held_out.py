"""A labelled test split is scored with what was chosen, once all trials have ended; report and screen say so."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from sweep.analysis.estimates import held_out
from sweep.analysis.outputs import results
from sweep.analysis.outputs.best import write_best
from sweep.analysis.outputs.results import is_scored, write_results
from sweep.analysis.report.page import write_report
from sweep.analysis.report.status import summary
from sweep.datasets.load import load
from sweep.storage import paths
from sweep.storage.states import State
from sweep.trainable.metrics import named
from tests.sweeps import varied_sweep


@pytest.fixture
def sweep(tmp_path, tiny_data):
    sweep = varied_sweep(tmp_path / "sweep", load(tiny_data), str(tiny_data))
    write_best(sweep.record)
    return sweep


def of_trials(wanted: int, *states: State) -> SimpleNamespace:
    trials = [SimpleNamespace(state=state) for state in states]
    return SimpleNamespace(trials=trials, trials_wanted=wanted, metric=named("accuracy"))


def labelled(data):
    return replace(data, test=replace(data.test, labels=np.arange(10) % 3))


def test_the_labelled_test_images_are_scored_and_said(sweep, tiny_data, monkeypatch):
    monkeypatch.setattr(results, "is_scored", lambda labels, record: True)

    write_results(sweep.record, labelled(load(tiny_data)))

    words = "On the 10 labelled test images, which no trial was trained on and none was chosen by, "
    assert words in summary(sweep.record)
    assert words in (sweep.folder / paths.REPORT_TEXT).read_text()
    assert words in (sweep.folder / paths.REPORT_PAGE).read_text()


def test_the_sentence_stands_whole_in_the_report_however_many_rivals_it_names(sweep):
    shares = 0.8 * np.eye(3)[np.arange(10) % 3] + 0.05
    rivals = {f"trial {number}, one of the models that it is compared with": shares for number in range(3)}
    held_out.write(sweep.record, held_out.measured(sweep.record, "an ensemble", np.arange(10) % 3, shares, rivals))

    write_report(sweep.record)

    said = held_out.sentence(sweep.record)
    assert len(said) > 500
    assert said in (sweep.folder / paths.REPORT_TEXT).read_text()


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

    score = held_out.measured(sweep.record, "trial 3", labels, shares, {})

    assert (score.images, score.value) == (4, 0.75)
    assert 0.15 < score.low < 0.25
    assert 0.99 < score.high < 1
    assert score.rivals == []


def test_what_was_chosen_is_compared_image_by_image_with_its_rivals(sweep):
    labels = np.arange(300) % 3
    answers = np.where(np.arange(300) < 240, labels, (labels + 1) % 3)
    fewer = np.where(np.arange(300) < 210, labels, (labels + 1) % 3)  # wrong wherever the chosen one is, and more
    shares, of_head = 0.8 * np.eye(3)[answers] + 0.05, 0.8 * np.eye(3)[fewer] + 0.05

    score = held_out.measured(sweep.record, "an ensemble", labels, shares, {"trial 4, the best head": of_head})
    held_out.write(sweep.record, score)
    said = held_out.sentence(sweep.record)

    (rival,) = score.rivals
    assert (rival.value, rival.gain) == (0.7, pytest.approx(0.1))
    assert 0.06 < rival.gain_low < rival.gain < rival.gain_high < 0.14  # narrower than the interval of either
    assert "an ensemble has an accuracy of 80.0 % (95 % interval " in said
    assert " That is 10.0 points (95 % interval +6." in said
    assert " better than trial 4, the best head, with 70.0 % (95 % interval " in said


def test_where_the_chosen_one_is_worse_on_the_test_images_that_is_said(sweep):
    labels = np.arange(300) % 3
    answers = np.where(np.arange(300) < 150, labels, (labels + 1) % 3)
    right = 0.8 * np.eye(3)[labels] + 0.05

    score = held_out.measured(sweep.record, "an ensemble", labels, 0.8 * np.eye(3)[answers] + 0.05, {"trial 1": right})
    held_out.write(sweep.record, score)

    said = held_out.sentence(sweep.record)
    assert "That is 50.0 points (95 % interval +43.9 to +55.4) worse than trial 1, with 100.0 % (95 % " in said


def test_a_score_that_was_measured_before_there_were_rivals_is_read(sweep):
    before = {"predictor": "trial 1", "trials": 5, "images": 10, "value": 0.5, "low": 0.2, "high": 0.8}
    (sweep.folder / paths.TEST_SCORE).write_text(json.dumps(before))

    assert "trial 1 has an accuracy of 50.0 % (95 % interval 20.0 % to 80.0 %)" in held_out.sentence(sweep.record)


def test_a_damaged_score_is_said_and_stops_no_report(sweep):
    (sweep.folder / paths.TEST_SCORE).write_text('{"predictor": 5}')

    assert held_out.sentence(sweep.record).startswith("What was measured on the test images is damaged: ")
