"""The default space, what bounds a space, and the published runs as points in it."""

import json

import optuna
import pytest

from sweep.search import spaces
from sweep.search.portfolios import published as contest
from sweep.search.portfolios import references
from sweep.search.runtime.queue import extend, family_of_draw, first_queue
from sweep.search.spaces import own_number, suggest_of
from sweep.search.spaces.fixed import read_fixed
from sweep.search.spaces.space import Space
from sweep.storage.sweep_file import QueueEntry
from sweep.trainable.config import ConfigError, TrialConfig

NEWEST = own_number("default", spaces.NEWEST)
default = suggest_of("default", NEWEST)


def published():
    return contest.POINTS[NEWEST]()


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

    params = DEFAULT.parameters(published()[name])

    assert DEFAULT.missing(params) == []
    assert config_of(DEFAULT, params) == PUBLISHED[name]


def test_without_imagenet_weights_the_published_resnet_starts_from_scratch_and_is_named_so(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    assert list(published()) == ["mlp", "cnn", "cnn-7", "resnet18 from scratch"]
    assert config_of(DEFAULT, DEFAULT.parameters(published()["resnet18 from scratch"])).pretrained is False


@pytest.mark.parametrize(("number", "parameters", "in_a_branch"), [(1, 15, 10), (2, 19, 15)])
def test_a_default_space_has_so_many_parameters_and_so_many_in_a_branch(number, parameters, in_a_branch):
    names, most = set(), 0
    for seed in range(200):
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
        trial = study.ask()
        Space(suggest_of("default", number), {}, 40).config(trial)
        names |= set(trial.params)
        most = max(most, len(trial.params))

    assert (len(names), most) == (parameters, in_a_branch)


def test_each_flip_has_a_probability_of_its_own():
    config = config_of(
        DEFAULT, {"arch": "small_resnet", "horizontal_flip": 0.6, "vertical_flip": 0.1, "transpose": 0.2}
    )

    assert (config.horizontal_flip, config.vertical_flip, config.transpose) == (0.6, 0.1, 0.2)


def test_optimizer_and_architecture_are_drawn_first_and_by_every_trial():
    for arch in DEFAULT.families:
        study = optuna.create_study()
        study.enqueue_trial({"arch": arch})
        trial = study.ask()
        DEFAULT.config(trial)

        assert list(trial.params)[:3] == ["arch", "optimizer", "lr_multiple"]


@pytest.mark.parametrize(("optimizer", "rate"), [("nesterov", 0.05), ("adamw", 0.0015)])
def test_the_rate_is_a_multiple_of_its_optimizers_reference(optimizer, rate):
    assert config_of(DEFAULT, {"arch": "small_resnet", "optimizer": optimizer, "lr_multiple": 0.5}).lr == rate


def test_a_given_rate_becomes_the_multiple_that_gives_it():
    params = DEFAULT.parameters({"arch": "small_resnet", "optimizer": "adamw", "lr": 0.005})

    assert params.keys() == {"arch", "optimizer", "lr_multiple"}
    assert config_of(DEFAULT, params).lr == 0.005


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"arch": "cnn", "lr": 0.005}, "`lr` needs `optimizer` beside it"),
        ({"arch": "cnn", "optimizer": "adam", "lr": 5.0}, "lr=5.0 is not in [2e-05, 0.02]"),
        ({"arch": "cnn", "optimizer": "adam", "lr": "high"}, "lr=high is not in"),
    ],
)
def test_a_given_rate_that_is_no_multiple_is_an_error(given, message):
    with pytest.raises(ConfigError) as error:
        DEFAULT.parameters(given)

    assert message in str(error.value)


def test_where_the_rate_is_fixed_no_multiple_of_it_is_searched():
    study = optuna.create_study()
    trial = study.ask()

    assert Space(default, {"lr": 0.3}, 40).config(trial).lr == 0.3
    assert "lr_multiple" not in trial.params


def test_no_trial_may_train_longer_than_max_epochs():
    space = Space(default, {}, max_epochs=3)

    assert config_of(space, {}).epochs == 3
    assert space.capped({"epochs": 40, "batch_size": 50}) == {"epochs": 3, "batch_size": 50}


def test_a_fixed_parameter_is_not_searched_and_branches_follow_it():
    space = Space(default, {"arch": "cnn", "lr": 1}, max_epochs=40)
    study = optuna.create_study()
    trial = study.ask()

    config = space.config(trial)

    assert (config.arch, config.lr) == ("cnn", 1.0)
    assert not {"arch", "lr"} & set(trial.params)


def test_a_field_that_the_space_does_not_search_can_be_fixed():
    assert config_of(Space(default, {"cutout": 0.2, "arch": "mlp"}, 40), {}).cutout == 0.2


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
        ({"optimizer": "lion"}, "optimizer in ('sgd', 'nesterov', 'adam', 'adamw')` must hold, got optimizer=lion"),
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

    own = [] if fixed else [{"batch_size": 100}]
    queue, notes = first_queue(Space(default, fixed, 30), NEWEST, "published", own, name=None)

    assert [entry.baseline for entry in queue.values()] == [f"published {name}" for name in kept] + [""] * len(own)
    assert len(notes) == 4 - len(kept)


def test_of_the_first_20_drawn_trials_each_family_has_4_its_reference_config_among_them():
    queue, _ = first_queue(DEFAULT, NEWEST, "published", [{"batch_size": 100}], name="default")
    numbers = [number for number in range(40) if number not in queue or queue[number].baseline.startswith("reference")]
    drawn = [queue[n].params["arch"] if n in queue else family_of_draw(n, queue, DEFAULT.families) for n in numbers]

    assert [entry.baseline for entry in queue.values()][5:] == [
        f"reference {family}" for family in references.POINTS[NEWEST]()
    ]
    assert {family: drawn[:20].count(family) for family in DEFAULT.families} == dict.fromkeys(DEFAULT.families, 4)
    assert set(drawn[16:]) == {None}  # the sampler is free


def test_without_references_and_with_many_families_the_first_20_are_shared_out():
    families = tuple("abcdefgh")

    drawn = [family_of_draw(number, {}, families) for number in range(20)]

    assert drawn == [*families, *families, None, None, None, None]


@pytest.mark.parametrize(
    ("choices", "arch"), [((18, 34, 50), "resnet{}"), (("small", "large"), "mlp"), ((True, False), "mlp")]
)
def test_a_parameter_named_arch_that_chooses_something_else_is_left_to_the_sampler(choices, arch):
    def space(trial):
        chosen = arch.format(trial.suggest_categorical("arch", list(choices)))
        shape = {"width": 1.0} if arch == "mlp" else {"pretrained": False}
        shape |= {"small_stem": False} if chosen == "resnet18" else {}
        return TrialConfig(arch=chosen, **shape)

    assert Space(space, {}, 40).families == ()


@pytest.mark.parametrize("fixed", [{"arch": "cnn"}, {"arch": "cnn", "lr": 0.01}])
def test_where_one_family_is_searched_its_reference_is_the_only_one_and_nothing_is_shared_out(fixed):
    space = Space(default, fixed, 30)
    queue, _ = first_queue(space, NEWEST, None, [], name="default")

    assert [entry.baseline for entry in queue.values()] == ["reference cnn"]
    assert space.missing(queue[0].params) == []
    assert family_of_draw(1, queue, space.families) is None


def test_enqueued_configs_wait_behind_all_there_is_and_come_once():
    queue = {0: QueueEntry({"lr": 0.1}, "")}

    extend(queue, [{"lr": 0.1}, {"lr": 0.2}], trials=5)
    extend(queue, [{"lr": 0.2}], trials=5)

    assert list(queue) == [0, 5]
    assert queue[5].params == {"lr": 0.2}


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
        ({"lr_multiple": 50.0}, "lr_multiple=50.0 is not in [0.01, 10.0]"),
        ({"arch": "vgg"}, "arch=vgg is not in ['mlp', 'cnn', 'resnet18', 'small_resnet']"),
        ({"arch": "mlp", "head": 64}, "`head` is not a parameter of arch=mlp in this space"),
        ({"epochs": "high"}, "epochs=high is not in"),
    ],
)
def test_an_enqueued_config_outside_the_space_is_an_error(params, message):
    with pytest.raises(ConfigError) as error:
        DEFAULT.missing(params)

    assert message in str(error.value)


def test_an_enqueued_config_may_leave_parameters_to_the_sampler():
    assert "lr_multiple" in DEFAULT.missing({"arch": "mlp"})


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
