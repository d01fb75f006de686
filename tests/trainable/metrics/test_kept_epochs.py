"""Which predictions of a trial's epochs are kept, and in what form."""

import numpy as np
import pytest

from sweep.trainable.metrics import named
from sweep.trainable.metrics.contract import softmax
from sweep.trainable.metrics.kept_epochs import MOST_BYTES, epochs_kept, kept_form

AUC = named("auc")


def test_where_the_classes_tell_the_value_no_probabilities_are_kept():
    for name in ("accuracy", "macro_f1", "micro_f1", "mcc", "recall:cat"):
        assert epochs_kept(named(name), [0.1, 0.2, 0.3], (1, 2), 100) == []


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([0.1], []),  # the best epoch is kept in full beside them
        ([0.1, 0.2], [1]),
        ([0.2, 0.4, 0.3, 0.3, 0.5], [3, 1, 2]),  # the rungs, and the best at the rung of epoch 3
        ([0.2, 0.4, 0.3, 0.3, 0.1], [3, 1]),
    ],
)
def test_the_rungs_and_what_was_best_at_them_are_kept(values, kept):
    assert epochs_kept(AUC, values, (1, 3, 9), 100) == kept


@pytest.mark.parametrize("room", [1, 2, 3, 9])
def test_all_that_is_to_be_kept_is_there_when_it_is_its_turn(room):
    rng, numbers = np.random.default_rng(0), MOST_BYTES // (2 * room)

    for _ in range(200):
        values, kept, best = list(rng.random(12)), set[int](), 0
        for epoch in range(1, len(values) + 1):
            now = epochs_kept(AUC, values[:epoch], (1, 3, 4, 9), numbers)
            assert set(now) <= kept | {best, epoch}
            assert len(now) <= room
            kept, best = set(now), AUC.best_epoch(values[:epoch])


def test_of_a_million_classes_and_images_no_epoch_is_kept():
    assert epochs_kept(AUC, [0.3, 0.2, 0.1], (1, 2), 50_000 * 1_000) == []


def test_the_kept_form_gives_the_probabilities_back_and_tells_those_near_one_apart():
    odds = np.array([-60, -9, -1, 0, 0.5, 3, 7, 8, 9, 10, 11], np.float32)
    logits = np.stack([odds, np.zeros_like(odds)], axis=1)

    kept = kept_form(logits)

    assert kept.dtype == np.float16
    assert np.isfinite(kept_form(1000 * logits)).all()
    assert softmax(kept.astype(float)) == pytest.approx(softmax(logits), rel=0.02)
    assert (np.diff(kept[:, 0]) > 0).all()
    assert kept_form(kept) is kept
