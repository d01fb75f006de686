"""Metrics in files of the user's: searched by, gone on with, reported, and known by the content of their file."""

import hashlib
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sweep.analysis import predict as analysis_predict_module
from sweep.analysis.estimates import repeated
from sweep.analysis.record import Record
from sweep.analysis.report import __main__ as analysis_report_module
from sweep.search import check as search_check_module
from sweep.search import repeat as search_repeat_module
from sweep.search import run as search_run_module
from sweep.search import status as search_status_module
from sweep.storage import user_code
from sweep.storage.sweep_file import SweepFile
from sweep.trainable import loop
from sweep.trainable.metrics import named
from tests import searched as in_process

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
command = partial(in_process.command, on=in_process.here(loop.train))  # trained in earnest
FAST = ("--fix", "arch=mlp", "--fix", "batch_size=20", "--max-epochs", "2", "--sampler", "random")


@pytest.fixture(autouse=True)
def no_file_is_known(monkeypatch):
    monkeypatch.setattr(user_code, "_files", {})


@pytest.fixture
def another_process(monkeypatch):
    """Makes this process one that no command told of any file."""
    return lambda: monkeypatch.setattr(user_code, "_files", {})


@pytest.fixture
def metric(tmp_path):
    file = tmp_path / "metric.py"
    file.write_text((EXAMPLES / "metric.py").read_text())
    return file


@pytest.fixture
def sweep(tiny_data, tmp_path, metric, another_process):
    """A search of three trials by the F1 score, whose command has ended."""
    result = searched(tmp_path / "sweep", tiny_data, 3, f"{metric}:macro_f1")
    assert result.exit_code == 0, result.output
    another_process()
    return tmp_path / "sweep"


def searched(folder, data, trials, metric):
    words = ("--sweep", folder, "--data", data, "--trials", trials, "--metric", metric, "--baselines", "none")
    return command(search_run_module.main, *words, "--pruner", "none", *FAST)


def test_the_f1_score_of_the_examples_is_the_mean_over_the_classes(metric):
    score = named(user_code.name(f"{metric}:macro_f1", ""))
    answers, labels = np.array([0, 0, 1, 1, 1, 0]), np.array([0, 0, 0, 1, 1, 2])

    value = score.value(labels, np.eye(3)[answers])

    # Of class 0, two of three are right and two of three answers; of class 1, both and two of three; of class 2, none.
    assert value == pytest.approx((2 / 3 + 2 * 2 / 5 + 0) / 3)
    assert (score.words, score.one) == ("validation macro f1", "a macro f1")


def test_a_search_is_for_the_metric_of_the_users(tiny_data, tmp_path, metric):
    result = searched(tmp_path / "sweep", tiny_data, 3, f"{metric}:macro_f1")

    assert result.exit_code == 0, result.output
    record = Record(tmp_path / "sweep")
    for trial in record.trials:
        scores = [epoch["score"] for epoch in trial.history]
        assert trial.value == max(scores)
        assert trial.best_epoch == 1 + scores.index(max(scores))
        assert trial.value == record.metric.value(record.valid_labels, trial.valid_logits)
    assert record.best.value == max(trial.value for trial in record.trials)
    assert f"best: validation macro f1 {record.best.value:.4f}" in result.output
    assert f"has a macro f1 of {record.best.value:.4f} on the 30 validation images that chose it" in result.output
    assert "validation macro f1" in (tmp_path / "sweep/report.html").read_text()
    assert json.loads((tmp_path / "sweep/best/config.json").read_text())["value"] == record.best.value


def test_of_a_metric_whose_smaller_value_is_better_the_smallest_is_the_best(tiny_data, tmp_path, metric):
    result = searched(tmp_path / "sweep", tiny_data, 3, f"{metric}:BRIER")

    assert result.exit_code == 0, result.output
    record = Record(tmp_path / "sweep")
    assert record.study.direction.name == "MINIMIZE"
    assert record.best.value == min(trial.value for trial in record.trials)
    assert record.best.value == pytest.approx(min(epoch["score"] for epoch in record.best.history))
    assert "has a Brier score of" in result.output


def test_the_sweep_goes_on_is_checked_and_reported_where_the_metric_is_named(sweep, tiny_data, metric):
    code = ("--code", f"{metric}:macro_f1")

    results = [
        searched(sweep, tiny_data, 4, f"{metric}:macro_f1"),
        command(search_run_module.main, "--sweep", sweep, "--data", tiny_data, "--trials", 5, *code),
        command(search_repeat_module.main, sweep, "--top", 2, "--seeds", 2, *code),
        command(search_check_module.main, sweep, *code),
        command(search_status_module.main, sweep, *code),
        command(analysis_report_module.main, sweep, *code),
        command(analysis_predict_module.main, sweep, "--out", sweep.parent / "out.csv", *code),
    ]

    assert [result.exit_code for result in results] == [0] * 7, [result.output for result in results]
    record = Record(sweep)
    assert len(record.trials) == 5
    first, second = repeated.read(record).rows
    assert second.lead.mean == pytest.approx(first.mean - second.mean)
    assert second.lead.low < second.lead.mean < second.lead.high
    assert "Over 2 seeds the first config" in (sweep / "report.md").read_text()
    assert f"search.refit {sweep} --code={metric}:macro_f1" in (sweep / "report.html").read_text()
    assert f"`python -m analysis.report {sweep} --code={metric}:macro_f1` takes this" in results[2].output
    assert SweepFile.read(sweep / "repeat").own == SweepFile.read(sweep).own


def test_a_metric_that_no_command_names_is_not_run(sweep, tiny_data, metric, tmp_path):
    metric.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n" + metric.read_text())

    results = [
        command(search_run_module.main, "--sweep", sweep, "--data", tiny_data, "--trials", 4),
        command(search_repeat_module.main, sweep),
        command(search_check_module.main, sweep),
        command(search_status_module.main, sweep),
        command(analysis_report_module.main, sweep),
    ]

    for result in results:
        assert result.exit_code == 2, result.output
        assert f"add --code {metric}:macro_f1, or its place by now" in result.output
    assert not (tmp_path / "ran").exists()


def test_a_metric_that_was_changed_is_refused_with_both_hashes(sweep, tiny_data, metric):
    before = hashlib.sha256(metric.read_bytes()).hexdigest()
    metric.write_text(metric.read_text() + "\n# another one\n")
    now = hashlib.sha256(metric.read_bytes()).hexdigest()

    result = searched(sweep, tiny_data, 4, f"{metric}:macro_f1")

    assert result.exit_code == 2, result.output
    assert f"its sha256 was {before}, and is {now}" in result.output


def test_another_metric_of_the_same_file_is_another_sweeps(sweep, tiny_data, metric):
    result = searched(sweep, tiny_data, 4, f"{metric}:BRIER")

    assert result.exit_code == 2, result.output
    assert f"metric: was {metric}:macro_f1, now {metric}:BRIER" in result.output


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("score = 3", "must be a Metric with a value, or a function of labels and probabilities, got a int"),
        ("score = 1 / 0", "metric.py:1 does not run: ZeroDivisionError"),
        ("other = 3", "has no `score`"),
    ],
)
def test_what_is_no_metric_is_refused(tiny_data, tmp_path, metric, line, message):
    metric.write_text(f"{line}\n")

    result = searched(tmp_path / "sweep", tiny_data, 1, f"{metric}:score")

    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert not (tmp_path / "sweep/sweep.json").exists()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return float('nan')", "it is nan for random answers"),
        ("raise ValueError('one class')", "it raises ValueError('one class') for random answers"),
        ("return None", "it raises TypeError"),
    ],
)
def test_a_metric_without_a_number_is_refused_before_the_first_trial(tiny_data, tmp_path, metric, body, message):
    metric.write_text(f"def score(labels, probabilities):\n    {body}\n")

    result = searched(tmp_path / "sweep", tiny_data, 1, f"{metric}:score")

    assert result.exit_code == 2
    assert f"{metric}:score: on the 30 validation images {message}" in result.output
    assert not (tmp_path / "sweep/sweep.json").exists()


def test_a_metric_that_has_no_number_of_a_trial_ends_it_as_one_that_diverged(tiny_data, tmp_path, metric):
    lines = "calls = []", "def score(labels, probabilities):", "    calls.append(0)"
    metric.write_text("\n".join([*lines, "    return 0.5 if len(calls) == 1 else float('nan')", ""]))

    result = searched(tmp_path / "sweep", tiny_data, 1, f"{metric}:score")

    assert result.exit_code == 3
    (trial,) = Record(tmp_path / "sweep").trials
    assert (trial.state, trial.reason) == ("FAIL", "diverged")
    assert "score=nan" in trial.message


def test_epochs_that_lost_their_score_are_named_and_left_out_of_the_report(sweep, metric):
    path, code = sweep / "trials/0000/history.json", ("--code", f"{metric}:macro_f1")
    epochs = json.loads(path.read_text())
    path.write_text(json.dumps([{name: value for name, value in epoch.items() if name != "score"} for epoch in epochs]))

    checked = command(search_check_module.main, sweep, *code)
    reported = command(analysis_report_module.main, sweep, *code)

    assert checked.exit_code == 2
    assert "trials/0000/history.json: damaged: it does not have the values that are in the ledger" in checked.output
    assert reported.exit_code == 0, reported.output
    assert "trials/0000/history.json: each epoch must have a score" in (sweep / "report.html").read_text()
