"""What is said of the decision threshold of a sweep with two classes."""

import numpy as np
import pytest

from sweep.analysis.estimates.choice import choose
from sweep.analysis.report.sections import thresholds
from sweep.trainable.metrics.contract import softmax
from tests.analysis.estimates.test_choice_adjusted import IMAGES, a_sweep, leaning


def shown(folder, metric, labels, logits):
    record = a_sweep(folder / "sweep", metric, labels, logits).record
    return thresholds.part(record, choose(record), softmax(logits))


@pytest.fixture
def by_balanced_accuracy(tmp_path):
    return shown(tmp_path, "balanced_accuracy", *leaning(IMAGES))


def test_each_row_of_the_table_is_what_its_threshold_gives(by_balanced_accuracy):
    part = by_balanced_accuracy
    labels, logits = leaning(IMAGES)
    second = softmax(logits)[:, 1]
    for place, answers, precision, _, recall, _, value in part.table.rows:
        said = second > place.value
        assert answers.value == said.sum()
        assert precision.value == (pytest.approx(labels[said].mean()) if said.any() else "")
        assert recall.value == pytest.approx(said[labels == 1].mean())
        assert value.value == pytest.approx((said[labels == 1].mean() + (~said)[labels == 0].mean()) / 2)


def test_the_fitted_threshold_is_marked_and_no_row_is_better(by_balanced_accuracy):
    part = by_balanced_accuracy
    (marked,) = part.table.marked
    assert part.table.rows[marked][0].text.endswith("(fitted)")
    assert part.table.rows[marked][-1].value == max(row[-1].value for row in part.table.rows)
    assert "best/ keeps it, and it is used" in part.sentences[0]


def test_a_metric_of_probabilities_has_the_curves_and_no_fitted_threshold(tmp_path):
    part = shown(tmp_path, "log_loss", *leaning(IMAGES))
    assert "asks for probabilities and not for answers" in part.sentences[0]
    assert [series.name for series in part.figures[0].charts[0].series] == ["precision", "recall"]
    assert not any("fitted" in row[0].text for row in part.table.rows)


def test_where_the_usual_threshold_is_the_best_that_is_said(tmp_path):
    labels = np.arange(40) % 2
    part = shown(tmp_path, "accuracy", labels, np.float32([[1, 0], [0, 1]])[labels])
    assert "no other threshold is better" in part.sentences[0]


def test_predictions_that_no_threshold_parts_have_no_part(tmp_path):
    part = shown(tmp_path, "accuracy", np.arange(40) % 2, np.zeros((40, 2), np.float32))
    assert part is None
