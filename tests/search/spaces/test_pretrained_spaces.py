"""What every space over pretrained nets must keep to."""

import hashlib
import json

import optuna
import pytest

from sweep.search.portfolios.by_cost import RECIPES, TUNED, linear_heads
from sweep.search.runtime.queue import first_queue
from sweep.search.spaces import SPACES, largest_side, suggest_of, uses_backbones
from sweep.search.spaces.space import Space
from sweep.storage.errors import ConfigError
from sweep.trainable.config import TrialConfig

NETS = ["timm/tf_efficientnet_lite0", "torchvision/resnet18"]
OVER_NETS = [(name, number) for name, number in SPACES if uses_backbones(name, number)]
PUBLISHED = {  # sha256 of table, linear heads and recipes, as JSON
    ("tiny", 1): "4616aaced0674ce352bbe1bb778cb3c1f0313215cfc2fae6ae6c37b9d31314db",
    ("photos", 1): "c506d26723f95b33b87a7604f09f613e6921d4969f6724ffb89de38f2cbff64f",
    ("heads", 1): "b27d001259931bb881abae61072a78dcecb36b36f806d0273b6f813615469a38",
}


def test_the_default_spaces_name_their_nets_themselves():
    assert [name for name, number in SPACES if (name, number) not in OVER_NETS] == ["default", "default"]
    assert largest_side("default") is None


@pytest.mark.parametrize(("name", "number"), OVER_NETS, ids=lambda each: str(each))
class TestSpace:
    def test_it_is_trainable_at_its_corners_and_its_table_names_the_nets(self, name, number):
        table = Space(suggest_of(name, number, NETS), {}, 30).table()

        assert table["arch=logistic_head"]["backbone"] == [f'"{net}"' for net in NETS]
        assert table != Space(suggest_of(name, number, NETS[:1]), {}, 30).table()

    def test_what_it_draws_is_a_point_of_it_that_lacks_nothing(self, name, number):
        space = Space(suggest_of(name, number, NETS), {}, 40)
        for seed in range(40):
            trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)).ask()

            config = space.config(trial)

            assert space.missing(trial.params) == []
            assert space.chosen(trial.params) == config
            assert (config.epochs == 1) == (config.backbone is not None)

    def test_a_linear_head_on_each_net_is_a_point_of_it_at_the_side_nearest_to_the_nets_own(self, name, number):
        space = Space(suggest_of(name, number, NETS), {}, 40)

        heads = linear_heads(name, number, NETS, lambda net: 224)

        assert list(heads) == NETS
        for net, params in heads.items():
            assert space.missing(params) == []
            config = space.chosen(params)
            assert (config.arch, config.backbone, config.stages, config.flip) == ("logistic_head", net, "-1", False)
            assert config.input_size == (128 if name == "tiny" else 224)

    def test_each_recipe_is_a_point_of_it_wherever_its_branch_is(self, name, number):
        space = Space(suggest_of(name, number, NETS), {}, 40)
        for branch, params in RECIPES[name, number].items():
            arch = NETS[0] if branch == TUNED else branch
            if arch in space.families:
                config = space.chosen({"arch": arch} | params)
                assert set(space.missing({"arch": arch} | params)) <= {"backbone", "input_size", "stages", "pooling"}
                assert config.arch == arch

    def test_a_fixed_number_of_epochs_is_for_what_trains_in_epochs(self, name, number):
        space = Space(suggest_of(name, number, NETS), {"epochs": 3}, 40)

        assert {(config.backbone is None, config.epochs) for config in space.corners()} <= {(True, 3), (False, 1)}

    def test_neither_it_nor_its_first_trials_ever_change(self, name, number):
        table = Space(suggest_of(name, number, NETS), {}, 30).table()
        first = [linear_heads(name, number, NETS, lambda net: 224), RECIPES[name, number]]
        text = json.dumps([table, *first], sort_keys=True)

        assert hashlib.sha256(text.encode()).hexdigest() == PUBLISHED[name, number]


def test_where_the_net_is_fixed_a_linear_head_on_it_comes_first(monkeypatch):
    monkeypatch.setattr("sweep.search.runtime.queue._side_of", lambda net: 224)
    space = Space(suggest_of("photos", 2, NETS), {"backbone": NETS[1]}, 40)

    queue, _ = first_queue(space, 2, None, [], "photos")

    assert [entry.baseline for entry in queue.values()] == [f"reference {NETS[1]}"]
    assert space.chosen(queue[0].params).backbone == NETS[1]


def test_the_published_runs_are_whole_configs_in_a_space_that_does_not_hold_them():
    space = Space(suggest_of("tiny", 2, NETS[:1]), {}, 40)

    queue, notes = first_queue(space, 2, "published", [], "tiny")

    names = [entry.baseline for entry in queue.values()]
    assert names[:3] == ["published mlp", "published cnn", "published cnn-7"]
    assert names[4:] == [f"reference {NETS[0]}"]
    assert TrialConfig.from_dict(queue[1].config).arch == "cnn"
    assert notes == []


def test_a_published_run_that_fixed_values_change_is_left_out():
    space = Space(suggest_of("tiny", 2, NETS[:1]), {"lr": 0.001}, 40)

    queue, notes = first_queue(space, 2, "published", [], "tiny")

    assert "published cnn-7" not in [entry.baseline for entry in queue.values()]
    assert notes == [
        "The published run cnn-7 is left out: with what --fix or --space sets, it would be another config."
    ]


MLP_HEAD = {"arch": "mlp_head", "backbone": NETS[0]}


@pytest.mark.parametrize("name", ["tiny", "photos"])
@pytest.mark.parametrize("arch", ["mlp_head", "logistic_head", NETS[0], "small_resnet"])
def test_a_config_by_the_names_of_its_fields_is_that_config(name, arch):
    space = Space(suggest_of(name, 2, NETS), {}, 40)
    if arch not in space.families:
        return
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1)).ask()
    Space(space.function, {"arch": arch}, 40).config(trial)
    params = {"arch": arch} | trial.params
    fields = {key: value for key, value in space.chosen(params).to_dict().items() if key != "seed"}

    found = space.parameters(fields)

    assert space.missing(found) == []
    assert space.chosen(found) == space.chosen(params)


def test_a_field_under_a_name_of_the_spaces_own_may_be_given_by_either_name_and_a_constant_as_it_is():
    space = Space(suggest_of("photos", 2, NETS), {}, 40)

    assert space.parameters(MLP_HEAD | {"dropout": 0.3}) == MLP_HEAD | {"head_dropout": 0.3}
    assert space.parameters(MLP_HEAD | {"head_dropout": 0.3}) == MLP_HEAD | {"head_dropout": 0.3}
    assert space.parameters(MLP_HEAD | {"optimizer": "adamw", "epochs": 1}) == MLP_HEAD


def test_a_field_to_which_the_space_gives_another_value_is_refused_with_that():
    space = Space(suggest_of("photos", 2, NETS), {}, 40)

    with pytest.raises(ConfigError, match=r"`optimizer` is not a parameter .* where it is always adamw"):
        space.missing(space.parameters(MLP_HEAD | {"optimizer": "sgd"}))


def test_a_field_that_could_be_several_parameters_is_refused_with_their_names():
    def suggest(trial):
        rate = trial.suggest_float("low_rate", 0.01, 0.1)
        other = trial.suggest_float("high_rate", 0.01, 0.1)
        return TrialConfig(arch="mlp", width=1.0, lr=max(rate, other))

    with pytest.raises(ConfigError, match="`lr` may be low_rate or high_rate in this space"):
        Space(suggest, {}, 40).parameters({"lr": 0.05})


@pytest.mark.parametrize("fixed", [{"optimizer": "adamw"}, {"mixup": 0.5}, {"epochs": 3}])
def test_a_fixed_field_that_no_architecture_of_the_space_reads_is_refused(fixed):
    space = Space(suggest_of("heads", 2, NETS), fixed, 40)

    with pytest.raises(ConfigError, match=f"--fix {next(iter(fixed))}: changes nothing for logistic_head or mlp_head"):
        space.table()
