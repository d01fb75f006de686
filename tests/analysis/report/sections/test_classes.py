"""What is said of classes stays readable however many there are."""

import numpy as np

from analysis.report.interactive import embedded
from analysis.report.sections.classes import (
    MOST_CROSSED,
    MOST_LISTED,
    accuracies_figure,
    class_rows,
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

    found = [(row.label, row.images, row.right, row.taken_for, row.mistakes) for row in rows]
    assert found == [("a", 4, 1, "c", 2), ("b", 2, 1, "a", 1), ("c", 0, 0, "", 0), ("d", 1, 1, "", 0)]


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
    assert words.startswith("Of 1,011 classes the 100 hardest are listed. Of the images of 910 others ")
    assert words.endswith("No validation image is of 1 class.")
    assert "The 980 easiest are left out." in accuracies_figure(every).says


def test_ten_thousand_classes_take_no_table_of_each_with_each():
    classes = list(map(str, range(10_000)))
    labels, answers = drawn(classes, images=20_000)

    rows = class_rows(classes, labels, answers)

    assert sum(row.images for row in rows) == 20_000
    assert sum(row.right for row in rows) == (labels == answers).sum()
