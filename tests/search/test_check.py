"""Is the folder of a sweep whole, and what a repair makes of it when not."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from sweep.analysis import ledger
from sweep.analysis.outputs.best import read_best, write_best
from sweep.analysis.record import Record
from sweep.search.checks import command as checking
from sweep.search.checks import inspection
from sweep.storage import files
from sweep.storage.errors import SweepError
from sweep.storage.journal import Journal, Operation, line_of, parse
from sweep.storage.lock import driver_lock
from sweep.storage.paths import AVERAGED_LOGITS, checkpoints
from sweep.storage.sweep_file import SweepFile
from sweep.trainable.worker.attempt import Attempt
from tests.damage import DATA, TRIALS, checked, content, go_on, make_results, train
from tests.trials import execute, open_bridge

BEST = "trials/0001"
RUNNING = "trials/0003"
Damage = Callable[[Path], Any]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two COMPLETE trials and a FAIL, and the results of them."""
    folder = tmp_path_factory.mktemp("finished") / "sweep"
    go_on(folder)
    make_results(folder)
    return folder


@pytest.fixture(scope="module")
def interrupted(finished):
    """The same, and a fourth trial in its second epoch."""
    folder = finished.with_name("interrupted")
    shutil.copytree(finished, folder)
    go_on(folder, TRIALS + 1, stop_at=(TRIALS, 1))
    return folder


@pytest.fixture
def sweep(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "sweep")


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def states(folder: Path) -> list[str]:
    return [trial.state for trial in Record(folder).trials]


def with_lines(change: Callable[[list[bytes]], list[bytes]]) -> Damage:
    def damage(folder: Path) -> None:
        journal = folder / "journal.log"
        journal.write_bytes(b"".join(change(journal.read_bytes().splitlines(keepends=True))))

    return damage


def overwritten(what: str) -> Damage:
    """The first record that says so, a digit of it and its checksum."""

    def change(lines: list[bytes]) -> list[bytes]:
        number = next(number for number, line in enumerate(lines) if what.encode() in line)
        lines[number] = lines[number][:-20] + b"x" * 19 + b"\n"
        return lines

    return with_lines(change)


def replaced(name: str, before: str, after: str) -> Damage:
    def damage(folder: Path) -> None:
        text = (folder / name).read_text()
        assert before in text
        (folder / name).write_text(text.replace(before, after, 1))

    return damage


def array(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    return lambda folder: np.save(folder / name, change(np.load(folder / name)))


def gone(*names: str) -> Damage:
    return lambda folder: [files.remove(folder / name) for name in names]


def together(*damages: Damage) -> Damage:
    return lambda folder: [damage(folder) for damage in damages]


def halved(name: str) -> Damage:
    return lambda folder: os.truncate(folder / name, (folder / name).stat().st_size // 2)


def appended(**fields: Any) -> Damage:
    """A record with its checksum."""
    return with_lines(lambda lines: [*lines, line_of({"worker_id": "x"} | fields)])


# What a check says, and what stays lost when it is mended.
DAMAGES: dict[str, tuple[Damage, str, str]] = {
    "the study's record": (overwritten('"op_code":0'), "journal.log:1: its checksum differs", "what they do not know"),
    "a trial's record": (overwritten('"op_code":4'), "trial 0: its first record is lost", "its parameters"),
    "a value": (overwritten('"step":2'), "trial 0: it is COMPLETE, and epochs of it have no", "what they do not know"),
    "a value that its folder has not either": (
        together(overwritten('"step":2'), gone("trials/0000/history.json")),
        "trial 0: it is COMPLETE, and neither the ledger nor its folder has the values of its epochs",
        "what they do not know",
    ),
    "an end": (overwritten('"op_code":6'), "trial 0: it has ended by its folder, and is RUN", "what they do not know"),
    "a reason": (overwritten('"reason"'), "trial 2: it is a FAIL without its reason", "what they do not"),
    "a record gone whole": (with_lines(lambda lines: lines[:6] + lines[7:]), "epochs of it have no value", ""),
    "records out of order": (with_lines(lambda lines: lines[1:] + lines[:1]), "not in the order", ""),
    "all records": (gone("journal.log"), "journal.log: missing, and there are trials", "its parameters"),
    "a strange record": (appended(op_code=3, study_id=0), "journal.log:25: the record is of a kind", ""),
    "a history": (halved(f"{BEST}/history.json"), f"{BEST}/history.json:1: is not JSON", "its epochs"),
    "a history's values": (
        replaced(f"{BEST}/history.json", '"valid_accuracy": 0.', '"valid_accuracy": 0.0'),
        f"{BEST}/history.json: damaged: it does not have the values that are in the ledger",
        "its epochs",
    ),
    "no history": (gone(f"{BEST}/history.json"), f"{BEST}/history.json: missing", "its epochs"),
    "other classes": (
        array(f"{BEST}/valid_classes.npy", lambda found: (found + 1) % 3),
        f"{BEST}/valid_classes.npy: damaged: must be right as often as history.json says",
        "the classes it predicted",
    ),
    "unknown classes": (
        array(f"{BEST}/valid_classes.npy", lambda found: found + 3),
        f"{BEST}/valid_classes.npy: damaged: must be classes of the sweep, got 5",
        "the classes it predicted",
    ),
    "an epoch less": (
        array(f"{BEST}/valid_classes.npy", lambda found: found[1:]),
        "must be uint8 (7, 20), got uint8 (6, 20)",
        "the classes it predicted",
    ),
    "other logits": (
        array(f"{BEST}/valid_logits.npy", lambda found: -found),
        f"{BEST}/valid_logits.npy: damaged: must be those of valid_classes.npy at epoch 6, got",
        "its predictions",
    ),
    "weights that best/ has": (halved(f"{BEST}/best.safetensors"), f"{BEST}/best.safetensors: damaged: ", ""),
    "weights of another trial": (
        lambda folder: shutil.copy(folder / "trials/0000/best.safetensors", folder / BEST / "best.safetensors"),
        f"{BEST}/best.safetensors: holds the weights of another trial",
        "",
    ),
    "weights of the second": (
        halved("trials/0000/best.safetensors"),
        "trials/0000/best.safetensors: damaged: ",
        "its weights, for ensembles",
    ),
    "a config": (replaced(f"{BEST}/config.json", '"lr"', '"rate"'), f"{BEST}/config.json: must be the config in", ""),
    "labels": (halved("valid_labels.npy"), "valid_labels.npy: is no whole array", ""),
    "a label": (array("valid_labels.npy", lambda found: found[::-1].copy()), "must be the labels of the", ""),
    "pictures": (halved("valid_images.npy"), "valid_images.npy: is no whole array", ""),
    "data.csv": (
        replaced("data.csv", "split,id", "id"),
        "data.csv: must have the header split,id",
        "which image is which",
    ),
    "a row of a table": (replaced("trials.csv", "COMPLETE", "PRUNED"), "trials.csv: must have the row 0, COM", ""),
    "a table": (halved("epochs.parquet"), "epochs.parquet: ", ""),
    "the report": (gone("report.html"), "report.html: missing", ""),
    "the best model": (halved("best/model.safetensors"), "best: model.safetensors is not the one of config", ""),
    "another best": (replaced("best/config.json", '"trial": 1', '"trial": 0'), "must be of the best trial, 1", ""),
    "an id": (replaced("predictions.csv", "test3.png", "test4.png"), "row 4 has `test4.png` for `test3.png`", ""),
    "a label in predictions": (replaced("predictions.csv", ".png,0", ".png,7"), "labels must be classes", ""),
    "a trial too many": (lambda folder: (folder / "trials/0009").mkdir(), "trials/0009: is no trial of this", ""),
}


def test_a_whole_sweep_is_one_line_with_what_was_checked(finished):
    before = snapshot(finished)

    code, words = checked(finished)

    assert (code, words) == (
        0,
        f"{finished}: whole: 24 records, 3 trials (2 COMPLETE, 1 FAIL), the weights of 2, results of 3\n",
    )
    assert snapshot(finished) == before


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_damaged_is_named_and_mended_and_the_sweep_goes_on(sweep, name):
    damage, expected, loss = DAMAGES[name]
    ends = content(sweep / "journal.log")
    damage(sweep)
    before = snapshot(sweep)

    code, words = checked(sweep)
    assert code == 2
    assert expected in words
    assert "`--repair`" in words
    assert snapshot(sweep) == before

    code, words = checked(sweep, must_repair=True)
    assert code == 0, words
    assert expected in words
    assert f"; lost: {loss}" in words if loss else "; lost: " not in words

    assert checked(sweep)[0] == 0
    go_on(sweep)
    assert [trial[:4] for trial in content(sweep / "journal.log")] == [trial[:4] for trial in ends]
    assert write_best(Record(sweep)).trial == 1


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (
            replaced("sweep.json", '"id": "a', '"id": "b'),
            "journal.log: must have those of sweep.json, got another sweep's id",
        ),
        (
            replaced("sweep.json", '"seed": 7', '"seed": 8'),
            "journal.log: must have those of sweep.json, got another sweep's id",
        ),
        (
            replaced("sweep.json", '"metric": "accuracy"', '"metric": "log_loss"'),
            "got another sweep's id, metric or seeds; restore",
        ),
        (replaced("sweep.json", '"classes": [', '"klasses": ['), "sweep.json: lacks classes"),
        (halved("sweep.json"), ": is not JSON: "),
        (gone("sweep.json"), "sweep.json: missing, and there are trials; restore it"),
        (gone("data.csv", "valid_labels.npy"), "valid_labels.npy: missing; restore it, or data.csv, from a backup"),
    ],
)
def test_what_cannot_be_mended_says_what_to_restore_and_stays_as_it_is(sweep, damage, expected):
    damage(sweep)
    journal = (sweep / "journal.log").read_bytes()

    code, words = checked(sweep, must_repair=True)

    assert code == 2
    assert expected in words
    assert "restore" in words
    assert (sweep / "journal.log").read_bytes() == journal


@pytest.mark.parametrize(
    ("what", "line", "trial"),
    [
        ('"op_code":4', 2, "of trial 0"),
        ('"step":2', 5, "of trial 0"),
        ('"reason"', 22, "of trial 2"),
        ('"op_code":0', 1, ""),
    ],
)
def test_a_damaged_record_is_named_with_file_line_and_trial(sweep, what, line, trial):
    overwritten(what)(sweep)

    words = checked(sweep)[1]

    assert f"{sweep}/journal.log:{line}: its checksum differs: a record {trial or 'that names no trial'}" in words


@pytest.mark.parametrize("changes", [{}, {"trial_id": [1]}, {"trial_id": 10**6}, {"trial_id": -1}])
def test_a_record_of_a_trial_that_cannot_be_is_left_out(sweep, changes):
    lines = (sweep / "journal.log").read_bytes().splitlines(keepends=True)
    record = next(each for each in map(parse, lines) if each["op_code"] == Operation.SET_TRIAL_INTERMEDIATE_VALUE)
    strange = {name: value for name, value in record.items() if name not in ("trial_id", "crc")} | changes
    before = content(sweep / "journal.log")
    (sweep / "journal.log").write_bytes(b"".join([*lines, line_of(strange)]))

    words = checked(sweep)[1]
    checked(sweep, must_repair=True)

    place, trial = f"{sweep}/journal.log:{len(lines) + 1}", changes.get("trial_id")
    assert f"{place}: the record is of a trial that this sweep cannot have, {trial!r}: it is not the driver's" in words
    assert content(sweep / "journal.log") == before


def test_damaged_records_beside_each_other_are_named_together(sweep):
    for what in ('"step":1', '"passed":1', '"step":2'):
        overwritten(what)(sweep)

    words = checked(sweep)[1]

    assert f"{sweep}/journal.log:3: the checksums of 3 lines from here on differ: records of trial 0" in words


def test_a_folder_without_a_sweep_is_named(tmp_path):
    for must_repair in (False, True):
        assert checked(tmp_path / "none", must_repair) == (
            2,
            f"{tmp_path}/none: holds no sweep (no sweep.json); start one with --sweep {tmp_path}/none\n",
        )
    assert list(tmp_path.iterdir()) == []


def test_the_best_weights_where_nothing_has_them_are_trained_again(sweep):
    weights = (sweep / BEST / "best.safetensors").read_bytes()
    (sweep / BEST / "best.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    files.remove(sweep / "best")
    with pytest.raises(
        SweepError, match=r"best.safetensors: damaged: its checksum differs; see `python -m search.check"
    ):
        write_best(Record(sweep))

    code, words = checked(sweep, must_repair=True)

    assert code == 0
    assert "trial 1: best.safetensors, the weights of the best trial: damaged: its checksum differs; it is" in words
    assert states(sweep) == ["COMPLETE", "RUNNING", "FAIL"]
    go_on(sweep)
    make_results(sweep)
    assert (sweep / BEST / "best.safetensors").read_bytes() == weights  # to the last bit
    assert read_best(sweep).trial == 1
    code, words = checked(sweep)
    assert code == 0
    assert words.endswith("results of 3\n")


def test_an_interrupted_sweep_is_whole(interrupted):
    code, words = checked(interrupted)

    assert code == 0
    assert "4 trials (2 COMPLETE, 1 FAIL, 1 RUNNING)" in words


def test_a_damaged_checkpoint_is_no_problem_for_the_one_before_it_is_used(interrupted, tmp_path):
    sweep = shutil.copytree(interrupted, tmp_path / "sweep")
    newest = checkpoints(sweep / RUNNING / "attempt-1")[0]
    newest.write_bytes(newest.read_bytes()[:-1])

    code, words = checked(sweep)

    assert code == 0
    assert f"{newest}: damaged" in words
    assert "the newest one that is whole is used" in words


def test_averaged_predictions_that_are_damaged_are_moved_away_to_be_made_anew(sweep):
    path = sweep / BEST / AVERAGED_LOGITS
    np.save(path, np.zeros((20, 3), np.float32))
    assert checked(sweep)[1].count("\n") == 1
    np.save(path, np.zeros((20, 2), np.float32))

    code, words = checked(sweep, must_repair=True)

    assert code == 0, words
    assert (
        f"{AVERAGED_LOGITS}: damaged: must be float32 (20, 3), got float32 (20, 2); moved away, and made anew" in words
    )
    assert not path.exists()


def test_a_trial_of_which_neither_record_nor_config_is_left_keeps_its_number_as_a_fail(sweep):
    overwritten('"op_code":4')(sweep)
    (sweep / "trials/0000/config.json").unlink()

    code, words = checked(sweep, must_repair=True)

    assert code == 0, words
    assert "trial 0: its first record is lost, and its folder has no config; it is a FAIL; lost: all of it" in words
    assert states(sweep) == ["FAIL", "COMPLETE", "FAIL"]


def test_what_was_left_over_is_no_problem_and_a_repair_removes_it(sweep):
    left = [sweep / "journal.log.partial", sweep / BEST / "history.json.partial", sweep / BEST / "attempt-1" / "x"]
    left[2].parent.mkdir()
    for path in left:
        path.write_text("x")
    with open(sweep / "journal.log", "ab") as journal:
        journal.write(b'{"op_code":8,"half')

    code, words = checked(sweep)
    assert code == 0
    assert words.count("`--repair`") == 4

    assert checked(sweep, must_repair=True)[0] == 0
    assert not any(path.exists() for path in left)
    assert checked(sweep)[1].count("\n") == 1


def test_foreign_files_are_named_as_such(sweep):
    (sweep / "tuner.pkl").write_text("x")
    (sweep / BEST / "model.pt").write_text("x")

    code, words = checked(sweep)

    assert code == 0
    assert f"files that are not a sweep's: {BEST}/model.pt, tuner.pkl; nothing reads them" in words


def test_an_attempt_that_the_ledger_lost_is_never_given_again(interrupted, tmp_path):
    sweep = shutil.copytree(interrupted, tmp_path / "sweep")
    shutil.copytree(sweep / RUNNING / "attempt-1", sweep / RUNNING / "attempt-2")

    assert "attempt 1 is its newest, but attempt-2 is there" in checked(sweep)[1]
    assert checked(sweep, must_repair=True)[0] == 0

    bridge, watcher = open_bridge(sweep, TRIALS + 1)
    execute(bridge, DATA, train=train)
    assert watcher.ordered == [(TRIALS, 3)]


def test_a_config_of_another_version_is_left_alone(sweep):
    lines = (sweep / "journal.log").read_bytes().splitlines(keepends=True)
    record = parse(lines[1])
    assert record is not None
    record["user_attrs"]["config"]["depth_of_field"] = 3
    (sweep / "journal.log").write_bytes(b"".join([lines[0], line_of(record), *lines[2:]]))

    code, words = checked(sweep, must_repair=True)

    assert code == 2
    assert "trial 0: its config is none of this version: unknown hyperparameter `depth_of_field`" in words
    assert "go on with the version that wrote it, commit " in words


def test_backups_count_up_and_keep_what_was(sweep):
    damaged = []
    for number in (1, 2):
        overwritten('"op_code":4')(sweep)
        damaged.append((sweep / "journal.log").read_bytes())
        code, words = checked(sweep, must_repair=True)
        assert code == 0
        assert f"{sweep}/backup-{number}: what was changed, as it was before" in words

    assert [(sweep / f"backup-{number}" / "journal.log").read_bytes() for number in (1, 2)] == damaged
    assert json.loads((sweep / "backup-1" / "sweep.json").read_text())["results_of"] == 3
    assert SweepFile.read(sweep).results_of == -1


def test_a_repair_that_finds_nothing_writes_nothing(sweep):
    before = snapshot(sweep)

    assert checked(sweep, must_repair=True)[0] == 0

    assert snapshot(sweep) | {"lock": b""} == before | {"lock": b""}


def test_a_repair_killed_anywhere_is_done_by_the_next(finished, tmp_path, monkeypatch):
    """Of a sweep with everything wrong at once."""
    damages = ("a trial's record", "an end", "a history", "weights that best/ has", "a config", "labels", "the report")
    damaged = shutil.copytree(finished, tmp_path / "damaged")
    for name in damages:
        DAMAGES[name][0](damaged)
    count = 0

    class Killed(BaseException):
        pass

    def kill_at(number: int) -> Callable[..., None]:
        nonlocal count
        count = 0

        def crash_point(*_: Any) -> None:
            nonlocal count
            count += 1
            if count == number:
                raise Killed

        return crash_point

    sweep, number = tmp_path / "sweep", 1
    while True:
        shutil.rmtree(sweep, ignore_errors=True)
        shutil.copytree(damaged, sweep)
        monkeypatch.setattr(files, "crash_point", kill_at(number))
        try:
            checked(sweep, must_repair=True)
            break
        except Killed:
            monkeypatch.setattr(files, "crash_point", kill_at(0))
        assert checked(sweep, must_repair=True)[0] == 0, number
        assert (sweep / "backup-1" / "journal.log").read_bytes() == (damaged / "journal.log").read_bytes() or number < 4
        assert states(sweep) == ["COMPLETE", "COMPLETE", "FAIL"]
        number += 5
    assert number > 20


def test_a_sweep_that_runs_can_be_checked_but_not_repaired(interrupted, tmp_path):
    """What is merely in progress is no finding: half a record, a partial, results of fewer trials."""
    sweep = shutil.copytree(interrupted, tmp_path / "sweep")
    (sweep / "sweep.json.partial").write_text("{")
    with open(sweep / "journal.log", "ab") as journal:
        journal.write(b'{"op_code":8,"half')

    with driver_lock(sweep):
        assert checked(sweep)[0] == 0
        assert checked(sweep)[1].count("\n") == 1
        code, words = checked(sweep, must_repair=True)

    assert code == 75
    assert f"another driver holds this sweep: pid {os.getpid()} on" in words


def test_what_is_mended_a_moment_later_was_in_progress(sweep, monkeypatch):
    """A trial that ends between the reading of the ledger and of its folder, for example."""
    config = (sweep / BEST / "config.json").read_text()
    (sweep / BEST / "config.json").unlink()
    monkeypatch.setattr(checking.time, "sleep", lambda _: (sweep / BEST / "config.json").write_text(config))

    with driver_lock(sweep):
        assert checked(sweep)[0] == 0


def test_a_damage_is_found_in_a_sweep_that_runs(sweep, monkeypatch):
    monkeypatch.setattr(checking, "SECONDS_BETWEEN_LOOKS", 0)
    (sweep / BEST / "config.json").unlink()

    with driver_lock(sweep):
        code, words = checked(sweep)

    assert code == 2
    assert f"{BEST}/config.json: missing" in words


def test_a_storage_that_fails_is_an_exit_code_of_its_own(sweep, monkeypatch):
    def fails(_: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(inspection, "inspect_folder", fails)

    assert checked(sweep) == (4, "the storage failed: [Errno 5] Input/output error; mend it, then run this again\n")


def in_a_database(sweep: Path) -> None:
    file = SweepFile.read(sweep)
    file.settings.ledger = "postgresql://sweeper@127.0.0.1:1/sweeps"  # where no server is
    file.write(sweep)


def test_a_ledger_in_a_database_is_checked_and_never_repaired(sweep, monkeypatch):
    overwritten('"step":2')(sweep)
    lines = (sweep / "journal.log").read_bytes().splitlines(keepends=True)
    (sweep / "journal.log").write_bytes(b"".join(line for line in lines if parse(line)))  # whole, and a value lost
    in_a_database(sweep)
    storage = optuna.storages.JournalStorage(Journal(sweep / "journal.log"))
    monkeypatch.setattr(ledger, "_storage", lambda *_: storage)
    before = snapshot(sweep)

    code, words = checked(sweep, must_repair=True)

    assert code == 2
    found = "trial 0: it is COMPLETE, and epochs of it have no value"
    assert f"{found}; restore the database from the server's backup: `--repair` changes nothing in it" in words
    assert snapshot(sweep) | {"lock": b""} == before | {"lock": b""}


def test_a_database_that_cannot_be_reached_is_a_storage_that_fails(sweep):
    in_a_database(sweep)

    code, words = checked(sweep)

    assert code == 4
    assert words.startswith("the storage failed: postgresql://sweeper@127.0.0.1:1/sweeps: ")


@pytest.fixture
def paused(sweep):
    """The same sweep, with a trial that waits at its rung; the folder and the trial's number."""
    file = SweepFile.read(sweep)
    file.defaults = replace(file.defaults, pruner=3)
    file.write(sweep)
    bridge, _ = open_bridge(sweep, TRIALS + 9, pruner_number=3)
    while not bridge.ledger.paused:
        order = bridge.next_order()
        bridge.report(order.number, Attempt(order, DATA, train=train).next_report())
    return sweep, bridge.ledger.paused[0]


def test_a_paused_trial_is_as_it_must_be_and_is_counted(paused):
    folder, _ = paused

    code, words = checked(folder)

    assert code == 0, words
    assert "1 paused" in words


def test_a_paused_trial_waits_at_its_rung_again_after_its_first_record_was_lost(paused):
    folder, number = paused
    seed = Record(folder).trials[number].config["seed"]
    overwritten(f'"seed":{seed}')(folder)

    checked(folder, must_repair=True)

    assert Record(folder).trials[number].is_paused
    assert open_bridge(folder, TRIALS + 9, pruner_number=3)[0].ledger.paused == [number]
