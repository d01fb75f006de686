"""One trial on two processes: the same losses as on one, killed and continued, from one process to two and back."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sweep.storage.states import Reason
from sweep.trainable import loop
from sweep.trainable.config import TrialConfig
from sweep.trainable.parallel.processes import ProcessLost
from sweep.trainable.parallel.team import Team
from sweep.trainable.saving import load, save
from sweep.trainable.state import new_state
from sweep.trainable.worker.attempt import Attempt
from sweep.trainable.worker.order import Order
from tests.trials import in_memory

ROOT = Path(__file__).resolve().parents[3]
DATA = in_memory(train=131, valid=25)  # a last batch of 3, which two processes cannot share
PLAIN = TrialConfig(arch="mlp", width=0.5, epochs=5, lr=0.01, batch_size=32, optimizer="adamw")  # of 5 steps
WITH_BATCH_NORM = TrialConfig(
    arch="small_resnet", width=0.25, depth=1, epochs=4, lr=0.05, batch_size=32, horizontal_flip=0.5, ema=0.9
)


@pytest.fixture(scope="module")
def team():
    """Returns the one team that this process can have; what a test has broken, the next net starts again."""
    torch.set_num_threads(1)
    team = Team(DATA, 2, "cpu", threads=1)
    yield team
    team.end()


def losses(epochs):
    return [(metrics.train_loss, metrics.valid_loss) for metrics in epochs]


@pytest.mark.parametrize(
    "config",
    [PLAIN, replace(PLAIN, optimizer="sgd", clip=0.1, label_smoothing=0.1), replace(PLAIN, batch_size=3)],
    ids=["", "clipped", "batches of 3"],
)
def test_a_net_without_batch_statistics_trains_the_same_losses_as_in_one_process(team, config):
    expected = losses(loop.train(config, DATA, new_state(config, DATA)))

    found = losses(team.train(config, DATA, new_state(config, DATA)))

    assert len(found) == config.epochs
    for pair, other in zip(found, expected, strict=True):
        assert pair == pytest.approx(other, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("config", [PLAIN, replace(PLAIN, ema=0.9)], ids=["", "with the mean of its weights"])
def test_a_trial_goes_on_in_two_processes_and_again_in_one(team, config, tmp_path):
    expected = losses(loop.train(config, DATA, new_state(config, DATA)))
    found, state = [], new_state(config, DATA)
    for train, until in ((loop.train, 2), (team.train, 4), (loop.train, 5)):
        for metrics in train(config, DATA, state):
            found.append(metrics)
            if metrics.epoch == until:
                break
        state = load(save(state, config, tmp_path), config, DATA, "accuracy")

    assert [metrics.epoch for metrics in found] == [1, 2, 3, 4, 5]
    for pair, other in zip(losses(found), expected, strict=True):
        assert pair == pytest.approx(other, rel=1e-5, abs=1e-5)


def test_all_processes_train_one_net_and_the_first_ones_statistics_predict(team):
    """Each has statistics of its own: the net that is kept is one of them, and its predictions are kept with it."""
    state = new_state(WITH_BATCH_NORM, DATA)

    epochs = list(team.train(WITH_BATCH_NORM, DATA, state))

    alone = loop.predict_logits(WITH_BATCH_NORM, state.predictor, torch.from_numpy(DATA.valid.images))
    last = torch.from_numpy(alone).log_softmax(1)[torch.arange(len(alone)), torch.from_numpy(DATA.valid.truth)]
    assert epochs[-1].valid_loss == pytest.approx(-last.mean().item(), rel=1e-4)


def test_a_trial_whose_other_process_is_killed_ends_in_its_next_attempt_as_one_that_was_not(team, tmp_path):
    config = WITH_BATCH_NORM
    unbroken = losses(team.train(config, DATA, new_state(config, DATA)))

    def killed_in_epoch_3(config, data, state):
        for metrics in team.train(config, data, state):
            yield metrics
            if metrics.epoch == 2:
                os.kill(team.others.members[0].process.pid, signal.SIGKILL)

    first = Attempt(Order(0, 1, config, tmp_path, "accuracy", (1, 2)), DATA, train=killed_in_epoch_3)
    report = first.next_report()
    while len(report.history) < 2:
        report = first.next_report()
    with pytest.raises(ProcessLost, match="another process of the trial was killed by signal 9"):
        first.next_report()
    assert [metrics.epoch for metrics in report.history] == [1, 2]
    assert team.others is None

    second = Attempt(Order(0, 2, config, tmp_path, "accuracy"), DATA, train=team.train)
    while not report.done:
        report = second.next_report()

    assert report.failure is None
    assert losses(report.history) == unbroken


def test_of_three_processes_the_one_that_was_killed_counts_and_not_the_errors_of_the_others(tmp_path):
    """In a process of its own, for this one has a team of two."""
    code = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from tests.trainable.parallel.test_team import DATA, PLAIN, Attempt, Order, ProcessLost, Team
        team = Team(DATA, 3, "cpu", 1)
        def killed(config, data, state):
            for metrics in team.train(config, data, state):
                yield metrics
                os.kill(team.others.members[1].process.pid, signal.SIGKILL)
        attempt = Attempt(Order(0, 1, PLAIN, Path(sys.argv[1]), "accuracy"), DATA, train=killed)
        try:
            while not attempt.next_report().done:
                pass
        except ProcessLost as error:
            print(error)
        team.end()
    """)
    words = [sys.executable, "-c", code, f"{tmp_path}"]
    worker = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)

    assert worker.stdout == "another process of the trial was killed by signal 9\n"


def test_an_error_of_another_process_is_the_trials_own(team, tmp_path, monkeypatch):
    """One whose memory is too small, for example: its GPU may be shared with another program."""
    team.end()  # the next process of it finds another step
    failing = textwrap.dedent("""
        import torch
        from sweep.trainable import step
        def fail(self, part):
            raise torch.OutOfMemoryError("no memory on the second GPU")
        step.Step.__call__ = fail
    """)
    (tmp_path / "sitecustomize.py").write_text(failing)
    monkeypatch.syspath_prepend(tmp_path)
    attempt = Attempt(Order(0, 1, PLAIN, tmp_path, "accuracy"), DATA, train=team.train)

    report = attempt.next_report()

    assert report.done
    assert (report.failure.reason, report.failure.message) == (Reason.OUT_OF_MEMORY, "no memory on the second GPU")


def test_a_trial_that_diverges_costs_no_process(team):
    config = replace(PLAIN, lr=1e30, optimizer="sgd")

    with pytest.raises(loop.Diverged):
        list(team.train(config, DATA, new_state(config, DATA)))
    others = team.others
    found = losses(team.train(PLAIN, DATA, new_state(PLAIN, DATA)))

    assert len(found) == PLAIN.epochs
    assert team.others is others is not None


def test_the_nets_of_folds_train_in_a_team_one_after_the_other(team, tmp_path, monkeypatch):
    data = replace(DATA, train=DATA.train.joined(DATA.valid), valid=DATA.train.joined(DATA.valid))
    data = replace(data, folds=(torch.arange(len(data.train.images)) % 2).numpy().astype("uint8"))
    team.end()
    monkeypatch.setattr(team, "data", data)
    config = replace(PLAIN, epochs=2)
    expected = [losses(loop.train(config, data.fold(fold), new_state(config, data.fold(fold)))) for fold in (1, 2)]
    attempt = Attempt(Order(0, 1, config, tmp_path, "accuracy"), data, train=team.train)

    report = attempt.next_report()
    while not report.done:
        report = attempt.next_report()

    assert report.failure is None
    for pair, other in zip(losses(report.history), [*expected[0], *expected[1]], strict=True):
        assert pair == pytest.approx(other, rel=1e-5, abs=1e-5)
    team.end()  # it has other data than the next test's


def test_the_other_processes_end_with_a_worker_that_is_killed():
    code = textwrap.dedent("""
        import os, signal
        from tests.trainable.parallel.test_team import DATA, PLAIN, Team, new_state
        team = Team(DATA, 2, "cpu", 1)
        for _ in team.train(PLAIN, DATA, new_state(PLAIN, DATA)):
            print(team.others.members[0].process.pid, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    worker = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    assert worker.returncode == -signal.SIGKILL
    other = int(worker.stdout)

    ended = wait_for_the_end(other)

    assert ended


def wait_for_the_end(pid: int) -> bool:
    """Returns whether a process that is no child of this one ends within a minute."""
    try:
        number = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    import select

    try:
        return bool(select.select([number], [], [], 60)[0])
    finally:
        os.close(number)


def test_no_file_and_no_process_is_left_behind(team):
    list(team.train(PLAIN, DATA, new_state(PLAIN, DATA)))
    folder, process = Path(team.others.folder.name), team.others.members[0].process

    team.end()

    assert process.poll() is not None
    assert not folder.exists()
    assert not torch.distributed.is_initialized()
