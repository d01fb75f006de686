"""The best configs of a search trained again with other seeds: a sweep of its own within the search's folder."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sweep.analysis.record import Record
from sweep.datasets.load import load
from sweep.search.repeat import main
from sweep.search.run import main as run_main
from sweep.search.runtime.retraining import Repeat
from sweep.storage.lock import driver_lock
from sweep.storage.sweep_file import QueueEntry, SweepFile
from sweep.trainable import loop
from sweep.trainable.config import TrialConfig
from tests.damage import DATA, checked, train
from tests.drivers import start
from tests.searched import Killed, command, counted, data_is, here, killed_in, search_in
from tests.sweeps import SweepBuilder
from tests.trials import execute, open_bridge, outcome

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    return search_in(tmp_path_factory.mktemp("ended") / "sweep")


@pytest.fixture
def search(ended, tmp_path, monkeypatch):
    data_is(monkeypatch)
    return shutil.copytree(ended, tmp_path / "sweep")


def without_seed(config):
    return {name: value for name, value in config.items() if name != "seed"}


def best(search, count):
    return [trial for trial in Record(search).ranked if trial.state == "COMPLETE"][:count]


def test_the_best_configs_are_trained_again_all_under_one_seed_before_the_next(search):
    trials = best(search, 2)

    result = command(main, search, "--top", 2, "--seeds", 3, on=here())

    assert result.exit_code == 0, result.output
    again = Record(search / "repeat").trials
    assert [trial.state for trial in again] == ["COMPLETE"] * 6
    assert [without_seed(trial.config) for trial in again] == [without_seed(trial.config) for trial in trials] * 3
    seeds = [trial.config["seed"] for trial in again]
    assert seeds[0::2] == seeds[1::2]
    assert len({*seeds} | {trial.config["seed"] for trial in Record(search).trials}) == 3 + 6


def test_what_comes_out_is_said_and_the_search_is_only_read(search):
    before = {path: path.read_bytes() for path in search.rglob("*") if path.is_file()}
    first, second = (trial.number for trial in best(search, 2))

    result = command(main, search, "--top", 2, "--seeds", 3, on=here())

    assert f"trial {first}: validation accuracy 0." in result.output
    assert f"Over 3 seeds the first config (trial {first}) is " in result.output
    assert f"(trial {second})" in result.output
    assert {path: path.read_bytes() for path in before} == before
    made = {path.name for path in (search / "repeat").iterdir()}
    assert {"trials.csv", "trials.parquet", "epochs.parquet"} <= made
    assert not {"report.html", "best", "predictions.csv"} & made


def test_a_repeat_whose_driver_is_gone_goes_on_by_the_same_command_with_the_same_numbers(search, tmp_path, monkeypatch):
    undisturbed = shutil.copytree(search, tmp_path / "undisturbed")
    command(main, undisturbed, "--top", 2, "--seeds", 2, on=here())

    monkeypatch.setattr("sweep.trainable.worker.attempt.REPORT_SECONDS", 0.0)  # a checkpoint an epoch
    with pytest.raises(Killed):
        command(main, search, "--top", 2, "--seeds", 2, on=here(killed_in(2, epoch=3)))
    assert [trial.state for trial in Record(search / "repeat").trials] == ["COMPLETE", "COMPLETE", "RUNNING"]
    training, configs = counted()
    result = command(main, search, "--top", 2, "--seeds", 2, on=here(training))

    assert result.exit_code == 0, result.output
    assert len(configs) == 2
    assert outcome(search / "repeat") == outcome(undisturbed / "repeat")


def test_larger_numbers_add_trials_and_touch_none_of_the_old(search):
    command(main, search, "--top", 1, "--seeds", 2, on=here())
    before = [(trial.value, trial.config) for trial in Record(search / "repeat").trials]
    training, configs = counted()

    assert command(main, search, "--top", 2, "--seeds", 3, on=here(training)).exit_code == 0

    after = [(trial.value, trial.config) for trial in Record(search / "repeat").trials]
    assert after[:2] == before
    assert len(after) == 6
    assert len(configs) == 4
    first, second = (trial.number for trial in best(search, 2))
    entries = SweepFile.read(search / "repeat").queue.values()
    pairs = [(first, 1), (first, 2), (second, 1), (second, 2), (first, 3), (second, 3)]
    assert [(entry.trial, entry.nth_seed) for entry in entries] == pairs


def test_smaller_numbers_train_nothing_and_show_all_there_is(search):
    command(main, search, "--top", 2, "--seeds", 2, on=here())
    training, configs = counted()

    result = command(main, search, "--top", 1, "--seeds", 1, on=here(training))

    assert result.exit_code == 0
    assert "More configs or seeds than these were asked for before; what there is of them stays." in result.output
    assert "All 4 trials of this sweep have ended; --seeds or --top with a larger number adds to them." in result.output
    assert "Over 2 seeds" in result.output
    assert configs == []


def test_of_an_interrupted_repeat_smaller_numbers_finish_what_runs_and_begin_no_more(search):
    with pytest.raises(Killed):
        command(main, search, "--top", 2, "--seeds", 5, on=here(killed_in(1, epoch=2)))

    assert command(main, search, "--top", 2, "--seeds", 1, on=here()).exit_code == 0

    assert [trial.state for trial in Record(search / "repeat").trials] == ["COMPLETE"] * 2


def test_where_the_search_went_on_to_a_better_trial_that_is_added_and_said(search):
    command(main, search, "--top", 1, "--seeds", 2, on=here())
    old = best(search, 1)[0].number

    def better(config, data, state):
        for metrics in train(config, data, state):
            state.history[-1] = replace(metrics, valid_accuracy=metrics.valid_accuracy / 100 + 0.99)
            yield state.history[-1]

    bridge, _ = open_bridge(search, 7, pruner="none", queue={6: QueueEntry({"lr": 0.1, "epochs": 3, "batch_size": 8})})
    execute(bridge, DATA, train=better)

    result = command(main, search, "--top", 1, "--seeds", 2, on=here())

    assert result.exit_code == 0, result.output
    assert "New among the best 1: trial 6. What was asked for before stays." in result.output
    entries = SweepFile.read(search / "repeat").queue.values()
    assert [entry.trial for entry in entries] == [old, old, 6, 6]
    assert "the first config (trial 6) is" in result.output


def test_trials_that_differ_in_nothing_but_their_seed_are_one_config(tmp_path, monkeypatch):
    data_is(monkeypatch)
    same = {"lr": 0.1, "epochs": 4, "batch_size": 8}
    queue = {number: QueueEntry(same, "") for number in (0, 1)}
    bridge, _ = open_bridge(tmp_path, 3, pruner="none", queue=queue | {2: QueueEntry(same | {"lr": 0.01})})
    execute(bridge, DATA, train=train)

    assert command(main, tmp_path, "--top", 2, "--seeds", 1, on=here()).exit_code == 0

    assert [trial.config["lr"] for trial in Record(tmp_path / "repeat").trials].count(0.01) == 1


def test_a_whole_repeat_is_found_whole_and_a_lost_record_is_written_anew_from_its_queue(search):
    command(main, search, "--top", 2, "--seeds", 2, on=here())
    code, words = checked(search / "repeat")
    assert code == 0, words
    assert "4 trials (4 COMPLETE), the weights of 4, results of 4" in words
    assert words.count("\n") == 1
    before = outcome(search / "repeat")

    journal = search / "repeat" / "journal.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    begins = [number for number, line in enumerate(lines) if line.startswith(b'{"op_code":4')]
    journal.write_bytes(b"".join(line for number, line in enumerate(lines) if number != begins[1]))

    code, words = checked(search / "repeat", must_repair=True)
    assert code == 0, words
    assert "trial 1: its first record is lost; begun again with the config in sweep.json\n" in words
    assert outcome(search / "repeat") == before


def test_other_data_than_the_search_had_is_refused_with_the_differences(search, monkeypatch):
    labels = DATA.train.labels.copy()
    labels[0] = 1
    data_is(monkeypatch, replace(DATA, train=replace(DATA.train, labels=labels), fingerprint="other"))

    result = command(main, search, on=here())

    assert result.exit_code == 2
    assert "1 difference:\n  train: `0.png` has another label: was `0`, now `1`" in result.output
    assert not (search / "repeat").exists()


def test_a_second_driver_is_refused(search):
    with driver_lock(search / "repeat"):
        assert command(main, search).exit_code == 75


def test_a_repeat_of_another_search_in_the_same_folder_is_refused(search, monkeypatch):
    command(main, search, "--top", 1, "--seeds", 1, on=here())
    file = SweepFile.read(search)
    file.id = "b" * 32
    file.write(search)
    monkeypatch.setattr("sweep.search.runtime.retraining.best_trials", lambda *_: Record(search / "repeat").trials)

    result = command(main, search, "--top", 1, "--seeds", 1, on=here())

    assert result.exit_code == 2
    assert f"sweep: was {'a' * 32}, now {'b' * 32}" in result.output
    assert f"Move {search / 'repeat'} away, and this command begins anew." in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: holds no sweep; `python -m search.run --sweep nowhere` starts one"),
        (
            ["failed"],
            "failed: must have a COMPLETE trial, got none; go on with it, "
            "`python -m search.run --sweep failed --data nowhere`",
        ),
        (["begun"], "begun: has no trials yet; go on with it, `python -m search.run --sweep begun`"),
        (["sweep/repeat"], "sweep/repeat: is a repeat itself; give the folder of its search, sweep"),
        (["sweep", "--seeds", "0"], "0 is not in the range x>=1"),
        (["sweep", "--top", "0"], "0 is not in the range x>=1"),
    ],
)
def test_what_cannot_be_repeated_is_refused_and_nothing_written(search, monkeypatch, words, message):
    command(main, search, "--top", 1, "--seeds", 1, on=here())
    failed = SweepBuilder(search.parent / "failed", DATA)
    failed.add(TrialConfig(arch="mlp", width=1.0), [], "FAIL", reason="diverged", message="epoch 1")
    (search.parent / "begun").mkdir()
    SweepFile.read(search).write(search.parent / "begun")
    monkeypatch.chdir(search.parent)
    before = sorted(search.parent.rglob("*"))

    result = command(main, *words, on=here())

    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert sorted(search.parent.rglob("*")) == before


def test_a_search_is_not_gone_on_with_in_the_folder_of_a_repeat(search):
    command(main, search, "--top", 1, "--seeds", 1, on=here())

    result = command(run_main, "--sweep", search / "repeat", "--data", search, on=here())

    assert result.exit_code == 2
    assert "kind: was repeat, now search" in result.output


def test_the_ledger_is_where_that_of_the_search_is(search, monkeypatch):
    trials = Record(search).study
    file = SweepFile.read(search)
    file.settings.ledger = "postgresql://sweeper@127.0.0.1:1/sweeps"
    file.write(search)
    monkeypatch.setattr(Record, "study", trials)

    repeat = Repeat(search, 1, 1, None)

    assert repeat.settings.ledger == file.settings.ledger


def test_a_refusal_imports_neither_torch_nor_ray(search):
    program = (
        "import sys\nfrom search.repeat import main\n"
        "try: main()\nfinally: print({'ray', 'torch', 'optuna'} & set(sys.modules))"
    )
    with driver_lock(search / "repeat"):
        words = [sys.executable, "-c", program, str(search)]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 75, done.stderr
    assert done.stdout == "set()\n"


@pytest.mark.ray
def test_a_driver_gone_amid_a_trial_is_gone_on_with_on_ray_to_the_numbers_of_one_that_was_not(
    tiny_data, tmp_path, monkeypatch
):
    data = load(tiny_data)
    sweep = SweepBuilder(tmp_path / "sweep", data, data_path=str(tiny_data))
    config = TrialConfig(arch="mlp", width=1.0, epochs=3, lr=0.01, batch_size=8)
    sweep.add(config, [10, 12, 14])
    sweep.add(replace(config, lr=0.02), [10, 12, 13])
    undisturbed = shutil.copytree(tmp_path / "sweep", tmp_path / "undisturbed")
    monkeypatch.setattr("sweep.trainable.worker.attempt.REPORT_SECONDS", 0.0)  # a checkpoint an epoch
    words = ("--top", 2, "--seeds", 2)
    data_is(monkeypatch, data)
    with pytest.raises(Killed):
        command(main, sweep.folder, *words, on=here(killed_in(1, 3, loop.train)))

    driver = start("search.repeat", sweep.folder, *words)
    said, _ = driver.communicate(timeout=300)
    command(main, undisturbed, *words, on=here(loop.train))

    assert driver.returncode == 0, said
    assert "Goes on: 1 trial had ended, 1 continues from its checkpoint." in said
    assert "Over 2 seeds the first config (trial 0) is" in said
    assert outcome(sweep.folder / "repeat") == outcome(undisturbed / "repeat")
