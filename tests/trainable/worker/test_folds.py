"""A trial with a net for each fold on a worker: what is written, and where a later attempt goes on."""

import json
import math

import numpy as np
import pytest

from sweep.datasets.folds import folded
from sweep.storage import paths
from sweep.trainable import loop
from sweep.trainable.checkpoint import read_finished
from sweep.trainable.config import TrialConfig
from sweep.trainable.metrics.history import by_fold
from sweep.trainable.worker.attempt import Attempt
from sweep.trainable.worker.order import Order
from sweep.trainable.worker.report import Report
from tests.trials import WorkerDied, fake_train, in_memory

DATA = folded(in_memory(train=24, valid=20), 4, 0)
CONFIG = TrialConfig(arch="mlp", width=0.1, lr=0.05, epochs=3, batch_size=8, seed=5)


def order(folder, attempt=1, rungs=(), config=CONFIG):
    folder.mkdir(exist_ok=True)
    return Order(0, attempt, config, folder, "accuracy", rungs)


def trained_to_its_end(attempt):
    while not (report := attempt.next_report()).done:
        pass
    assert report.failure is None, report.failure
    return report


def train_until_killed(attempt):
    while not attempt.next_report().done:
        pass


def stripped(history):
    return [metrics.to_dict() | {"seconds": 0} for metrics in history]


class Killed:
    """Trains until an epoch of a fold has been made, and then is gone."""

    def __init__(self, fold, epoch, train=loop.train):
        self.place, self.train, self.seen = (fold, epoch), train, []

    def __call__(self, config, data, state):
        for metrics in self.train(config, data, state):
            self.seen.append((state.fold, metrics.epoch))
            if self.seen[-1] == self.place:
                raise WorkerDied
            yield metrics


def test_each_fold_has_a_net_and_each_image_is_predicted_by_one_that_never_saw_it(tmp_path):
    report = trained_to_its_end(Attempt(order(tmp_path / "trial"), DATA))

    assert [[metrics.epoch for metrics in epochs] for epochs in by_fold(report.history)] == [[1, 2, 3]] * 4
    assert [epochs[0].fold for epochs in by_fold(report.history)] == [1, 2, 3, 4]
    kept = read_finished(tmp_path / "trial", 1)
    assert sorted(np.concatenate([fold.rows for fold in kept.values()]).tolist()) == list(range(44))
    for fold, checkpoint in kept.items():
        assert set(DATA.folds[checkpoint.rows]) == {fold - 1}
        assert not checkpoint.optimizer
        assert checkpoint.best
    assert not paths.checkpoints(tmp_path / "trial" / "attempt-1")


@pytest.mark.parametrize("place", [(1, 1), (1, 3), (2, 1), (3, 2), (4, 3)])
def test_a_killed_attempt_ends_like_one_that_was_not_and_trains_no_epoch_twice(tmp_path, place, monkeypatch):
    monkeypatch.setattr("sweep.trainable.worker.attempt.REPORT_SECONDS", 0.0)
    monkeypatch.setattr("sweep.trainable.worker.attempt.SAVE_SHARE", math.inf)  # a report after each epoch
    unbroken = trained_to_its_end(Attempt(order(tmp_path / "unbroken"), DATA)).history
    killed, after = Killed(*place), Killed(0, 0)

    attempt = Attempt(order(tmp_path / "trial"), DATA, train=killed)
    with pytest.raises(WorkerDied):
        train_until_killed(attempt)
    report = trained_to_its_end(Attempt(order(tmp_path / "trial", attempt=2), DATA, train=after))

    assert stripped(report.history) == stripped(unbroken)
    assert killed.seen[:-1] + after.seen == [(metrics.fold, metrics.epoch) for metrics in unbroken]
    for fold, checkpoint in read_finished(tmp_path / "unbroken", 1).items():
        again = read_finished(tmp_path / "trial", 2)[fold]
        assert np.array_equal(checkpoint.valid_logits, again.valid_logits)
        assert all((again.best[name] == tensor).all() for name, tensor in checkpoint.best.items())


def test_an_attempt_after_all_folds_were_finished_reports_them_and_trains_nothing(tmp_path):
    first = trained_to_its_end(Attempt(order(tmp_path / "trial"), DATA))
    (tmp_path / "trial" / "attempt-1" / "result.json").unlink()
    after = Killed(0, 0)

    report = trained_to_its_end(Attempt(order(tmp_path / "trial", attempt=2), DATA, train=after))

    assert stripped(report.history) == stripped(first.history)
    assert after.seen == []


def test_a_damaged_fold_alone_is_trained_again(tmp_path):
    first = trained_to_its_end(Attempt(order(tmp_path / "trial"), DATA))
    path = paths.fold_path(tmp_path / "trial" / "attempt-1", 2)
    path.write_bytes(path.read_bytes()[:-7])
    after = Killed(0, 0)

    report = trained_to_its_end(Attempt(order(tmp_path / "trial", attempt=2), DATA, train=after))

    assert {fold for fold, _ in after.seen} == {2}
    assert stripped(report.history) == stripped(first.history)


def test_the_end_of_a_fold_that_is_a_rung_is_reported_at_once(tmp_path):
    attempt = Attempt(order(tmp_path / "trial", rungs=(1,)), DATA, train=fake_train)
    folds = [sorted({metrics.fold for metrics in attempt.next_report().history}) for _ in range(2)]
    assert folds == [[1], [1, 2, 3, 4]]


def test_a_report_in_folds_survives_its_way_as_text(tmp_path):
    report = trained_to_its_end(Attempt(order(tmp_path / "trial"), DATA, train=fake_train))
    assert Report.from_json(json.loads(report.to_json())) == report
