"""Metrics of a class with a difficult name, and those that had another name before, in every command."""

import html
import json
import re
import shlex
from functools import partial

import pytest
from click.testing import CliRunner

from sweep.analysis.record import Record
from sweep.analysis.report import __main__ as analysis_report_module
from sweep.search import check as search_check_module
from sweep.search import run as search_run_module
from sweep.search import status as search_status_module
from sweep.trainable import loop
from sweep.trainable.train import main as train_main
from tests import searched as in_process
from tests.trees import image, write

command = partial(in_process.command, on=in_process.here(loop.train))
FAST = ("--fix", "arch=mlp", "--fix", "batch_size=8", "--fix", "epochs=2", "--baselines", "none", "--sampler", "random")
SEA_LION = 'sea lion, "of": <b>Ü&s.py:x'


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    counts = {"train": 8, "validation": 6}
    tree = {
        f"{split}/{name}/{number}.png": image(100 * len(split) + 10 * label + number)
        for split, count in counts.items()
        for label, name in enumerate(("cat", SEA_LION))
        for number in range(count)
    }
    return write(tree, tmp_path_factory.mktemp("data"))


def run(sweep, data, metric, *words):
    return command(search_run_module.main, "--sweep", sweep, "--data", data, "--metric", metric, *FAST, *words)


def test_a_class_with_any_name_can_be_what_a_sweep_is_judged_by(data, tmp_path, capfd):
    sweep, metric = tmp_path / "sweep", f"precision:{SEA_LION}"

    begun = run(sweep, data, metric, "--trials", 2)
    went_on = run(sweep, data, metric, "--trials", 3)
    by_name = run(sweep, data, f"recall:{SEA_LION}", "--trials", 3)
    told = [
        command(main, sweep)
        for main in (search_check_module.main, search_status_module.main, analysis_report_module.main)
    ]

    assert [result.exit_code for result in (begun, went_on, *told)] == [0] * 5, [begun.output, went_on.output, told]
    assert by_name.exit_code == 2  # another metric of the same class is another sweep
    assert f"was {metric}" in by_name.output
    record = Record(sweep)
    assert record.settings.metric == json.loads((sweep / "sweep.json").read_text())["metric"] == metric
    assert len(record.trials) == 3
    values = [epoch["score"] for trial in record.trials for epoch in trial.history]
    assert max(values) == record.best.value
    assert f"trial 0 (reference mlp) COMPLETE {metric} " in capfd.readouterr().out
    assert f"validation precision of {SEA_LION} {record.best.value:.4f}" in told[1].output
    page = (sweep / "report.html").read_text()
    assert SEA_LION not in page
    assert SEA_LION in html.unescape(page)
    again = html.unescape(re.search(r"<code>(python -m trainable\.train .*?)</code>", page)[1])
    assert CliRunner().invoke(train_main, shlex.split(again)[3:]).exit_code == 0


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (
            "recall:dog",
            "--metric recall:dog: the data must have the class `dog`, which it has not; the classes are `cat`",
        ),
        ("precision:cats", "did you mean `cat`?"),
        ("precision:", "'precision:' is not one of"),
        ("qwk", "--metric qwk: classes must have an order"),
        ("top5", "--metric top5: on the 12 validation images any answer would be right"),
        ("last", "'last' is not one of"),
    ],
)
def test_a_metric_that_the_data_has_no_value_for_is_refused_before_anything_is_written(data, tmp_path, metric, message):
    result = run(tmp_path / "sweep", data, metric, "--trials", 1)

    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert not (tmp_path / "sweep/sweep.json").exists()


def test_a_sweep_by_the_loss_as_it_was_called_goes_on_by_either_name(data, tmp_path):
    sweep = tmp_path / "sweep"
    assert run(sweep, data, "loss", "--trials", 1).exit_code == 0
    text = (sweep / "sweep.json").read_text()
    assert '"metric": "log_loss"' in text
    before = text.replace('"metric": "log_loss"', '"metric": "loss"')

    for trials, words in enumerate((["--metric", "loss"], ["--metric", "log_loss"], []), start=2):
        (sweep / "sweep.json").write_text(before)
        result = command(search_run_module.main, "--sweep", sweep, "--data", data, "--trials", trials, *FAST, *words)
        assert result.exit_code == 0, result.output

    record = Record(sweep)
    assert len(record.trials) == 4
    assert record.best.value == min(epoch["valid_loss"] for trial in record.trials for epoch in trial.history)
    (sweep / "sweep.json").write_text(before)
    assert command(search_check_module.main, sweep).exit_code == 0
