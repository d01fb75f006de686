import numpy as np
import pytest

from datasets.pixels.dataset import Dataset, Split
from search.runtime.data import imbalance_notes


def split_of(*counts: int) -> Split:
    labels = np.repeat(np.arange(len(counts)), counts)
    return Split(tuple(map(str, labels)), np.zeros((len(labels), 3, 1, 1), np.uint8), labels)


def uneven(train: tuple[int, ...], valid: tuple[int, ...]) -> Dataset:
    classes = ("healthy", "ill", *map(str, range(2, len(train))))
    return Dataset(split_of(*train), split_of(*valid), None, classes, None, "", ())


def test_where_one_class_has_nearly_all_images_the_flag_that_helps_is_said():
    data = uneven((776, 24), (194, 6))

    (note,) = imbalance_notes(data, "accuracy")

    assert "Class `healthy` has 97 % of the labelled images, `ill` 30 of 1,000" in note
    assert "always answers `healthy` has a validation accuracy of 0.9700" in note
    assert "--metric balanced_accuracy" in note
    assert imbalance_notes(data, "balanced_accuracy") == []


@pytest.mark.parametrize(
    ("counts", "is_said"),
    [
        ((97, 3), True),
        ((67, 33), True),
        ((60, 40), False),
        ((50, 50), False),
        ((52, 24, 24), True),
        ((50, 25, 25), False),
        ((40, 30, 30), False),
        ((45, 45, 10), False),
        ((100,) * 49 + (10,), False),  # a rare class makes no other one large
        ((60,) + (10,) * 49, False),
        ((600,) + (10,) * 49, True),
    ],
)
def test_accuracy_is_doubted_only_where_one_class_has_half_of_the_images_and_twice_as_many_as_another(counts, is_said):
    notes = imbalance_notes(uneven(counts, counts), "accuracy")

    assert len(notes) == is_said
    share = f"validation accuracy of {max(counts) / sum(counts):.4f}"
    assert all(share in note and "--metric balanced_accuracy" in note for note in notes)
