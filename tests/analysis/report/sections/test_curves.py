"""The ROC and the precision-recall curve of two classes, against scikit-learn's."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from sweep.analysis.report.sections import curves
from sweep.trainable.metrics.contract import softmax
from tests.analysis.estimates.test_choice_adjusted import IMAGES, leaning


def shown(labels, shares):
    return curves.part(SimpleNamespace(valid_labels=labels, classes=["good", "<b>bad</b>"]), shares)


@pytest.fixture
def labels_and_shares():
    labels, logits = leaning(IMAGES)
    return labels, np.round(softmax(logits.astype(float)), 2)  # some images are as probable as others


def drawn(part, figure):
    series = part.figures[figure].charts[0].series[1]
    return np.array([series.x, series.y]) / 100


def test_every_point_is_one_of_scikit_learns(labels_and_shares):
    labels, shares = labels_and_shares
    part = shown(labels, shares)
    rate, found, _ = roc_curve(labels, shares[:, 1], drop_intermediate=False)
    np.testing.assert_allclose(drawn(part, 0), [rate, found], atol=1e-12)
    precision, recall, _ = precision_recall_curve(labels, shares[:, 1])
    np.testing.assert_allclose(drawn(part, 1), [recall[-2::-1], precision[-2::-1]], atol=1e-12)


def test_the_areas_are_scikit_learns_and_lie_in_their_intervals(labels_and_shares):
    labels, shares = labels_and_shares
    rows = shown(labels, shares).table.rows
    expected = [roc_auc_score(labels, shares[:, 1]), average_precision_score(labels, shares[:, 1])]
    assert [row[1].value for row in rows] == pytest.approx(expected)
    for row, value in zip(rows, expected, strict=True):
        low, high = map(float, row[2].text.split(" to "))
        assert 0 <= low < value < high <= 1


def test_a_curve_of_many_images_has_few_points_and_both_its_ends():
    labels, logits = leaning(20_000)
    x, y = drawn(shown(labels, softmax(logits.astype(float))), 0)
    assert len(x) <= curves.MOST_POINTS
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)


def test_images_of_one_class_have_no_curve():
    assert shown(np.zeros(5, int), np.full((5, 2), 0.5)) is None
