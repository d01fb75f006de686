"""The default space, what bounds a space, and the published runs as points in it."""

import json
import os

import optuna
import pytest

from search.default_space import baselines, default
from search.queue import extend, first_queue
from search.space import Space, load_function, read_fixed
from trainable.config import ConfigError, TrialConfig

DEFAULT = Space(default, {}, max_epochs=40)

THREE_FLIPS = dict(horizontal_flip=0.5, vertical_flip=0.5, rotate=0.5)
PUBLISHED = {
    "mlp": TrialConfig(
        arch="mlp", width=1.0, optimizer="sgd", schedule="constant", lr=1e-3, weight_decay=5e-4,
        batch_size=50, epochs=5, **THREE_FLIPS,
    ),
    "cnn": TrialConfig(
        arch="cnn", width=1.0, depth=2, head=128, optimizer="adam", schedule="constant", lr=1e-3, weight_decay=5e-4,
        batch_size=200, epochs=25, **THREE_FLIPS,
    ),
    "cnn-7": TrialConfig(
        arch="cnn", width=1.0, depth=2, head=128, optimizer="adam", schedule="constant", lr=2e-3, weight_decay=8e-4,
        batch_size=400, epochs=10, horizontal_flip=0.7, vertical_flip=0.7, rotate=0.7,
        gauss_noise=0.4, emboss=0.5, hue_saturation_value=0.5, channel_shuffle=0.5,
    ),
    "resnet18": TrialConfig(
        arch="resnet18", small_stem=False, pretrained=True, optimizer="sgd", schedule="step", lr=1e-3,
        weight_decay=0.0, batch_size=200, epochs=40, **THREE_FLIPS,
    ),
}  # fmt: skip


def config_of(space, params):
    study = optuna.create_study()
    study.enqueue_trial(params)
    return space.config(study.ask())


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_default_space_contains_the_published_run(name, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth").touch()

    params = baselines()[name]

    assert DEFAULT.missing(params) == []
    assert config_of(DEFAULT, params) == PUBLISHED[name]


def test_without_imagenet_weights_the_published_resnet_starts_from_scratch_and_is_named_so(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    assert list(baselines()) == ["mlp", "cnn", "cnn-7", "resnet18 from scratch"]
    assert config_of(DEFAULT, baselines()["resnet18 from scratch"]).pretrained is False


def test_the_default_space_has_15_parameters_and_at_most_10_in_a_branch():
    names, most = set(), 0
    for seed in range(200):
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
        trial = study.ask()
        DEFAULT.config(trial)
        names |= set(trial.params)
        most = max(most, len(trial.params))

    assert len(names) == 15
    assert most == 10


def test_no_trial_may_train_longer_than_max_epochs():
    space = Space(default, {}, max_epochs=3)

    assert config_of(space, {}).epochs == 3
    assert space.capped({"epochs": 40, "lr": 0.1}) == {"epochs": 3, "lr": 0.1}


def test_a_fixed_parameter_is_not_searched_and_branches_follow_it():
    space = Space(default, {"arch": "cnn", "lr": 1}, max_epochs=40)
    study = optuna.create_study()
    trial = study.ask()

    config = space.config(trial)

    assert (config.arch, config.lr) == ("cnn", 1.0)
    assert not {"arch", "lr"} & set(trial.params)


def test_a_field_that_the_space_does_not_search_can_be_fixed():
    assert config_of(Space(default, {"label_smoothing": 0.2, "arch": "mlp"}, 40), {}).label_smoothing == 0.2


def test_any_classifier_of_torchvision_can_be_fixed():
    config = config_of(Space(default, {"arch": "mobilenet_v3_small"}, 40), {})

    assert (config.arch, config.pretrained, config.small_stem) == ("mobilenet_v3_small", False, None)


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        ({"learning_rate": 1}, "--fix learning_rate: unknown hyperparameter"),
        ({"batchsize": 64}, "did you mean `batch_size`?"),
        ({"lr": -1}, "`lr > 0` must hold, got lr=-1.0"),
        ({"arch": "mlp", "depth": 3}, "--fix depth: no architecture of this space has a `depth`"),
        ({"seed": 3}, "give --seed"),
        ({"epochs": 50}, "--fix epochs=50 is more than --max-epochs 40"),
    ],
)
def test_a_fixed_value_that_cannot_be_is_refused_on_the_driver(fixed, message):
    with pytest.raises(ConfigError) as error:
        Space(default, fixed, 40).table()

    assert message in str(error.value)


def test_the_walker_finds_a_bad_corner_behind_a_choice():
    def space(trial):
        if trial.suggest_categorical("a", ["x", "y"]) == "y" and trial.suggest_categorical("b", [1, 2]) == 2:
            return TrialConfig(arch="mlp", width=1.0, lr=trial.suggest_float("lr", 0.0, 1.0))
        return TrialConfig(arch="mlp", width=1.0)

    with pytest.raises(ConfigError, match="corner that cannot be trained: `lr > 0` must hold"):
        Space(space, {}, 40).table()


def test_the_table_tells_two_spaces_apart():
    assert DEFAULT.table() == Space(default, {}, 40).table()
    assert DEFAULT.table() != Space(default, {}, 30).table()
    assert DEFAULT.table() != Space(default, {"lr": 0.1}, 40).table()
    assert json.loads(json.dumps(DEFAULT.table())) == DEFAULT.table()


def test_one_name_with_different_choices_is_refused():
    def space(trial):
        first = trial.suggest_categorical("a", [1, 2])
        return TrialConfig(arch="mlp", width=1.0, epochs=trial.suggest_categorical("b", [1, 2] if first == 1 else [3]))

    with pytest.raises(ConfigError, match="asks for `b` with different choices"):
        Space(space, {}, 40).table()


def test_a_space_function_that_raises_is_named():
    def space(trial):
        return trial.suggest_loguniform("lr", 1e-3, 1.0)

    with pytest.raises(ConfigError, match=r"space function .*space raised AttributeError"):
        Space(space, {}, 40).table()


def test_numbers_are_walked_to_mixed_ends_too():
    def space(trial):
        a, b = trial.suggest_float("a", 0.0, 1.0), trial.suggest_float("b", 0.0, 1.0)
        return TrialConfig(arch="mlp", width=1.0, lr=0.5 + abs(a - b) * -1)

    with pytest.raises(ConfigError, match=r"`lr > 0` must hold, got lr=-0\.5"):
        Space(space, {}, 40).table()


def test_a_fixed_shape_is_for_the_architectures_that_have_it():
    space = Space(default, {"small_stem": True, "depth": 2}, 40)

    space.table()
    assert config_of(space, {"arch": "mlp"}).depth is None
    assert config_of(space, {"arch": "resnet18"}).small_stem is True
    assert config_of(space, {"arch": "small_resnet"}).depth == 2


@pytest.mark.parametrize(
    ("fixed", "kept"),
    [
        ({}, ["mlp", "cnn", "cnn-7", "resnet18 from scratch"]),
        ({"lr": 0.001}, ["mlp", "cnn", "resnet18 from scratch"]),
        ({"arch": "cnn"}, ["cnn", "cnn-7"]),
        ({"label_smoothing": 0.2}, []),
        ({"arch": "mobilenet_v3_small"}, []),
    ],
)
def test_a_published_run_that_fixed_values_change_is_left_out_and_said_so(fixed, kept, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    queue, notes = first_queue(Space(default, fixed, 30), True, [{"lr": 0.1}] if not fixed else [])

    assert [entry["baseline"] for entry in queue.values()] == kept + ([""] if not fixed else [])
    assert len(notes) == 4 - len(kept)


def test_enqueued_configs_wait_behind_all_there_is_and_come_once():
    space = Space(default, {}, 30)
    queue = {0: {"params": {"lr": 0.1}, "baseline": ""}}

    extend(queue, space, [{"lr": 0.1}, {"lr": 0.2}], trials=5)
    extend(queue, space, [{"lr": 0.2}], trials=5)

    assert list(queue) == [0, 5]
    assert queue[5]["params"] == {"lr": 0.2}


def test_a_space_of_too_many_choices_is_refused():
    def space(trial):
        for number in range(16):
            trial.suggest_categorical(str(number), [0, 1])
        return TrialConfig(arch="mlp", width=1.0)

    with pytest.raises(ConfigError, match="more than 5000 corners"):
        Space(space, {}, 40).table()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"lr": 5.0}, "lr=5.0 is not in [0.0001, 1.0]"),
        ({"arch": "vgg"}, "arch=vgg is not in ['mlp', 'cnn', 'resnet18', 'small_resnet']"),
        ({"arch": "mlp", "head": 64}, "`head` is not a parameter of arch=mlp in this space"),
        ({"lr": "high"}, "lr=high is not in"),
    ],
)
def test_an_enqueued_config_outside_the_space_is_an_error(params, message):
    with pytest.raises(ConfigError) as error:
        DEFAULT.missing(params)

    assert message in str(error.value)


def test_an_enqueued_config_may_leave_parameters_to_the_sampler():
    assert "lr" in DEFAULT.missing({"arch": "mlp"})


def test_a_space_of_the_users_is_loaded_from_its_file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from trainable.config import TrialConfig\n"
        "def small(trial):\n"
        "    return TrialConfig(arch='mlp', width=1.0, lr=trial.suggest_float('lr', 0.01, 0.1))\n"
    )

    assert Space(load_function(f"{file}:small"), {}, 9).table()["ranges"].keys() == {"lr"}


def test_a_space_file_is_read_as_it_is_now_and_nothing_is_left_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    file, values = tmp_path / "space.py", []
    for value in (1, 2):  # of the same size and time: Python's cache of modules would take it for the old one
        file.write_text(f"def value(): return {value}\n")
        os.utime(file, (0, 0))
        values.append(load_function(f"{file}:value")())

    assert values == [1, 2]
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nowhere.py:f", "must be FILE.py:FUNCTION with an existing file"),
        ("{file}", "must be FILE.py:FUNCTION"),
        ("{file}:nothing", "has no function `nothing`"),
        ("{broken}:f", "does not run: ZeroDivisionError"),
    ],
)
def test_a_space_that_cannot_be_loaded_is_an_error(tmp_path, reference, message):
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "b.py").write_text("1 / 0\n")

    with pytest.raises(ConfigError) as error:
        load_function(reference.format(file=tmp_path / "a.py", broken=tmp_path / "b.py"))

    assert message in str(error.value)


def test_fixed_values_are_json_where_they_are_json():
    assert read_fixed(("lr=0.1", "arch=cnn", "small_stem=true", "epochs=5")) == {
        "lr": 0.1,
        "arch": "cnn",
        "small_stem": True,
        "epochs": 5,
    }


@pytest.mark.parametrize("pairs", [("lr",), ("=3",), ("lr=1", "lr=2")])
def test_a_fix_that_is_no_pair_or_comes_twice_is_an_error(pairs):
    with pytest.raises(ConfigError, match="--fix"):
        read_fixed(pairs)
