from dataclasses import replace

import numpy as np
import pytest

from sweep.datasets.pixels.dataset import Dataset, Split
from sweep.search.runtime.data import check_metric, imbalance_notes
from sweep.storage.errors import UserError


def split_of(*counts: int) -> Split:
    labels = np.repeat(np.arange(len(counts)), counts)
    return Split(tuple(map(str, labels)), np.zeros((len(labels), 3, 1, 1), np.uint8), labels)


def uneven(train: tuple[int, ...], valid: tuple[int, ...]) -> Dataset:
    classes = ("healthy", "ill", *map(str, range(2, len(train))))
    return Dataset(split_of(*train), split_of(*valid), None, classes, None, "", ())


def test_where_one_class_has_nearly_all_images_the_flag_that_helps_is_said():
    data = uneven((776, 24), (194, 6))

    (note,) = imbalance_notes(data, "accuracy", is_searched=False)

    assert "`healthy` has 970 of the 1,000 labelled images, `ill` 30." in note
    assert "To answer `healthy` always has a validation accuracy of 0.9700" in note
    assert "--metric balanced_accuracy or macro_f1" in note
    assert "earched" not in note
    assert "a validation weighted F1 of 0.9552" in imbalance_notes(data, "weighted_f1", is_searched=False)[0]


@pytest.mark.parametrize(("metric", "is_doubted"), [("accuracy", True), ("macro_f1", False)])
def test_what_is_searched_for_unequal_classes_is_said_in_the_same_note(metric, is_doubted):
    (note,) = imbalance_notes(uneven((776, 24), (194, 6)), metric, is_searched=True)

    assert ("--metric balanced_accuracy" in note) == is_doubted
    assert note.count("970 of the 1,000") == note.count("Classes are unequal") == 1
    assert note.endswith(
        "Searched too: the loss, weights of classes and balanced sampling; "
        "--fix class_weights=none --fix balanced=0.0 --fix loss=cross_entropy leaves them out."
    )


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1", "mcc", "auc", "recall:ill", "last"])
def test_a_metric_in_which_the_small_classes_count_needs_no_note(metric):
    assert imbalance_notes(uneven((776, 24), (194, 6)), metric, is_searched=False) == []


@pytest.mark.parametrize(
    ("counts", "is_said"),
    [
        ((97, 3), True),
        ((76, 24), True),
        ((75, 25), False),
        ((50, 50), False),
        ((45, 45, 10), True),
        ((50, 25, 25), False),
        ((100,) * 49 + (10,), True),
        ((60,) + (20,) * 49, False),
    ],
)
def test_accuracy_is_doubted_where_the_largest_class_is_more_than_three_times_the_smallest(counts, is_said):
    notes = imbalance_notes(uneven(counts, counts), "accuracy", is_searched=False)

    assert len(notes) == is_said
    assert all(f"validation accuracy of {max(counts) / sum(counts):.4f}" in note for note in notes)


@pytest.mark.parametrize(
    ("metric", "valid", "message"),
    [
        (
            "auc",
            (9, 0),
            "--metric auc: on the 9 validation images every class must have an image, and there is none of `i",
        ),
        (
            "average_precision",
            (0, 9),
            "--metric average_precision: on the 9 validation images every class must have an",
        ),
        ("qwk", (9, 9), "--metric qwk: classes must have an order, .* got `healthy`; rename the classes, or take"),
        ("mcc", (0, 9), "--metric mcc: on the 9 validation images there must be two classes, and all are of `ill`"),
        (
            "top5",
            (9, 9),
            "--metric top5: on the 18 validation images any answer would be right, as there are 2 classes",
        ),
        (
            "recall:sick",
            (9, 9),
            "--metric recall:sick: the data must have the class `sick`.*; the classes are `healthy`",
        ),
        ("precision:il", (9, 9), "--metric precision:il: the data must have the class `il`.*; did you mean `ill`?"),
        ("recall:ill", (9, 0), "--metric recall:ill: on the 9 validation images the class `ill` must have an image"),
    ],
)
def test_a_metric_that_tells_no_trial_from_another_is_refused_by_name(metric, valid, message):
    with pytest.raises(UserError, match=f"^{message}"):
        check_metric(uneven((9, 9), valid), metric)


def test_a_metric_needs_a_value_in_every_fold():
    data = replace(uneven((4, 4), (4, 4)), folds=np.array([0, 1, 0, 1, 0, 1, 0, 1], np.uint8))
    check_metric(data, "auc")

    with pytest.raises(UserError, match="on the 4 validation images every class"):
        check_metric(replace(data, folds=np.array([0, 0, 0, 0, 1, 1, 1, 1], np.uint8)), "auc")


def test_an_image_that_is_in_every_fold_is_counted_once():
    data = replace(uneven((8, 2), (8, 2)), folds=np.arange(10, dtype=np.uint8) % 2)

    assert "has 8 of the 10 labelled images" in imbalance_notes(data, "accuracy", is_searched=False)[0]
