import json
import math
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from sweep.analysis.outputs.best import read_best
from sweep.analysis.outputs.results import write_results
from sweep.analysis.outputs.tables import safe_cells
from sweep.analysis.record import Record
from sweep.analysis.report import __main__ as report
from sweep.analysis.report.contents import caution, standard_error
from sweep.analysis.report.sections.classes import answers, class_rows
from sweep.analysis.report.status import summary
from sweep.storage.files import DamagedError, read_json
from sweep.storage.paths import trial_folder
from tests.sweeps import CNN, MLP, SweepBuilder, noise, varied_sweep

pytestmark = pytest.mark.figures
WRITTEN = ["trials.csv", "trials.parquet", "epochs.parquet", "report.html", "report.md", "predictions.csv"]
WRITTEN += ["best/model.safetensors", "best/config.json", "figures/history.png", "figures/confusion.png"]


@pytest.fixture(scope="module")
def data():
    return noise()


@pytest.fixture(scope="module")
def sweep(tmp_path_factory, data):
    return varied_sweep(tmp_path_factory.mktemp("analysis") / "sweep", data)


@pytest.fixture(scope="module")
def written(sweep, data):
    """The folder of the sweep, with its results; not to be changed."""
    write_results(sweep.record, data)
    return sweep.folder


def test_the_best_is_the_complete_trial_with_the_best_value_though_a_pruned_one_was_higher(sweep):
    record = sweep.record
    assert (record.best.number, record.best.value, record.best.best_epoch) == (1, 0.8, 3)
    assert [trial.number for trial in record.ranked] == [1, 0, 2]


def test_for_loss_the_best_is_the_smallest(tmp_path, data):
    sweep = SweepBuilder(tmp_path / "sweep", data, metric="log_loss")
    for right in ([9, 12], [21, 24], [15, 18]):
        sweep.add(MLP, right)
    record = sweep.record
    assert [trial.number for trial in record.ranked] == [1, 2, 0]
    assert record.best.best_epoch == 2
    write_results(record, data)
    assert f"validation log loss {record.best.value:.4f} after epoch 2" in summary(record)


def test_the_tables_agree_with_the_ledger(written):
    record = Record(written)
    trials, epochs = pd.read_parquet(written / "trials.parquet"), pd.read_parquet(written / "epochs.parquet")
    assert list(trials.state) == ["COMPLETE", "COMPLETE", "PRUNED", "FAIL", "FAIL", "RUNNING"]
    assert list(trials.reason[3:5]) == ["diverged", "out of memory"]
    for trial, row in zip(record.trials, trials.itertuples(), strict=True):
        assert (row.number, row.best_epoch, row.epochs) == (trial.number, trial.best_epoch, trial.epochs)
        assert trial.value == (None if pd.isna(row.value) else row.value)
    assert list(trials["config.depth"].dropna()) == [2, 2, 2]
    assert trials.valid_accuracy[1] == 0.8
    assert trials.seconds[0] == 1.0
    assert list(epochs[epochs.number == 1].valid_accuracy) == [10 / 30, 18 / 30, 24 / 30, 21 / 30]
    assert pd.read_csv(written / "trials.csv").value[1] == 0.8
    assert set(epochs.number) == {0, 1, 2, 3}  # nothing is kept of a trial before it ends


def test_text_that_a_spreadsheet_would_run_is_disarmed(written):
    cells = pd.DataFrame(
        {"text": pd.array(["=1+1", "+x", "-1+1", "@x", "\tx", "\rx", "a=b", "-1", None], "string"), "number": -1}
    )
    safe = safe_cells(cells)
    assert list(safe.text[:8]) == ["'=1+1", "'+x", "'-1+1", "'@x", "'\tx", "'\rx", "a=b", "-1"]
    assert safe.text.isna()[8]
    assert list(safe.number) == [-1] * 9


def test_the_same_trials_give_the_same_bytes(sweep, written, data):
    before = {name: (written / name).read_bytes() for name in WRITTEN}
    write_results(sweep.record, data)
    assert {name: (written / name).read_bytes() for name in WRITTEN} == before
    assert not list(written.rglob("*.partial"))


def test_the_best_folder_says_all_that_it_takes_to_predict(written):
    about = json.loads((written / "best" / "config.json").read_text())
    assert (about["trial"], about["value"], about["epoch"]) == (1, 0.8, 3)
    assert (about["classes"], about["image_size"]) == (["0", "1", "2"], [16, 16])
    assert read_best(written).config == CNN


def test_the_report_holds_the_right_numbers(written):
    for name in ("report.html", "report.md"):
        text = re.sub(r"<(script|style).*?</\1>", " ", (written / name).read_text(), flags=re.DOTALL)
        text = re.sub(r"<[^>]*>|[*\\]", " ", text)
        text = " ".join(text.split())
        assert "5 of 8 trials ended, 1 RUNNING" in text
        assert "an accuracy of 80.0 % on the 30 validation images that chose it, the best of 2 COMPLETE trials" in text
        assert "80.00 % validation accuracy after epoch 3 of 4" in text
        assert re.search(r"mlp[ |]+50\.00 %[ |]+\+30\.00 points[ |]+3[ |]+0[ |]+COMPLETE", text)
        assert "2 COMPLETE, 1 PRUNED, 2 FAIL, 1 RUNNING." in text
        assert "it takes 10 COMPLETE trials to tell, and there are 2" in text
        assert "optuna 5.0.0, torch 2.14.1" in text
        assert "python -m search.run --trials 8" in text


def test_trials_in_micro_batches_are_named_with_what_that_means(tmp_path, data):
    sweep = SweepBuilder(tmp_path / "sweep", data)
    for config, last in [(CNN, 128), (CNN, 32), (MLP, 16)]:
        path = trial_folder(sweep.folder, sweep.add(config, [9, 12])) / "history.json"
        first_epoch, second_epoch = read_json(path)
        path.write_text(json.dumps([first_epoch | {"micro_batch": 128}, second_epoch | {"micro_batch": last}]))
    write_results(sweep.record, data)

    said = "trial 1: micro-batches of 32 of its batch of 128; trial 2: micro-batches of 16 of its batch of 128, for"
    for name in ("report.html", "report.md"):
        text = (sweep.folder / name).read_text()
        assert said in text
        assert "batch norm sees smaller batches, so the result differs a little." in text
        assert "trial 0: micro" not in text
    assert list(pd.read_parquet(sweep.folder / "epochs.parquet").micro_batch) == [128, 128, 128, 32, 128, 16]


def test_notes_on_how_trials_were_trained_stand_once_with_their_numbers(tmp_path, data):
    sweep = SweepBuilder(tmp_path / "sweep", data)
    note = "its steps are launched kernel by kernel: <b>no graph</b> can be made"
    for config, told in [(CNN, note), (MLP, ""), (CNN, note)]:
        sweep.add(config, [9, 12], **({"note": told} if told else {}))
    write_results(sweep.record, data)

    escaped = "its steps are launched kernel by kernel: &lt;b&gt;no graph&lt;/b&gt; can be made."
    for name in ("report.html", "report.md"):
        assert f"How they were trained: trials 0, 2: {escaped}" in (sweep.folder / name).read_text()


def test_what_a_message_holds_is_text(written):
    page = (written / "report.html").read_text()
    assert "epoch 2: &lt;script&gt;alert(1)&lt;/script&gt; | `x` [31m next line" in page
    assert "<b>30</b>" not in page
    assert not re.search(r"(src|href)=[\"'](?!data:image/png|#)", page.split("<script>")[0])
    assert "\x1b" not in page.split("<script>")[0]


def test_the_markdown_report_keeps_its_shape_whatever_a_message_holds(written):
    text = (written / "report.md").read_text()
    assert "<script" not in text
    assert r"epoch 2: &lt;script&gt;alert(1)&lt;/script&gt; \| \`x\` \[31m next line" in text
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) >= 6
    for table in tables:
        columns = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(columns) == 1, table


def test_an_unfinished_sweep_has_a_report_too(tmp_path, data):
    sweep = SweepBuilder(tmp_path / "sweep", data)
    sweep.add(CNN, [], "RUNNING")
    result = CliRunner().invoke(report.main, [str(sweep.folder)])
    assert (result.exit_code, result.stdout) == (0, f"{sweep.folder / 'report.html'}\n")
    assert "No trial is COMPLETE yet." in (sweep.folder / "report.md").read_text()
    assert write_results(sweep.record, data) == [sweep.folder / "report.html", sweep.folder / "trials.csv"]
    assert not (sweep.folder / "best").exists()
    assert "no trial is COMPLETE yet" in summary(sweep.record)


def test_the_report_of_a_sweep_comes_though_a_trial_is_too_damaged_for_the_tables(tmp_path, data):
    sweep = SweepBuilder(tmp_path / "sweep", data)
    damaged, _ = sweep.add(MLP, [9, 12]), sweep.add(CNN, [10, 18])
    (trial_folder(sweep.folder, damaged) / "history.json").write_text("[")

    with pytest.raises(DamagedError, match=r"history\.json"):
        write_results(sweep.record, data)

    assert f"trial {damaged}" in (sweep.folder / "report.md").read_text()


def test_a_folder_without_a_sweep_is_named_in_one_line(tmp_path):
    result = CliRunner().invoke(report.main, [str(tmp_path)])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{tmp_path}: holds no sweep")
    assert result.stderr.count("\n") == 1


def test_the_mistakes_are_those_of_the_best_epoch(sweep):
    record = sweep.record
    rows = class_rows(record.classes, record.valid_labels, answers(record, record.best))
    assert [(row.label, row.images, row.right, row.taken_for, row.mistakes) for row in rows] == [
        ("0", 10, 8, "1", 2),
        ("1", 10, 8, "2", 2),
        ("2", 10, 8, "0", 2),
    ]


def test_the_standard_error_is_that_of_the_metric(tmp_path, data):
    for metric in ("balanced_accuracy", "log_loss"):
        sweep = SweepBuilder(tmp_path / metric, data, metric)
        sweep.add(MLP, [24])
        record = sweep.record
        if metric == "log_loss":  # 24 losses of one size and 6 that are 2 larger
            expected = np.std([0.0] * 24 + [2.0] * 6) / math.sqrt(30)
        else:
            expected = math.sqrt(3 * 0.8 * 0.2 / 10) / 3
        found = standard_error(record, record.best)
        assert expected < found < 1.25 * expected  # a little larger, for so few images
        assert f"about {found:.4f}" in caution(record, record.best)


def test_the_summary_names_best_baseline_failures_and_files(written):
    text = summary(Record(written))
    assert "best: validation accuracy 0.8000 after epoch 3 (trial 1)" in text
    assert "arch=cnn, width=1, depth=2, head=128" in text
    assert "baseline mlp: validation accuracy 0.5000 after epoch 3 (trial 0)" in text
    assert "failures: 1 diverged, 1 out of memory" in text
    assert f"predictions: {written / 'predictions.csv'}" in text


def test_the_summary_needs_no_torch():
    program = "import sys, analysis.report.status; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
