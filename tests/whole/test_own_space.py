"""Spaces in files of the user's: what they may do, and where their errors are said to be."""

import importlib
from pathlib import Path

import numpy as np
import optuna
import pytest

from sweep.search.pruners import new_pruner
from sweep.search.runtime.ledger import Ledger
from sweep.search.runtime.sweep_kinds import Search
from sweep.search.spaces.space import NoConfigError, Space
from sweep.storage import user_code
from sweep.storage.errors import UserError
from sweep.storage.sweep_file import Settings
from sweep.trainable.config import ConfigError, TrialConfig

CONFIG = "TrialConfig(arch='mlp', width=1.0, lr=lr)"


def space_in(folder: Path, *lines: str, head: str = "", name: str = "mine.py") -> Space:
    """The space of a file, whose function has these lines, the first of them on the file's line 4 behind a head."""
    body = "".join(f"    {line}\n" for line in lines)
    (folder / name).write_text(
        f"{head or '# a space'}\nfrom trainable.config import TrialConfig\ndef suggest(trial):\n{body}"
    )
    return named(folder / name)


def named(file: Path) -> Space:
    """The space of a file as a command names it."""
    return Space(user_code.get(user_code.name(f"{file}:suggest", "--space")), {}, 9)


def drawn(space: Space, **params: object) -> TrialConfig:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial(params)
    return space.config(study.ask())


def test_a_file_may_define_dataclasses_under_postponed_annotations(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "from sweep.trainable.config import TrialConfig\n"
        "@dataclass\n"
        "class Ranges:\n"
        "    low: float = 0.02\n"
        "def suggest(trial):\n"
        "    return TrialConfig(arch='mlp', width=1.0, lr=trial.suggest_float('lr', Ranges().low, 0.2))\n"
    )

    assert named(file).table()["ranges"].keys() == {"lr"}


def test_a_file_may_import_another_one_beside_it(tmp_path, monkeypatch):
    (tmp_path / "ranges_of_a_test.py").write_text("HIGHEST = 0.25\n")

    space = space_in(
        tmp_path,
        "from ranges_of_a_test import HIGHEST as too",
        f"lr = trial.suggest_float('lr', 0.1, HIGHEST) + 0 * too; return {CONFIG}",
        head="from ranges_of_a_test import HIGHEST",
    )

    assert "0.25" in space.table()["ranges"]["lr"][0]


def test_a_file_with_a_librarys_name_stands_in_for_nothing(tmp_path):
    (tmp_path / "random.py").write_text("raise RuntimeError('not the one of Python')\n")

    space = space_in(
        tmp_path, "import random, json", f"lr = trial.suggest_float('lr', 0.1, 0.2); return {CONFIG}", name="json.py"
    )

    assert space.table()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("raise ValueError('no such lr')", "ValueError: no such lr (at lr=0.1)"),
        ("return TrialConfig(arch='mlp', width=1.0, lr=-lr)", "`lr > 0` must hold, got lr=-0.1 (at lr=0.1)"),
        ("return TrialConfig(arch='mlp', width=1.0, lr=str(lr))", "`lr` must be a number, got '0.1' (at lr=0.1)"),
        ("return TrialConfig(arch='mlp', width=1.0, lrr=lr)", "unexpected keyword argument 'lrr' (at lr=0.1)"),
        ("return {}['arch']", "KeyError: 'arch' (at lr=0.1)"),
    ],
)
def test_an_error_of_a_space_names_file_line_rule_and_value(tmp_path, line, words):
    space = space_in(tmp_path, "lr = trial.suggest_float('lr', 0.1, 0.2)", line)

    with pytest.raises(ConfigError) as at_the_check:
        space.table()
    with pytest.raises(NoConfigError) as at_a_draw:
        drawn(space, lr=0.1)

    for error in (at_the_check, at_a_draw):
        assert str(error.value).startswith(f"{tmp_path / 'mine.py'}:5: ")
        assert words in str(error.value)


def test_a_space_that_returns_something_else_is_named_with_the_line_where_it_begins(tmp_path):
    space = space_in(tmp_path, "trial.suggest_float('lr', 0.1, 0.2)")

    with pytest.raises(ConfigError) as error:
        space.table()

    assert str(error.value).startswith(f"{tmp_path / 'mine.py'}:3: ")
    assert "must return a TrialConfig, got NoneType" in str(error.value)


@pytest.mark.parametrize(
    ("call", "way_out"),
    [
        ("set_user_attr('a', 1)", "leave the call out"),
        ("number", "must follow from its parameters alone"),
        ("suggest_loguniform('lr', 0.1, 0.2)", "use `trial.suggest_float(name, low, high, log=True)`"),
        ("suggest_uniform('lr', 0.1, 0.2)", "use `trial.suggest_float(name, low, high)`"),
        ("suggest_discrete_uniform('lr', 0.1, 0.2, 0.1)", "use `trial.suggest_float(name, low, high, step=q)`"),
        ("report(0.5, 1)", "the training reports each epoch itself"),
        ("should_prune()", "raise optuna.TrialPruned()"),
        ("study", "may call suggest_categorical, suggest_float and suggest_int, and read params"),
    ],
)
def test_what_else_an_optuna_trial_has_is_refused_by_name_with_what_to_do(tmp_path, call, way_out):
    space = space_in(tmp_path, f"lr = 0.1; trial.{call}", f"return {CONFIG}")

    with pytest.raises(ConfigError) as error:
        space.table()

    assert f"mine.py:4: the space function suggest raised AttributeError: `trial.{call.partition('(')[0]}`" in str(
        error.value
    )
    assert way_out in str(error.value)


def test_a_space_may_read_the_parameters_that_it_has_asked_for(tmp_path):
    space = space_in(tmp_path, "trial.suggest_float('lr', 0.1, 0.2); lr = trial.params['lr']", f"return {CONFIG}")

    assert drawn(space, lr=0.15).lr == 0.15


def test_numbers_and_texts_of_numpys_are_as_good_as_pythons_everywhere(tmp_path):
    def function(trial):
        return TrialConfig(
            arch=np.str_("resnet18"),
            small_stem=np.bool_(True),
            pretrained=trial.suggest_categorical("pretrained", [np.bool_(False)]),
            lr=np.float32(0.5),
            weight_decay=np.float64(0.25),
            label_smoothing=trial.suggest_float("smooth", np.float32(0.0), np.float64(0.5), step=np.float32(0.5)),
            epochs=np.int64(3),
            batch_size=trial.suggest_int("batch", np.int64(8), np.int32(16), step=np.int64(8)),
            optimizer=trial.suggest_categorical("optimizer", np.array(["sgd", "adam"])),
            mixup=trial.suggest_categorical("mixup", np.array([0.0, 0.5])),
        )

    space = Space(function, {}, 9)
    (tmp_path / "sweep").mkdir()
    ledger = Ledger(tmp_path / "sweep", "a" * 32, "accuracy", new_pruner("none"))
    config = ledger.draw(optuna.samplers.RandomSampler(seed=0), space.config, {})
    ledger.add({"config": config.to_dict(), "attempt": 1})

    again = Ledger(tmp_path / "sweep", "a" * 32, "accuracy", new_pruner("none"))

    assert again.trials[0].params == ledger.trials[0].params
    assert TrialConfig.from_dict(again.trials[0].user_attrs["config"]) == config
    plain = {str, bool, float, int}
    assert {type(value) for value in (*config.to_dict().values(), *again.trials[0].params.values())} <= plain
    assert space.table()


@pytest.mark.parametrize("choices", ["[(1, 2), (3, 4)]", "[[1], [2]]", "[{'a': 1}]", "[print, len]"])
def test_choices_that_the_ledger_cannot_hold_are_refused_by_name(tmp_path, choices):
    space = space_in(tmp_path, f"lr = 0.1; trial.suggest_categorical('layers', {choices})", f"return {CONFIG}")

    with pytest.raises(ConfigError, match=r"mine\.py:4: .*`layers`: a choice must be None, a bool, .* got "):
        space.table()


def test_corners_that_a_space_rejects_are_none_of_its_errors(tmp_path):
    def function(trial):
        width, depth = trial.suggest_float("width", 1.0, 4.0), trial.suggest_int("depth", 1, 3)
        if width * depth > 8:
            raise optuna.TrialPruned("too large")
        return TrialConfig(arch="small_resnet", width=width, depth=depth)

    space = Space(function, {}, 9)

    assert space.table()["ranges"].keys() == {"width", "depth"}
    assert {(net.width, net.depth) for net in space.corners()} == {(1.0, 1), (1.0, 3), (4.0, 1)}


def test_choices_behind_a_rejected_corner_are_walked_too():
    def function(trial):
        if trial.suggest_categorical("a", ["x", "y"]) == "x":
            raise optuna.TrialPruned
        return TrialConfig(arch="mlp", width=1.0, lr=trial.suggest_float("lr", 0.0, 1.0))

    with pytest.raises(ConfigError, match="`lr > 0` must hold"):
        Space(function, {}, 9).table()


def test_a_space_that_rejects_every_corner_is_refused_with_its_own_words(tmp_path):
    space = space_in(
        tmp_path, "trial.suggest_int('depth', 1, 3)", "import optuna", "raise optuna.TrialPruned('too large')"
    )

    with pytest.raises(ConfigError) as error:
        space.table()

    assert f"{tmp_path / 'mine.py'}:6: the space has no corner that can be trained" in str(error.value)
    assert "TrialPruned: too large" in str(error.value)


def search_with(function, enqueued) -> Search:
    settings = Settings("data", 3, 9, 0, "accuracy", None, {}, "none", "tpe", "none", "")
    search = Search(Path("nowhere"), settings, enqueued, Path("mine.json"))
    search.space = Space(function, {}, 9)
    return search


def rejecting(trial):
    width, depth = trial.suggest_float("width", 1.0, 4.0), trial.suggest_int("depth", 1, 3)
    if width * depth > 8:
        raise optuna.TrialPruned("too large")
    return TrialConfig(arch="small_resnet", width=width, depth=depth)


def test_an_enqueued_config_that_the_space_rejects_is_refused_up_front_by_its_place_in_the_list():
    search = search_with(rejecting, [{"width": 1.0}, {"width": 4.0, "depth": 3}])

    with pytest.raises(ConfigError) as error:
        search.check_configs()

    assert "--enqueue mine.json, entry 2: " in str(error.value)
    assert "TrialPruned: too large (at width=4.0, depth=3)" in str(error.value)


def test_an_enqueued_config_is_not_refused_for_what_it_leaves_to_the_sampler():
    def function(trial):
        width, depth = trial.suggest_float("width", 1.0, 4.0), trial.suggest_int("depth", 1, 3)
        if width * depth < 4:
            raise optuna.TrialPruned("too small")
        return TrialConfig(arch="small_resnet", width=width, depth=depth)

    search_with(function, [{"width": 2.0}]).check_configs()


@pytest.mark.parametrize("name", ["datasets", "analysis", "random"])
@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("from NAME import my_helper", ""),
        ("from NAME.own import my_helper", ""),
        ("import NAME; NAME.my_helper()", ""),
        ("", "import NAME; NAME.my_helper()"),
    ],
)
def test_a_helper_whose_name_is_taken_is_named_with_what_to_do(tmp_path, name, line, body):
    (tmp_path / f"{name}.py").write_text("def my_helper(): ...\n")
    line, body = (text.replace("NAME", name) for text in (line, body or "pass"))

    with pytest.raises(UserError) as error:
        space_in(tmp_path, f"lr = 0.1; {body}; return {CONFIG}", head=line).table()

    taken = f"the name `{name}` is taken, by {importlib.import_module(name).__file__}"
    assert f"{taken}, so {tmp_path / name}.py is not imported: rename that" in str(error.value)
