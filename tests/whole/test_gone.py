"""A sweep's folder that is taken away while its driver runs: what is lost is never told as kept."""

import errno
import os
import shutil
import signal

import pytest

from sweep.search.runtime.driver import drive
from tests.trials import execute, fake_train, in_memory, open_bridge

DATA = in_memory()


def begin(folder):
    """A sweep with a trial in it, as a driver has begun it."""
    bridge, _ = open_bridge(folder, 2, pruner="none")
    bridge.next_order()
    return bridge


def not_there(path):
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


@pytest.mark.parametrize("take", [shutil.rmtree, lambda folder: folder.rename(folder.with_name("moved"))])
def test_a_folder_that_is_taken_away_amid_training_is_not_told_as_kept_nor_made_anew(tmp_path, capsys, take):
    folder = tmp_path / "sweep"

    def train(config, data, state):
        take(folder)
        yield from fake_train(config, data, state)

    code = drive(folder, lambda: execute(open_bridge(folder, 2)[0], DATA, train=train))

    told = capsys.readouterr().err
    assert code == 4
    assert f"{folder}: the sweep's folder was deleted or moved while the sweep ran, with all that it held" in told
    assert "nothing that was recorded is lost" not in told
    assert not folder.exists()


def test_a_driver_does_not_order_a_trial_into_a_folder_that_is_gone(tmp_path):
    bridge = begin(tmp_path / "sweep")
    shutil.rmtree(tmp_path / "sweep")

    with pytest.raises(FileNotFoundError, match="sweep"):
        bridge.next_order()

    assert not (tmp_path / "sweep").exists()


def test_a_worker_makes_no_part_of_a_sweep_that_is_gone(tmp_path):
    from sweep.trainable.worker.attempt import Attempt

    bridge, _ = open_bridge(tmp_path / "sweep", 1)
    attempt = Attempt(bridge.next_order(), DATA, train=fake_train)
    shutil.rmtree(tmp_path / "sweep")

    report = attempt.next_report()

    assert report.failure.reason == "storage"
    assert not (tmp_path / "sweep").exists()


def test_a_file_that_is_taken_out_of_the_folder_is_named(tmp_path, capsys):
    folder = tmp_path / "sweep"

    def start():
        begin(folder)
        (folder / "journal.log").unlink()
        return not_there(folder / "journal.log")

    assert drive(folder, start) == 4
    told = capsys.readouterr().err
    assert f"{folder / 'journal.log'}: is not in the sweep's folder any more" in told
    assert "nothing that was recorded is lost" not in told


def test_a_signal_after_the_folder_was_deleted_is_not_told_as_a_sweep_that_goes_on(tmp_path, capsys):
    folder = tmp_path / "sweep"

    def start():
        begin(folder)
        shutil.rmtree(folder)
        signal.raise_signal(signal.SIGTERM)

    assert drive(folder, start) == 4
    said = capsys.readouterr()
    assert "nothing that was recorded is lost" not in said.out + said.err
    assert "was deleted or moved" in said.err


def test_a_disk_that_is_full_still_loses_nothing(tmp_path, capsys):
    def start():
        begin(tmp_path / "sweep")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "sweep" / "journal.log"))

    assert drive(tmp_path / "sweep", start) == 4
    assert "nothing that was recorded is lost" in capsys.readouterr().err
