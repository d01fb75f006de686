"""Draws for which a space has no config: a FAIL that the sampler learns, and a sweep that goes on."""

import json

import optuna
import pytest
from optuna.trial import TrialState

from sweep.analysis.notebook import read_sweep
from sweep.analysis.outputs.results import write_results
from sweep.analysis.outputs.tables import write_tables
from sweep.analysis.outputs.tensorboard import write_events
from sweep.analysis.record import Record
from sweep.analysis.report.page import write_report
from sweep.analysis.report.status import status_text as status
from sweep.analysis.report.status import summary
from sweep.search.checks.inspection import inspect_folder
from sweep.search.pruners.halving_1 import RungPruner, epochs_of
from sweep.search.runtime import data as sweep_data
from sweep.search.runtime.draws import trial_seed
from sweep.search.sinks import Begun
from sweep.search.sinks.screen import Screen
from sweep.storage.states import Reason, Stop
from sweep.storage.sweep_file import QueueEntry, SweepFile
from sweep.trainable.config import TrialConfig
from tests import damage
from tests.trials import execute, in_memory, open_bridge, outcome, space_with_a_gap

pytestmark = pytest.mark.figures  # of trials without a config too
DATA = in_memory()
TRIALS = 14


def rejecting_space(trial):
    width = trial.suggest_float("width", 0.1, 0.4)
    if 0.2 < width < 0.3:
        raise optuna.TrialPruned("too large")
    return TrialConfig(arch="mlp", width=width, lr=0.1, epochs=trial.suggest_int("epochs", 3, 6), batch_size=8)


def without_config(folder):
    return [trial for trial in Record(folder).trials if trial.reason == Reason.NO_CONFIG]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A sweep with draws that have no config among its trials."""
    folder = tmp_path_factory.mktemp("ended") / "sweep"
    bridge, _ = open_bridge(folder, TRIALS, space_with_a_gap)
    sweep_data.save(folder, damage.DATA, "accuracy")
    execute(bridge, damage.DATA, train=damage.train)
    return folder


@pytest.mark.parametrize(
    ("function", "name", "words"),
    [
        (space_with_a_gap, "lr", "ValueError: no such lr (at lr=0.0"),
        (rejecting_space, "width", "TrialPruned: too large (at width=0.2"),
    ],
)
def test_a_draw_that_the_space_has_no_config_for_is_a_fail_with_its_parameters_and_the_sweep_goes_on(
    tmp_path, function, name, words
):
    bridge, watcher = open_bridge(tmp_path, TRIALS, function)

    execute(bridge, DATA, workers=2)

    trials, failed = Record(tmp_path).trials, without_config(tmp_path)
    assert len(trials) == TRIALS
    assert failed
    assert "COMPLETE" in {trial.state for trial in trials}
    for trial in failed:
        assert (trial.state, trial.value, trial.epochs, trial.attempts) == ("FAIL", None, 0, 0)
        assert trial.params.keys() == {name}  # `epochs` would have been drawn behind it
        assert trial.config == {"seed": trial_seed(7, trial.number)}
        assert words in trial.message
        assert f"{function.__code__.co_filename}:" in trial.message
        assert bridge.ledger.trial(trial.number).constraints == {"trainable": 1.0}
        assert not trial.folder.exists()
    assert {number for number, _ in watcher.ordered} == {t.number for t in trials} - {t.number for t in failed}


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random"])
def test_a_driver_that_starts_again_and_again_draws_the_same(tmp_path, sampler):
    bridge, _ = open_bridge(tmp_path / "once", TRIALS, space_with_a_gap, sampler=sampler)
    execute(bridge, DATA)

    for trials in range(1, TRIALS + 1):
        bridge, _ = open_bridge(tmp_path / "often", trials, space_with_a_gap, sampler=sampler)
        execute(bridge, DATA)

    assert without_config(tmp_path / "once")
    assert outcome(tmp_path / "often") == outcome(tmp_path / "once")


def test_a_space_that_has_hardly_any_config_stops_the_sweep_with_its_own_error(tmp_path):
    def space(trial):
        lr = trial.suggest_float("lr", 0.1, 0.2)
        if 0.1 < lr < 0.2:
            raise ValueError("no such lr")
        return TrialConfig(arch="mlp", width=0.1, lr=lr)

    bridge, watcher = open_bridge(tmp_path, 100, space, max_failures=4)
    execute(bridge, DATA)

    assert len(Record(tmp_path).trials) == 4
    assert bridge.stopping == Stop.NO_CONFIG
    assert "the space has no config for 4 draws in a row" in bridge.stopping_words
    assert f"{__file__}:" in bridge.stopping_words
    assert "ValueError: no such lr" in bridge.stopping_words
    assert watcher.ordered == []


def test_draws_without_a_config_while_trials_run_do_not_stop_a_sweep_whose_space_has_some(tmp_path):
    seen = []

    def space(trial):
        lr = trial.suggest_float("lr", 0.1, 0.2)
        seen.append(lr)
        if 0.1 < lr < 0.2 and len(seen) % 3:
            raise ValueError("no such lr")
        return TrialConfig(arch="mlp", width=0.1, lr=lr, epochs=3, batch_size=8)

    bridge, _ = open_bridge(tmp_path, 30, space, max_failures=4)
    orders = [bridge.next_order() for _ in range(6)]  # none of them makes a report

    assert all(orders)
    assert bridge.stopping is None


def test_trials_at_a_rung_are_not_compared_with_what_never_ran():
    study = optuna.create_study(direction="maximize")
    for value in (0.1, 0.2, 0.3, 0.4):
        study.add_trial(
            optuna.trial.create_trial(
                state=TrialState.RUNNING,
                user_attrs={"config": {"seed": 1, "epochs": 9}},
                intermediate_values={1: value},
            )
        )
    study.add_trial(
        optuna.trial.create_trial(state=TrialState.FAIL, user_attrs={"config": {"seed": 2}, "reason": Reason.NO_CONFIG})
    )
    trials = study.get_trials(deepcopy=False)

    assert epochs_of(trials[-1]) == 0
    assert [RungPruner(1 / 3).prune(study, trial) for trial in trials[:4]] == [True, True, False, False]


def test_every_reader_of_a_sweep_copes_with_trials_that_have_no_config(ended):
    record = Record(ended)
    failed = without_config(ended)

    write_tables(record)
    write_report(record)
    written, damaged = write_events(record)

    assert (len(written), damaged) == (TRIALS, [])
    assert f"{len(failed)} infeasible" in summary(record)
    assert "no such lr" in (ended / "report.md").read_text()
    assert "no such lr" in (ended / "report.html").read_text()
    assert len(read_sweep(ended).trials) == TRIALS
    text, is_ended = status(ended)
    assert is_ended
    assert f"{TRIALS} of {TRIALS} trials ended" in text
    row = (ended / "trials.csv").read_text().splitlines()[1 + failed[0].number]
    assert row.startswith(f"{failed[0].number},FAIL,infeasible,")


def test_the_screen_says_why_there_is_no_config(tmp_path, ended):
    bridge, _ = open_bridge(ended, TRIALS, space_with_a_gap)
    trial = without_config(ended)[0]
    with open(tmp_path / "said", "w") as out:
        screen = Screen(Begun(ended, TRIALS, "accuracy", [], {}, out))
        screen.ended(bridge.ledger.trial(trial.number))
        screen._render()

    said = (tmp_path / "said").read_text()
    assert f"trial {trial.number} FAIL infeasible, the space has no config for it: {trial.message}" in said


def test_the_screen_calls_a_trial_that_diverged_a_fail(tmp_path):
    bridge, watcher = open_bridge(tmp_path, 1, queue={0: QueueEntry({"lr": 0.9}, "")})
    with open(tmp_path / "said", "w") as out:
        watcher.ended = Screen(Begun(tmp_path, 1, "accuracy", [], {}, out)).ended
        execute(bridge, DATA)

    assert "trial 0 FAIL diverged" in (tmp_path / "said").read_text()


def test_a_sweep_with_such_trials_is_whole_and_a_lost_record_of_one_is_mended(ended, tmp_path):
    assert inspect_folder(ended).problems == []
    number = without_config(ended)[0].number
    journal = ended / "journal.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    marked = json.dumps(trial_seed(7, number)).encode()
    lost = [line for line in lines if b'"op_code":4' in line and marked in line]
    assert len(lost) == 1

    journal.write_bytes(b"".join(b"damaged\n" if line == lost[0] else line for line in lines))
    damage.checked(ended, must_repair=True)

    assert inspect_folder(ended).problems == []
    assert Record(ended).trials[number].state == "FAIL"
    assert len(Record(ended).trials) == TRIALS


def test_a_check_finds_nothing_wrong_with_the_tables_of_a_sweep_without_any_config(tmp_path):
    def only_at_its_ends(trial):
        width = trial.suggest_float("width", 0.1, 0.4)
        if 0.1 < width < 0.4:
            raise optuna.TrialPruned("not at an end")
        return TrialConfig(arch="mlp", width=width, lr=0.1, epochs=3, batch_size=8)

    bridge, _ = open_bridge(tmp_path / "sweep", 3, only_at_its_ends)
    sweep_data.save(tmp_path / "sweep", damage.DATA, "accuracy")
    execute(bridge, damage.DATA, train=damage.train)
    write_results(Record(tmp_path / "sweep"), damage.DATA)
    file = SweepFile.read(tmp_path / "sweep")
    file.results_of = 3
    file.write(tmp_path / "sweep")

    assert len(without_config(tmp_path / "sweep")) == 3
    assert inspect_folder(tmp_path / "sweep").problems == []
