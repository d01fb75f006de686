"""What a notebook gets of a sweep."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sweep.analysis import read_sweep
from sweep.analysis.outputs.trained import ImageError, trained
from sweep.storage.errors import SweepError
from sweep.storage.files import DamagedError
from sweep.storage.paths import trial_folder
from sweep.trainable.images import on_device
from sweep.trainable.loop import predict_logits
from tests.sweeps import CNN, SweepBuilder, noise, varied_sweep

ROOT = Path(__file__).resolve().parents[2]


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
    best, cpu = trained(sweep.record, sweep.record.best), torch.device("cpu")
    expected = predict_logits(best.config, best.module_on(cpu), on_device(data.valid.images, cpu))
    assert np.abs(logits.numpy() - expected).max() < 0.05  # that one computes in bf16 where the processor does


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda images: images / 255, "from 0 to 1; multiply them by 255, round, and convert them to uint8"),
        (lambda images: images.float(), "from 0 to 255; convert them to uint8"),
        (lambda images: (images / 255 - 0.5) / 0.2, "whole numbers from 0 to 255: the model normalises by itself"),
        (lambda images: images.long(), "got int64 of shape (30, 3, 16, 16) from 0 to 255; convert them to uint8"),
        (lambda images: images.permute(0, 2, 3, 1), "the channels come last; images.permute(0, 3, 1, 2)"),
        (lambda images: images[:, :1], "got uint8 of shape (30, 1, 16, 16); turn them into RGB"),
        (lambda images: images[:, [0, 1, 2, 0]], "(30, 4, 16, 16); turn them into RGB"),
        (lambda images: images[:, :, :8], "resize them to 16 px in height and 16 px in width"),
        (lambda images: torch.cat([images, images], dim=3), "(30, 3, 16, 32); resize them"),
        (lambda images: images[0], "a single image is images[None]"),
        (lambda images: images[:0], "give it one image at least"),
        (lambda images: images.numpy(), "got a ndarray; torch.from_numpy(images)"),
        (lambda images: images.tolist(), "got a list; put the pixels of all images into one array"),
    ],
)
def test_the_best_model_refuses_images_that_it_would_answer_by_chance_and_says_what_to_do(sweep, data, change, says):
    model = read_sweep(sweep.folder).best_model()
    images = torch.from_numpy(data.valid.images.copy())
    images[0, 0, 0, :2] = torch.tensor([0, 255], dtype=torch.uint8)

    with pytest.raises(ImageError, match=re.escape(says)) as error:
        model(change(images))

    assert "images must be a Tensor of uint8 pixels in the shape (N, 3, 16, 16)" in str(error.value)


def test_the_best_model_takes_and_checks_images_that_are_given_by_name(sweep, data):
    model = read_sweep(sweep.folder).best_model()
    images = torch.from_numpy(data.valid.images)
    (name,) = inspect.signature(model.forward).parameters

    with torch.no_grad():
        assert torch.equal(model(**{name: images}), model(images))
    with pytest.raises(ImageError, match="convert them to uint8"):
        model(**{name: images.float()})


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


def test_the_lines_of_the_page_on_results_run(sweep, data):
    code = re.search(
        r"```python\n(from sweep import read_sweep\n.*?)```", (ROOT / "docs" / "results.md").read_text(), re.DOTALL
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
