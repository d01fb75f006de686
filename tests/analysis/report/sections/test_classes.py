"""What is said of classes stays readable however many there are."""

import numpy as np
import pytest

from sweep.analysis.estimates.intervals import share_interval
from sweep.analysis.report.interactive import embedded
from sweep.analysis.report.sections.classes import (
    MOST_CROSSED,
    MOST_LISTED,
    ClassRow,
    class_rows,
    classes_figure,
    confusion_figure,
    listed,
)

MANY = [f"species {number}" for number in range(1010)]


def drawn(classes, images=3030, seed=0):
    """Labels, and answers of which one in ten is wrong, most of those in classes 500 to 510."""
    rng = np.random.default_rng(seed)
    labels = np.arange(images) % len(classes)
    answers = labels.copy()
    wrong = rng.random(images) < 0.1
    answers[wrong] = rng.integers(0, len(classes), wrong.sum())
    hard = (labels >= 500) & (labels < 510)
    answers[hard] = 510
    return labels, answers


def test_each_class_has_its_commonest_mistake():
    labels, answers = np.array([0, 0, 0, 0, 1, 1, 3]), np.array([0, 1, 2, 2, 1, 0, 3])

    rows = class_rows(["a", "b", "c", "d"], labels, answers)

    found = [(row.label, row.images, row.answers, row.right, row.taken_for, row.mistakes) for row in rows]
    assert found == [("a", 4, 2, 1, "c", 2), ("b", 2, 2, 1, "a", 1), ("c", 0, 2, 0, "", 0), ("d", 1, 1, 1, "", 0)]


def test_recall_and_precision_are_shares_with_the_interval_of_one():
    row = ClassRow("a", images=40, answers=30, right=20)

    assert (row.recall.value, row.recall.low, row.recall.high) == (0.5, *share_interval(20, 40))
    assert (row.precision.value, row.precision.low, row.precision.high) == (20 / 30, *share_interval(20, 30))
    assert row.f1.value == pytest.approx(2 * 20 / (40 + 30))


def test_a_class_without_images_or_answers_has_no_value_and_the_widest_interval():
    row = ClassRow("a", images=0, answers=0, right=0)
    assert [(each.value, each.low, each.high) for each in (row.recall, row.precision, row.f1)] == [(None, 0, 1)] * 3


def test_the_interval_of_f1_holds_the_truth_as_often_as_it_says():
    rng, images, held = np.random.default_rng(0), 60, 0
    both, missed, wrong = 0.25, 0.1, 0.08  # shares of all images: found, not found, taken for it
    truth = 2 * both / (2 * both + missed + wrong)
    drawn = rng.multinomial(images, [both, missed, wrong, 1 - both - missed - wrong], 2000)
    for right, lost, extra, _ in drawn.tolist():
        found = ClassRow("a", right + lost, right + extra, right).f1
        held += found.low <= truth <= found.high
    assert 0.945 < held / 2000 < 0.99


def test_of_equal_mistakes_the_first_class_is_named():
    (row, *_) = class_rows(["a", "b", "c"], np.array([0, 0]), np.array([2, 1]))

    assert (row.taken_for, row.mistakes) == ("b", 1)


def test_few_classes_are_all_drawn_and_listed():
    labels, answers = np.array([0, 0, 1, 2]), np.array([0, 2, 1, 2])
    classes = ["a", "b", "c"]

    (matrix,) = confusion_figure(classes, labels, answers).charts
    rows, words = listed(class_rows(classes, labels, answers))

    assert matrix.counts == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]
    assert ([row.label for row in rows], words) == (classes, "")


def test_of_many_classes_those_with_most_mistakes_are_drawn():
    labels, answers = drawn(MANY)

    figure = confusion_figure(MANY, labels, answers)

    (matrix,) = figure.charts
    assert len(matrix.names) == MOST_CROSSED
    assert {f"species {number}" for number in range(500, 511)} <= set(matrix.names)
    assert "Of 1,010 classes the 40 are drawn" in figure.says
    place = matrix.names.index("species 503")
    assert matrix.counts[place][matrix.names.index("species 510")] == 3
    assert len(embedded(matrix)) < 1_000_000


def test_of_many_classes_the_hardest_are_listed_and_the_others_counted():
    labels, answers = drawn(MANY)
    every = class_rows(MANY, labels, answers)

    rows, words = listed([*every, *class_rows(["none"], np.array([], int), np.array([], int))])

    assert len(rows) == MOST_LISTED
    assert {row.label for row in rows[:10]} == {f"species {number}" for number in range(500, 510)}
    assert words.startswith("Of 1,011 classes the 100 hardest are listed, by their F1. Of the images of 910 others ")
    assert words.endswith("No validation image is of 1 class.")
    assert "The 980 easiest are left out." in classes_figure(every).says


def test_ten_thousand_classes_take_no_table_of_each_with_each():
    classes = list(map(str, range(10_000)))
    labels, answers = drawn(classes, images=20_000)

    rows = class_rows(classes, labels, answers)

    assert sum(row.images for row in rows) == 20_000
    assert sum(row.right for row in rows) == (labels == answers).sum()
