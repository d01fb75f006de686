"""Models in files of the user's: searched, gone on with, predicted with, and known by the content of their file."""

import hashlib
import json
from functools import partial
from pathlib import Path

import pytest

from sweep.analysis import predict as analysis_predict_module
from sweep.analysis.outputs.best import read_best
from sweep.analysis.record import Record
from sweep.analysis.report import __main__ as analysis_report_module
from sweep.search import check as search_check_module
from sweep.search import repeat as search_repeat_module
from sweep.search import run as search_run_module
from sweep.search import status as search_status_module
from sweep.storage import user_code
from sweep.storage.states import State
from sweep.storage.sweep_file import SweepFile
from sweep.trainable import loop
from sweep.trainable import train as trainable_train_module
from sweep.trainable.config import TrialConfig
from tests import searched as in_process

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
command = partial(in_process.command, on=in_process.here(loop.train))  # trained in earnest
FAST = ("--fix", "epochs=1", "--fix", "batch_size=20", "--sampler", "random", "--baselines", "none")


@pytest.fixture(autouse=True)
def no_file_is_known(monkeypatch):
    monkeypatch.setattr(user_code, "_files", {})


@pytest.fixture
def another_process(monkeypatch):
    """Makes this process one that no command told of any file."""
    return lambda: monkeypatch.setattr(user_code, "_files", {})


@pytest.fixture
def model(tmp_path):
    (tmp_path / "own").mkdir()
    file = tmp_path / "own/model.py"
    file.write_text((EXAMPLES / "model.py").read_text())
    return file


@pytest.fixture
def sweep(tiny_data, tmp_path, model, another_process):
    """A search of two trials of the model, whose command has ended."""
    result = searched(tmp_path / "sweep", tiny_data, 2, "--fix", f"arch={model}:build")
    assert result.exit_code == 0, result.output
    another_process()
    return tmp_path / "sweep"


def searched(folder, data, trials, *words):
    return command(search_run_module.main, "--sweep", folder, "--data", data, "--trials", trials, *FAST, *words)


def states(folder):
    return [trial.state for trial in Record(folder).trials]


@pytest.mark.parametrize("name", ["build", "WIDE"])
def test_the_model_of_the_examples_is_trained_in_a_sweep_and_predicts(tiny_data, tmp_path, name):
    reference = f"{EXAMPLES}/model.py:{name}"

    result = searched(tmp_path / "sweep", tiny_data, 2, "--fix", f"arch={reference}")
    predicted = command(
        analysis_predict_module.main, tmp_path / "sweep", "--code", reference, "--out", tmp_path / "out.csv"
    )

    assert result.exit_code == 0, result.output
    assert states(tmp_path / "sweep") == [State.COMPLETE] * 2
    assert {trial.config["arch"] for trial in Record(tmp_path / "sweep").trials} == {reference}
    assert predicted.exit_code == 0, predicted.output
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 11


def test_the_space_of_the_examples_is_searched(tiny_data, tmp_path):
    result = searched(tmp_path / "sweep", tiny_data, 2, "--space", f"{EXAMPLES}/space.py:suggest")

    assert result.exit_code == 0, result.output
    assert states(tmp_path / "sweep") == [State.COMPLETE] * 2


def test_a_space_may_choose_between_models_of_the_users_and_ours(tiny_data, tmp_path, model):
    (tmp_path / "own/space.py").write_text(
        "from sweep.trainable.config import TrialConfig\n"
        "def suggest(trial):\n"
        f"    arch = trial.suggest_categorical('arch', ['{model}:WIDE', 'mlp'])\n"
        "    return TrialConfig(arch=arch, width=1.0, lr=trial.suggest_float('lr', 0.01, 0.1), epochs=1)\n"
    )

    result = command(
        *(
            search_run_module.main,
            "--sweep",
            tmp_path / "sweep",
            "--data",
            tiny_data,
            "--trials",
            4,
            "--baselines",
            "none",
        ),
        *("--space", f"{tmp_path}/own/space.py:suggest", "--code", f"{model}:WIDE"),
    )

    assert result.exit_code == 0, result.output
    assert {trial.config["arch"] for trial in Record(tmp_path / "sweep").trials} == {"mlp", f"{model}:WIDE"}
    assert SweepFile.read(tmp_path / "sweep").own.keys() == {f"{model}:WIDE"}


def test_a_sweep_keeps_the_hash_of_the_models_file(sweep, model):
    assert SweepFile.read(sweep).own == {f"{model}:build": hashlib.sha256(model.read_bytes()).hexdigest()}


@pytest.mark.parametrize("flag", ["--fix", "--code"])
def test_a_sweep_goes_on_with_the_model_that_its_command_names(sweep, tiny_data, model, flag):
    words = {"--fix": ("--fix", f"arch={model}:build"), "--code": ("--code", f"{model}:build")}[flag]

    if flag == "--fix":
        result = searched(sweep, tiny_data, 3, *words)
    else:
        result = command(search_run_module.main, "--sweep", sweep, "--data", tiny_data, "--trials", 3, *words)

    assert result.exit_code == 0, result.output
    assert states(sweep) == [State.COMPLETE] * 3


def test_a_model_that_moved_is_the_same_model(sweep, tiny_data, model, tmp_path):
    model.rename(tmp_path / "elsewhere.py")

    result = searched(sweep, tiny_data, 3, "--fix", f"arch={tmp_path}/elsewhere.py:build")
    predicted = command(analysis_predict_module.main, sweep, "--code", f"{tmp_path}/elsewhere.py:build")

    assert result.exit_code == 0, result.output
    assert len({trial.config["arch"] for trial in Record(sweep).trials}) == 1
    assert predicted.exit_code == 0, predicted.output


def test_a_model_that_was_changed_is_refused_with_both_hashes(sweep, tiny_data, model, another_process):
    before = hashlib.sha256(model.read_bytes()).hexdigest()
    model.write_text(model.read_text() + "\n# another one\n")
    now = hashlib.sha256(model.read_bytes()).hexdigest()

    results = [
        searched(sweep, tiny_data, 3, "--fix", f"arch={model}:build"),
        command(analysis_predict_module.main, sweep, "--code", f"{model}:build"),
        command(search_repeat_module.main, sweep, "--code", f"{model}:build"),
    ]

    for result in results:
        assert result.exit_code == 2, result.output
        assert f"its sha256 was {before}, and is {now}" in result.output
    another_process()
    assert len(Record(sweep).trials) == 2


def test_a_model_that_no_command_names_is_not_run(sweep, tiny_data, model, tmp_path):
    model.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n" + model.read_text())

    results = [
        command(search_run_module.main, "--sweep", sweep, "--data", tiny_data, "--trials", 3),
        command(analysis_predict_module.main, sweep),
        command(search_repeat_module.main, sweep),
    ]
    mains = (search_status_module.main, search_check_module.main, analysis_report_module.main)
    read = [command(main, sweep) for main in mains]
    read.append(command(search_run_module.main, "--sweep", sweep, "--data", tiny_data, "--trials", 2))

    for result in results:
        assert result.exit_code == 2, result.output
        assert f"add --code {model}:build, or its place by now" in result.output
    assert [result.exit_code for result in read] == [0, 0, 0, 0], [result.output for result in read]
    assert not (tmp_path / "ran").exists()


def test_the_best_configs_of_a_search_are_trained_again_with_its_model(sweep, model):
    result = command(search_repeat_module.main, sweep, "--top", 1, "--seeds", 2, "--code", f"{model}:build")

    assert result.exit_code == 0, result.output
    assert states(sweep / "repeat") == [State.COMPLETE] * 2
    assert SweepFile.read(sweep / "repeat").own == SweepFile.read(sweep).own


def test_a_config_of_a_sweep_is_trained_alone_with_its_model(sweep, tiny_data, model):
    config = sweep / "trials/0000/config.json"

    result = command(trainable_train_module.main, "--config", config, "--data", tiny_data, "--code", f"{model}:build")

    assert result.exit_code == 0, result.output
    assert result.output.startswith("epoch 1/1")


def test_the_weights_of_the_best_trial_are_those_of_its_model(sweep, model):
    user_code.name(f"{model}:build", "--code")

    assert read_best(sweep).module_on("cpu")[1][0].out_channels == 8


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("build = 3", "must be a function build(config, classes, image_size) or a Family, got 3"),
        ("def build(*_): return 3", "must return a torch.nn.Module, got int"),
        ("def build(*_): return nn.Flatten()", "its logits must be (N, 3), got (N, 768)"),
        ("def build(*_): return nn.Linear(5, 5)", "does not fit images of 16x16 px"),
        ("def build(*_): 1 / 0", "wrong.py:2 does not build a net: ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_no_model_is_refused_before_the_first_trial(tiny_data, tmp_path, line, message):
    (tmp_path / "wrong.py").write_text(f"from torch import nn\n{line}\n")

    result = searched(tmp_path / "sweep", tiny_data, 2, "--fix", f"arch={tmp_path}/wrong.py:build")

    assert result.exit_code == 2, result.output
    assert message in result.output
    assert f"{tmp_path}/wrong.py" in result.output
    assert not (tmp_path / "sweep/sweep.json").exists()


def test_a_config_with_a_model_that_nobody_named_is_read_but_not_built(tmp_path):
    values = {"arch": "/nowhere/model.py:build", "width": 2.0}

    assert json.loads(TrialConfig.from_dict(values).to_json())["width"] == 2.0
