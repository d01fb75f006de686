"""The command line's own refusals: exit code 2, one line each, nothing written, no Ray."""

import html
import json
import os
import re
import shlex
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from sweep.analysis.record import Record
from sweep.search.ray.address import RayFailedError
from sweep.search.ray.session import RaySession
from sweep.search.run import main
from sweep.search.runtime.driver import drive
from sweep.search.runtime.ending import exit_code
from sweep.search.runtime.process import Interrupted, chatter_to, stopping_on_signals
from sweep.search.runtime.settings import differences
from sweep.search.runtime.sweep_kinds import Search
from sweep.search.spaces.fixed import read_fixed
from sweep.storage.states import Stop
from sweep.storage.sweep_file import DataOptions, Settings
from sweep.trainable.loop import Diverged, train
from sweep.trainable.train import main as train_main
from tests.searched import Killed, command, here, killed_in
from tests.trials import execute, fake_train, in_memory, open_bridge


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--fix", "lr"], "--fix lr: must be NAME=VALUE"),
        (["--fix", "learning_rate=1"], "unknown hyperparameter `learning_rate`"),
        (["--fix", "arch=resnet19"], "--fix arch=resnet19: unknown `arch`, got resnet19 (did you mean resnet18?)"),
        (["--fix", "arch=5"], "--fix arch=5: `arch` must be text, got 5; give another value, for instance --fix arch="),
        (
            ["--fix", "epochs=ten"],
            "--fix epochs=ten: `epochs` must be a whole number, got 'ten'; give another value, for instance --fix",
        ),
        (["--fix", "batch_size=1e-2"], "--fix batch_size=1e-2: `batch_size` must be a whole number, got 0.01"),
        (["--fix", "batch_size=1"], "--fix batch_size=1: `batch_size >= 2 (batch norm needs two images)` must hold"),
        (
            ["--fix", "lr=nan"],
            "--fix lr=nan: `lr > 0` must hold, got lr=nan; give another value",
        ),
        (["--fix", "lr=-.1"], "--fix lr=-.1: `lr > 0` must hold, got lr=-0.1"),
        (["--fix", "pretrained=maybe"], "--fix pretrained=maybe: `pretrained` must be true or false, got 'maybe'"),
        (["--fix", "small_stem=1"], "--fix small_stem=1: `small_stem` must be true or false, got 1"),
        (["--fix", "mixup=.7", "--fix", "cutmix=.7"], "with --fix mixup=0.7 --fix cutmix=0.7 the space has a corner"),
        (["--resume"], "holds no sweep"),
        (["--space", "nowhere.py:f"], "must be FILE.py:OBJECT with an existing file"),
        (["--enqueue", "nowhere.json"], "--enqueue nowhere.json: cannot be read as JSON"),
        (["--data", "nowhere"], "nowhere"),
        (["--time-budget", "soon"], "must be a number with s, m or h (30m), got 'soon'"),
        (["--trials", "0"], "0 is not in the range"),
        (["--metric", "f1"], "'f1' is not one of"),
        (["--gpus-per-trial", "1.5"], "'--gpus-per-trial': must be from 0 to 1, or a whole number"),
        (["--gpus-per-trial", "2.25"], "2 trains each trial on two at once, got '2.25'"),
        (["--gpus-per-trial", "-1"], "must be from 0 to 1"),
        (["--gpus-per-trial", "nan"], "must be from 0 to 1"),
        (["--gpus-per-trial", "two"], "must be from 0 to 1"),
        (["--cpus-per-trial", "nan"], "'--cpus-per-trial': must be a number above zero, got 'nan'"),
        (["--cpus-per-trial", "inf"], "must be a number above zero"),
        (["--cpus-per-trial", "0"], "must be a number above zero"),
        (["--address", "http://127.0.0.1:8265"], "--address http://127.0.0.1:8265: is where jobs are submitted to"),
        (["--address", "127.0.0.1:1"], "no Ray cluster answers at 127.0.0.1:1 (connection refused)"),
    ],
)
def test_a_command_that_cannot_be_is_refused_with_its_reason(tiny_data, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    data = [] if "--data" in words else ["--data", str(tiny_data)]

    result = CliRunner().invoke(main, [*data, "--sweep", "sweep", *words])

    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("lr=.01", 0.01),
        ("lr=1.", 1.0),
        ("lr=+5e-3", 0.005),
        ("small_stem=True", True),
        ("pretrained=FALSE", False),
        ("batch_size=1e2", 100),
        ("epochs=5.0", 5),
        ("depth=2", 2),
        ("arch=cnn", "cnn"),
        ('arch="cnn"', "cnn"),
        ("optimizer=adamw", "adamw"),
        ("layers=1e1", 10.0),
        ("of_my_own=text", "text"),
    ],
)
def test_a_fixed_value_is_read_as_one_writes_it(pair, value):
    (found,) = read_fixed((pair,)).values()
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("configs", "says"),
    [
        (
            [{"arch": "cnn"}, {"arch": "cnn", "epochs": 60}],
            "--enqueue mine.json, entry 2: epochs=60 is more than --max-epochs 30; raise that, or give fewer",
        ),
        ([{"arch": "vit"}], "--enqueue mine.json, entry 1: arch=vit is not in ["),
        ([{"arch": "mlp"}, {"arch": "mlp", "depth": 2}], "--enqueue mine.json, entry 2: `depth` is not a parameter of"),
        (
            [{"arch": "mlp"}, 5],
            "mine.json, entry 2: must be an object, parameter name to value, got 5",
        ),
        (
            {"arch": "mlp"},
            'json: must be a list of objects, parameter name to value, got {"arch": "mlp"}',
        ),
        (b"\xff", "--enqueue mine.json: cannot be read as JSON"),
    ],
)
def test_a_wrong_enqueued_config_is_named_by_file_and_entry(tiny_data, tmp_path, monkeypatch, configs, says):
    monkeypatch.chdir(tmp_path)
    Path("mine.json").write_bytes(configs if isinstance(configs, bytes) else json.dumps(configs).encode())

    words = ["--data", str(tiny_data), "--sweep", "sweep", "--max-epochs", "30", "--enqueue", "mine.json"]
    result = CliRunner().invoke(main, words)

    assert result.exit_code == 2
    assert says in " ".join(result.output.split())
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize("sweep", ["file", "file/below", "/proc/sweep"])
def test_a_folder_that_cannot_be_written_is_named_before_anything_starts(tmp_path, monkeypatch, sweep):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()

    result = CliRunner().invoke(main, ["--sweep", sweep])

    assert result.exit_code == 4
    assert "the storage failed: [Errno" in result.output
    assert sweep in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_changed_data_is_refused_with_the_number_of_differences_and_the_first_five(tiny_data, tmp_path):
    words = ["--data", str(tiny_data), "--sweep", str(tmp_path / "sweep"), "--no-baselines"]
    with pytest.raises(Killed):
        command(main, *words, on=here(killed_in(0, epoch=1)))
    before = (tmp_path / "sweep" / "sweep.json").read_bytes()
    table = (tiny_data / "train.txt").read_text()
    for number in (0, 3, 6, 9, 12, 15, 18):
        table = table.replace(f"train{number:02}.png,0", f"train{number:02}.png,1")
    (tiny_data / "train.txt").write_text(table)

    result = CliRunner().invoke(main, words)

    assert result.exit_code == 2
    assert "7 differences:" in result.output
    assert "train: `train00.png` has another label: was `0`, now `1`" in result.output
    assert "train12.png" in result.output
    assert "train15.png" not in result.output
    assert "... and 2 more" in result.output
    assert (tmp_path / "sweep" / "sweep.json").read_bytes() == before


def test_a_full_log_does_not_keep_the_driver_from_saying_so(capfd, monkeypatch):
    monkeypatch.setattr(sys, "stdout", open(os.dup(1), "w"))  # noqa: SIM115 (buffered, as without PYTHONUNBUFFERED)

    def run_out_of_space():
        with chatter_to(Path("/dev/full")):
            print("chatter")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        run_out_of_space()
    with suppress(OSError):
        sys.stdout.close()

    os.write(1, b"the storage failed")
    assert "the storage failed" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("words", "side", "classes", "come_first"),
    [
        ((), 16, 7, True),
        ((), 16, 3, False),
        ((), 32, 7, False),
        (("--baselines", "published"), 32, 3, True),
        (("--baselines", "none"), 16, 7, False),
        (("--no-baselines",), 16, 7, False),
    ],
)
def test_the_published_runs_come_first_where_the_data_is_the_contests_or_they_are_asked_for(
    words, side, classes, come_first, tmp_path, monkeypatch
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    baselines = main.make_context("run", list(words)).params["baselines"]
    search = Search(tmp_path, replace(SETTINGS, baselines=baselines), [])

    queue, notes = search.first_queue(SimpleNamespace(image_size=(side, side), classes=tuple("abcdefg"[:classes])))

    names = [entry.baseline for entry in queue.values()]
    published = ["published mlp", "published cnn", "published cnn-7", "published resnet18 from scratch"]
    assert names[:-4] == (published if come_first else [])
    assert names[-4:] == ["reference small_resnet", "reference resnet18", "reference cnn", "reference mlp"]
    assert len(notes) == (come_first and not words)  # what the data decided is said, with the flag that changes it


def test_an_enqueued_config_outside_the_space_is_refused(tiny_data, tmp_path):
    configs = tmp_path / "configs.json"
    configs.write_text(json.dumps([{"arch": "mlp", "optimizer": "sgd", "lr": 99}]))

    result = CliRunner().invoke(
        main, ["--data", str(tiny_data), "--sweep", str(tmp_path / "sweep"), "--enqueue", str(configs)]
    )

    assert result.exit_code == 2
    assert "lr=99 is not in [0.0002, 0.2]" in result.output


SETTINGS = Settings("data", 50, 30, 0, "accuracy", None, {}, "auto", "tpe", "halving", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", 1),
        ("metric", "log_loss"),
        ("max_epochs", 40),
        ("fixed", {"lr": 0.1}),
        ("sampler", "gp"),
        ("pruner", "none"),
        ("baselines", "none"),
        ("image_size", 32),
        ("limit_train", 100),
        ("limit_valid", 100),
        ("fit", "pad"),
    ],
)
def test_what_decides_the_results_may_not_change(name, value):
    options = vars(SETTINGS.data_options)
    if name in options:
        before, changed = options[name], replace(SETTINGS, data_options=DataOptions(**options | {name: value}))
    else:
        before, changed = getattr(SETTINGS, name), replace(SETTINGS, **{name: value})

    assert differences(SETTINGS, changed) == [f"{name}: was {before}, now {value}"]


@pytest.mark.parametrize(("name", "value"), [("trials", 80), ("data", "elsewhere"), ("space", "a.py:f")])
def test_the_total_and_the_places_of_data_and_space_may_change(name, value):
    assert differences(SETTINGS, replace(SETTINGS, **{name: value})) == []


def test_one_config_trains_without_ray(tiny_data, tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"arch": "mlp", "width": 1, "epochs": 2, "lr": 0.01}))

    result = CliRunner().invoke(train_main, ["--config", str(config), "--data", str(tiny_data)])

    assert result.exit_code == 0, result.output
    assert [line.split()[1] for line in result.output.splitlines()] == ["1/2", "2/2"]


def test_the_reports_command_trains_the_best_trial_again_to_the_same_losses(tiny_data, tmp_path):
    sweep = tmp_path / "a `sweep`"
    images = {"--data": tiny_data, "--image-size": 12, "--limit-train": 30, "--limit-valid": 12, "--seed": 3}
    fixed = ("arch=mlp", "epochs=2", "horizontal_flip=0.5", "lr=0.01")
    search = ["--sweep", sweep, "--trials", 1, "--no-baselines", "--metric", "log_loss", *chain(*images.items())]
    searched = command(main, *search, *chain(*(("--fix", each) for each in fixed)), on=here(train))
    assert searched.exit_code == 0, searched.output

    found = re.search(r"<code>(python -m trainable\.train .*?)</code>", (sweep / "report.html").read_text())
    again = html.unescape(found[1])
    result = CliRunner().invoke(train_main, shlex.split(again)[3:])

    losses = [f"{epoch['valid_loss']:.4f}" for epoch in Record(sweep).trials[0].history]
    assert re.findall(r"valid loss (\S+)", result.output) == losses
    assert f"`` {again} ``" in (sweep / "report.md").read_text()  # to be copied from there too


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "config.json:1: is not JSON"), ("[]", "must hold a JSON object"), ('{"lr": 1, "x": 2}', "`x`")],
)
def test_a_config_file_that_is_wrong_is_refused(tiny_data, tmp_path, content, message):
    config = tmp_path / "config.json"
    config.write_text(content)

    result = CliRunner().invoke(train_main, ["--config", str(config), "--data", str(tiny_data)])

    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere.json", "--config nowhere.json: [Errno 2] No such file"),
        ("s3://c4nary@bucket/config.json", "--config: must be s3://BUCKET/PATH or gs://BUCKET/PATH, without keys"),
    ],
)
def test_a_config_that_cannot_be_read_is_refused_and_no_key_is_shown(tiny_data, place, message):
    result = CliRunner().invoke(train_main, ["--config", place, "--data", str(tiny_data)])

    assert result.exit_code == 2
    assert message in result.output
    assert "c4nary" not in result.output


def hopeless(config, data, state):
    raise Diverged("epoch 1")
    yield


@pytest.mark.parametrize(
    ("plan", "train", "signals", "code", "words"),
    [
        ({}, fake_train, [], 0, ""),
        ({}, fake_train, [signal.SIGTERM], 143, "Stopped by SIGTERM; everything is saved. Run the same command again"),
        ({"deadline": 0.0}, fake_train, [], 5, "The time budget is reached; everything is saved."),
        (
            {"max_failures": 2},
            hopeless,
            [],
            3,
            "Stopped: 2 trials in a row failed, the last because: diverged: epoch 1",
        ),
        ({}, hopeless, [], 3, ""),
    ],
    ids=["whole", "signal", "budget", "failures", "none complete"],
)
def test_the_exit_code_says_how_a_start_ended(tmp_path, capsys, plan, train, signals, code, words):
    bridge, _ = open_bridge(tmp_path, 3, pruner="none", **plan)
    execute(bridge, in_memory(), train=train)

    assert exit_code(bridge, signals, "the command") == code

    said = capsys.readouterr()
    assert words in said.out + said.err


def test_a_sweep_whose_ray_ends_is_told_at_once_and_reported(tmp_path, monkeypatch, capsys):
    bridge, watcher = open_bridge(tmp_path, 6, pruner="none")

    def ray_ends_in_the_fourth_trial(bridge, data, *_, **__):
        bridge.plan = bridge.draws.plan = replace(bridge.plan, trials=3)
        execute(bridge, data, train=fake_train)
        bridge.plan = bridge.draws.plan = replace(bridge.plan, trials=6)
        bridge.next_order()
        raise RayFailedError("Ray ended under the sweep: its gcs_server was ended by SIGKILL")

    monkeypatch.setattr("sweep.search.ray.executor.execute", ray_ends_in_the_fourth_trial)
    room = SimpleNamespace(workers=SimpleNamespace(resources={}), is_local=True, admission=None)
    vigil = SimpleNamespace(over=threading.Event())

    session = RaySession(folder=tmp_path, room=room, vigil=vigil, beside=SimpleNamespace(submit=print))
    signals = session.execute(bridge, in_memory())

    assert signals == []
    assert vigil.over.is_set()  # it does not end the driver, however long the results take
    assert watcher.messages[-1].splitlines() == [
        "Ray ended under the sweep: its gcs_server was ended by SIGKILL",
        "Nothing that was recorded is lost; run the same command again to go on.",
    ]
    assert exit_code(bridge, signals, "the command") == 4
    assert "Ray has ended; everything is saved. Run the same command again to go on: the command" in (
        capsys.readouterr().err
    )
    assert bridge.ledger.trial(3).user_attrs["attempt"] == 1
    assert "losses" not in bridge.ledger.trial(3).user_attrs


def test_a_ray_that_does_not_start_ends_with_its_words_and_the_code_of_what_a_sweep_stands_on(tmp_path, capsys):
    def start():
        raise RayFailedError("Ray could not be started on this machine: no room")

    assert drive(tmp_path / "sweep", start) == 4
    assert capsys.readouterr().err.splitlines() == [
        "Ray could not be started on this machine: no room",
        "Nothing that was recorded is lost; run the same command again to go on.",
    ]
    assert not (tmp_path / "sweep").exists()


def test_a_time_budget_in_which_nothing_was_gained_is_said(tmp_path, capsys):
    bridge, _ = open_bridge(tmp_path, 3, deadline=0.0)
    bridge.next_order()
    bridge.is_stuck = True
    bridge.tick()

    assert exit_code(bridge, [], "the command") == 5
    assert "no trial had made a report: nothing was gained, give it more" in capsys.readouterr().out


def test_a_signal_that_python_wraps_in_an_error_of_its_own_is_still_one(tmp_path):
    class Described:
        def __set_name__(self, owner, name):
            raise Interrupted(signal.SIGTERM)

    def import_something():
        type("Class", (), {"field": Described()})
        return 0

    assert drive(tmp_path / "sweep", import_something) == 143


def begin_trials():
    with stopping_on_signals(None):
        pytest.fail("a trial ran")


@pytest.mark.parametrize("goes_on", [begin_trials, lambda: 0], ids=["up to the trials", "to the end"])
def test_a_signal_that_a_library_swallowed_is_still_one(tmp_path, goes_on):
    def start():
        with suppress(BaseException):
            signal.raise_signal(signal.SIGTERM)
        return goes_on()

    assert drive(tmp_path / "sweep", start) == 143
    assert drive(tmp_path / "sweep", lambda: 0) == 0  # it is told once


def test_a_signal_that_rays_core_made_an_error_of_ends_the_trials_and_nothing_more():
    """What a handler raises while it waits comes out as a SystemError; the results are written after all."""
    with stopping_on_signals(SimpleNamespace(stop=lambda *_: None)) as received:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Interrupted as error:
            raise SystemError("returned a result with an exception set") from error

    assert received == [signal.SIGTERM]


def test_an_error_without_a_signal_behind_it_is_none(tmp_path):
    def fail():
        raise RuntimeError("a bug") from ValueError("of ours")

    with pytest.raises(RuntimeError, match="a bug"):
        drive(tmp_path / "sweep", fail)


def test_a_budget_that_runs_out_with_the_last_trial_is_no_reason_to_go_on(tmp_path):
    bridge, _ = open_bridge(tmp_path, 3, pruner="none")
    execute(bridge, in_memory())
    bridge.stop(Stop.TIME_BUDGET)

    assert exit_code(bridge, [], "the command") == 0
