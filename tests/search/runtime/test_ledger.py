"""The journal, the lock and the mirror."""

import os
import subprocess
import sys

import optuna
import pytest
from optuna.trial import TrialState

from sweep.search.pruners import new_pruner
from sweep.search.runtime.ledger import Ledger
from sweep.search.samplers import new_sampler
from sweep.storage import files
from sweep.storage.journal import ForeignWriterError, Journal, JournalError, repair_tail
from sweep.storage.lock import HeldError, driver_lock
from tests.trials import execute, fake_space, in_memory, open_bridge

DATA = in_memory()


@pytest.fixture
def journal(tmp_path):
    bridge, _ = open_bridge(tmp_path, 3)
    execute(bridge, DATA)
    return tmp_path / "journal.log"


def trials_in(path):
    storage = optuna.storages.JournalStorage(Journal(path))
    return [(t.number, t.state, t.params) for t in optuna.load_study(study_name="a" * 32, storage=storage).trials]


def test_a_last_record_cut_anywhere_is_cut_off_and_the_rest_stays(journal, tmp_path):
    content = journal.read_bytes()
    records = content.splitlines(keepends=True)
    copy = tmp_path / "copy.log"
    for length in range(2, len(records[-1])):
        copy.write_bytes(content[:-length])

        assert repair_tail(copy) == len(records[-1]) - length
        assert copy.read_bytes() == b"".join(records[:-1])


def test_a_last_record_that_lacks_its_line_end_alone_stays(journal):
    content = journal.read_bytes()
    journal.write_bytes(content[:-1])

    assert repair_tail(journal) == 0
    assert journal.read_bytes() == content


def test_a_reader_does_not_see_a_record_that_is_still_being_written(journal):
    expected = trials_in(journal)
    with open(journal, "ab") as file:
        file.write(b'{"op_code":4,"half')

    assert trials_in(journal) == expected


def test_the_epochs_of_a_report_are_one_write(tmp_path, monkeypatch):
    bridge, _ = open_bridge(tmp_path, 1)
    bridge.next_order()
    written = []
    append = files.append
    monkeypatch.setattr(files, "append", lambda path, data: (written.append(data), append(path, data)))

    bridge.ledger.report(0, {1: 0.25, 2: 0.5, 3: 0.5})
    bridge.ledger.set(0, "passed", 3)

    assert [data.count(b"\n") for data in written] == [3, 1]
    (trial,) = Ledger(tmp_path, "a" * 32, "accuracy", new_pruner("none")).trials
    assert trial.intermediate_values == {1: 0.25, 2: 0.5, 3: 0.5}


def test_a_report_that_cannot_be_written_leaves_no_epoch_behind(tmp_path, monkeypatch):
    bridge, _ = open_bridge(tmp_path, 1)
    bridge.next_order()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "append", full)
        with pytest.raises(OSError, match="No space"):
            bridge.ledger.report(0, {1: 0.25, 2: 0.5})
    bridge.ledger.report(0, {1: 0.25, 2: 0.5})

    (trial,) = Ledger(tmp_path, "a" * 32, "accuracy", new_pruner("none")).trials
    assert trial.intermediate_values == {1: 0.25, 2: 0.5}


def test_a_flipped_bit_is_never_silently_other_content(journal, tmp_path):
    content = journal.read_bytes()
    expected = trials_in(journal)
    copy = tmp_path / "copy.log"
    for position in range(0, len(content), 97):
        flipped = bytearray(content)
        flipped[position] ^= 1
        copy.write_bytes(flipped)
        refusal = ""
        try:
            found = trials_in(copy)
        except JournalError as error:
            refusal = str(error)
        assert f"{copy}:{content[:position].count(10) + 1}:" in refusal or found == expected


def test_a_journal_that_is_gone_while_trials_are_there_is_no_fresh_start(journal):
    journal.unlink()

    with pytest.raises(JournalError, match="the ledger has 0 trials, but trials/0002 is there"):
        Ledger(journal.parent, "a" * 32, "accuracy", new_pruner("halving"))


def test_a_full_disk_leaves_no_part_of_a_record(journal, monkeypatch):
    before = journal.read_bytes()
    opened = Journal(journal)
    opened.read_logs(0)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        opened.append_logs([{"op_code": 0}])

    assert journal.read_bytes() == before


def test_a_driver_that_finds_records_of_another_one_stops(journal):
    """As on a network folder whose locks do not work."""
    mine, other = Journal(journal), Journal(journal)
    for driver in (mine, other):
        driver.read_logs(0)
    other.append_logs([{"op_code": 2}])

    with pytest.raises(ForeignWriterError, match="another driver wrote into it"):
        mine.append_logs([{"op_code": 2}])


def test_a_second_driver_is_refused_and_told_who_holds_the_sweep(tmp_path):
    code = (
        "from pathlib import Path; from storage.lock import driver_lock\n"
        f"with driver_lock(Path({str(tmp_path)!r})): pass"
    )
    with driver_lock(tmp_path):
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert other.returncode != 0
    assert f"pid {os.getpid()} on" in other.stderr
    with driver_lock(tmp_path):  # and it is free again
        pass


def test_a_lock_of_a_killed_driver_is_free_at_once(tmp_path):
    code = (
        "import os, signal; from pathlib import Path; from storage.lock import driver_lock\n"
        f"with driver_lock(Path({str(tmp_path)!r})): os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code], check=False)

    assert killed.returncode == -9
    with driver_lock(tmp_path):
        assert f"pid {os.getpid()} on" in (tmp_path / "lock").read_text()


def test_the_lock_names_the_holder_only(tmp_path):
    for _ in range(2):
        with driver_lock(tmp_path), pytest.raises(HeldError) as error, driver_lock(tmp_path):
            pass

    assert str(error.value).count("pid") == 1


def test_reopened_the_mirror_equals_the_one_that_was_kept_up(tmp_path):
    bridge, _ = open_bridge(tmp_path, 12)
    execute(bridge, DATA)

    again = Ledger(tmp_path, "a" * 32, "accuracy", new_pruner("halving"))

    def view(trial):
        return trial.params, trial.state, trial.value, trial.intermediate_values, trial.constraints, trial.user_attrs

    assert [view(trial) for trial in again.trials] == [view(trial) for trial in bridge.ledger.trials]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_restart_while_a_trial_runs_draws_the_same_config(tmp_path, sampler):
    bridge, _ = open_bridge(tmp_path, 14, sampler=sampler)
    execute(bridge, DATA)
    bridge, _ = open_bridge(tmp_path, 16, sampler=sampler)
    bridge.next_order()  # trial 14 runs
    again = Ledger(tmp_path, "a" * 32, "accuracy", new_pruner("halving"))

    drawn = [ledger.draw(new_sampler(sampler, 7, 15), fake_space, {}) for ledger in (bridge.ledger, again)]

    assert again.trial(14).state == TrialState.RUNNING
    assert drawn[0] == drawn[1]


def test_a_diverged_trial_is_fail_in_the_ledger_and_infeasible_to_the_sampler(tmp_path):
    bridge, _ = open_bridge(tmp_path, 12)
    execute(bridge, DATA)

    number = next(t.number for t in bridge.ledger.trials if t.constraints)
    durable = bridge.ledger._study.get_trials()[number]

    assert durable.state == TrialState.FAIL
    assert durable.user_attrs["reason"] == "diverged"
    assert bridge.ledger.trial(number).constraints == {"trainable": 1.0}


def test_of_trials_that_the_ledger_lost_the_last_is_named_however_many_digits_it_has(tmp_path):
    for number in (9999, 10000):
        (tmp_path / "trials" / f"{number:04d}").mkdir(parents=True)

    with pytest.raises(JournalError, match="trials/10000 is there"):
        Ledger(tmp_path, "0123", "accuracy", new_pruner("none"))
