"""Event files for TensorBoard, a folder a trial."""

import errno
import os
import struct

import pytest
from click.testing import CliRunner
from optuna.trial import TrialState
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData
from tensorboardX.record_writer import RecordWriter, masked_crc32c

from sweep.analysis.outputs.tensorboard import write_events
from sweep.analysis.tensorboard import main
from sweep.storage.paths import trial_folder
from tests.sweeps import CNN, MLP, noise, varied_sweep


@pytest.fixture(scope="module")
def data():
    return noise()


@pytest.fixture
def sweep(tmp_path, data):
    return varied_sweep(tmp_path / "sweep", data)


def files(sweep):
    """Every file below `tensorboard/`, its bytes by its relative path."""
    root = sweep.folder / "tensorboard"
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def events(sweep, number):
    """The events of a trial, each checksum checked."""
    (path,) = (sweep.folder / "tensorboard" / f"{number:04d}").iterdir()
    content, found = path.read_bytes(), []
    while content:
        size, of_size = struct.unpack("<QI", content[:12])
        body, of_body = content[12 : 12 + size], content[12 + size : 16 + size]
        assert of_size == masked_crc32c(content[:8])
        assert of_body == struct.pack("<I", masked_crc32c(body))
        found.append(Event.FromString(body))
        content = content[16 + size :]
    return found


def plugin(event):
    (value,) = event.summary.value
    assert value.metadata.plugin_data.plugin_name == "hparams"
    return HParamsPluginData.FromString(value.metadata.plugin_data.content)


def scalars(sweep, number):
    """(step, value) by tag."""
    found = {}
    for event in events(sweep, number):
        for value in event.summary.value:
            if value.HasField("simple_value"):
                found.setdefault(value.tag, []).append((event.step, pytest.approx(value.simple_value)))
    return found


def run(folder):
    return CliRunner().invoke(main, [str(folder)])


def test_each_ended_trial_gets_one_folder_with_one_file(sweep):
    result = run(sweep.folder)

    assert result.exit_code == 0
    assert result.stdout.startswith(f"{sweep.folder / 'tensorboard'}: 5 more trials")
    assert [name.split("/")[0] for name in files(sweep)] == ["0000", "0001", "0002", "0003", "0004"]
    assert all("/events.out.tfevents." in name for name in files(sweep))
    assert not list(sweep.folder.glob("*.partial"))


def test_the_scalars_are_the_epochs_of_the_trial_and_its_value(sweep):
    write_events(sweep.record)

    found = scalars(sweep, 1)
    assert set(found) == {"train_loss", "valid_loss", "valid_accuracy", "valid_balanced_accuracy", "lr", "value"}
    history = sweep.record.trials[1].history
    for name in ("train_loss", "valid_loss", "valid_accuracy", "lr"):
        assert found[name] == [(epoch["epoch"], epoch[name]) for epoch in history]
    assert found["value"] == [(3, 0.8)]
    assert scalars(sweep, 2)["valid_accuracy"] == [(1, 0.2), (2, 0.9)]  # PRUNED: as far as it came
    assert scalars(sweep, 4) == {}  # FAIL before its first epoch: its hyperparameters alone


def test_the_hyperparameters_have_their_types_and_a_failure_is_one(sweep):
    write_events(sweep.record)

    first, *_, last = events(sweep, 1)[1:]
    hparams = plugin(first).session_start_info.hparams
    assert hparams["arch"].string_value == "cnn"
    assert (hparams["lr"].number_value, hparams["batch_size"].number_value) == (0.5, 128)
    assert hparams["state"].string_value == "COMPLETE"
    assert set(hparams) == {*CNN.to_dict(), "state"}
    assert plugin(last).session_end_info.status == 1  # success
    assert plugin(events(sweep, 3)[-1]).session_end_info.status == 2  # failure


def test_times_are_the_trials_own(sweep):
    write_events(sweep.record)

    ended = sweep.record.study.trials[1].datetime_complete.timestamp()
    times = [event.wall_time for event in events(sweep, 1)]
    assert times == sorted(times)
    assert times[-1] == ended
    assert times[0] == pytest.approx(ended - 4 * 0.25, abs=1e-3)


def test_written_again_nothing_changes_and_new_trials_are_added(sweep):
    write_events(sweep.record)
    before = files(sweep)
    assert write_events(sweep.record) == ([], [])
    assert files(sweep) == before

    sweep.ledger.tell(5, TrialState.FAIL)
    number = sweep.add(MLP, [3])

    assert write_events(sweep.record) == ([5, number], [])
    after = files(sweep)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 2


def test_the_same_trials_give_the_same_bytes_at_another_time(sweep):
    write_events(sweep.record)
    before = files(sweep)
    (sweep.folder / "tensorboard").rename(sweep.folder / "before")

    write_events(sweep.record)

    assert files(sweep) == before


def test_a_damaged_trial_is_named_and_the_others_are_written(sweep):
    history = trial_folder(sweep.folder, 1) / "history.json"
    whole = history.read_bytes()
    history.write_bytes(whole[:-20])

    result = run(sweep.folder)

    assert result.exit_code == 0
    assert f"left out: {history}" in result.stderr
    assert [name.split("/")[0] for name in files(sweep)] == ["0000", "0002", "0003", "0004"]
    history.write_bytes(whole)  # restored from a backup
    assert write_events(sweep.record) == ([1], [])


def test_a_full_disk_leaves_whole_trials_only(sweep, monkeypatch):
    write, written = RecordWriter.write, []

    def write_until_full(self, record):
        written.append(record)
        if len(written) > 10:  # in the second trial
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(self, record)

    with monkeypatch.context() as patch:
        patch.setattr(RecordWriter, "write", write_until_full)
        result = run(sweep.folder)

    assert result.exit_code == 4
    assert os.strerror(errno.ENOSPC) in result.stderr
    assert [name.split("/")[0] for name in files(sweep)] == ["0000"]
    assert len(events(sweep, 0)) == 8
    assert not list(sweep.folder.glob("*.partial"))
    assert write_events(sweep.record) == ([1, 2, 3, 4], [])


def test_two_writers_at_once_leave_one_file_each(sweep, monkeypatch):
    rename = os.rename

    def rename_too_late(source, target):
        monkeypatch.setattr(os, "rename", rename)
        write_events(sweep.record)  # the other one, a moment ahead
        rename(source, target)

    monkeypatch.setattr(os, "rename", rename_too_late)
    write_events(sweep.record)

    assert [name.split("/")[0] for name in files(sweep)] == ["0000", "0001", "0002", "0003", "0004"]
    assert not list(sweep.folder.glob("*.partial"))


def test_a_folder_without_a_sweep_is_named_and_stays_empty(tmp_path):
    result = run(tmp_path)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{tmp_path}: holds no sweep")
    assert not list(tmp_path.iterdir())
