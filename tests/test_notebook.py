"""What a notebook gets of a sweep."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from analysis import read_sweep
from analysis.record import SweepError, trial_folder
from analysis.trained import trained
from tests.sweeps import CNN, SweepBuilder, noise, varied_sweep
from trainable.files import DamagedError

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def data():
    return noise()


@pytest.fixture
def sweep(tmp_path, data):
    return varied_sweep(tmp_path / "sweep", data)


def test_the_tables_have_a_row_a_trial_and_a_row_an_epoch(sweep):
    read = read_sweep(str(sweep.folder))

    assert list(read.trials.state) == ["COMPLETE", "COMPLETE", "PRUNED", "FAIL", "FAIL", "RUNNING"]
    assert read.trials.sort_values("value", ascending=False).number.iloc[0] == 2
    assert list(read.trials["config.arch"]) == ["mlp", "cnn", "mlp", "cnn", "mlp", "cnn"]
    assert list(read.epochs[read.epochs.number == 1].valid_accuracy) == [10 / 30, 18 / 30, 24 / 30, 21 / 30]
    assert read.classes == ["0", "1", "2"]


def test_the_best_model_labels_pixels_as_the_trial_did(sweep, data):
    read = read_sweep(sweep.folder)
    assert read.best == CNN

    model = read.best_model()
    with torch.no_grad():
        logits = model(torch.from_numpy(data.valid.images))

    assert isinstance(model, nn.Module)
    assert not any(module.training for module in model.modules())
    assert (logits.dtype, logits.shape, logits.device.type) == (torch.float32, (30, 3), "cpu")
    expected = trained(sweep.record, sweep.record.best).logits(data.valid.images)
    assert np.abs(logits.numpy() - expected).max() < 0.05  # that one computes in bf16 where the processor does


def test_the_best_is_the_best_now_though_the_folder_best_is_of_an_earlier_trial(sweep):
    before = read_sweep(sweep.folder)
    assert before.best.arch == "cnn"

    sweep.add(CNN.from_dict(CNN.to_dict() | {"lr": 0.25}), [30])

    assert read_sweep(sweep.folder).best.lr == 0.25
    assert len(read_sweep(sweep.folder).trials) == 7


def test_without_a_complete_trial_there_is_no_best_and_it_says_so(tmp_path, data):
    sweep = SweepBuilder(tmp_path / "sweep", data)
    sweep.add(CNN, [3], "RUNNING")
    read = read_sweep(sweep.folder)

    assert list(read.trials.state) == ["RUNNING"]
    assert read.epochs.empty
    for ask in (lambda: read.best, read.best_model):
        with pytest.raises(SweepError, match="no trial is COMPLETE yet"):
            ask()


def test_what_is_missing_or_damaged_is_named(sweep, tmp_path):
    with pytest.raises(SweepError, match="holds no sweep"):
        read_sweep(tmp_path / "no")
    folder = trial_folder(sweep.folder, 1)
    weights = folder / "best.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    (folder / "history.json").write_text("[")

    read = read_sweep(sweep.folder)
    with pytest.raises(SweepError, match=r"0001/best\.safetensors"):
        read.best_model()
    with pytest.raises(DamagedError, match=r"0001/history\.json"):
        _ = read.trials


def test_the_lines_of_the_readme_run(sweep, data):
    code = re.search(
        r"```python\n(from analysis import read_sweep.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )[1]
    assert "sweeps/default" in code
    names = {"images": torch.from_numpy(data.valid.images)}

    exec(code.replace("sweeps/default", str(sweep.folder)), names)

    assert names["logits"].shape == (30, 3)


def test_the_import_alone_needs_neither_torch_nor_pandas():
    program = (
        "import sys; from analysis import read_sweep; sys.exit(bool({'torch', 'pandas', 'optuna'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
