"""A config of one sweep as a point of another sweep's space."""

import optuna
import pytest

from sweep.search.spaces import SPACES, suggest_of
from sweep.search.spaces.imbalance_1 import ADDITION
from sweep.search.spaces.space import Space
from sweep.search.spaces.transfer import transferred
from sweep.storage.errors import ConfigError
from sweep.trainable.config import TrialConfig

NETS = ["timm/tf_efficientnet_lite0", "torchvision/resnet18"]


def space_of(name, number, max_epochs=40, addition=None, nets=NETS, **fixed):
    return Space(suggest_of(name, number, nets), fixed, max_epochs, addition)


def draws(space, count):
    """So many random draws, each as a config and its parameters."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(count):
        trial = study.ask()
        yield space.config(trial), trial.params


@pytest.mark.parametrize(("name", "number"), SPACES, ids=lambda each: str(each))
def test_in_its_own_space_a_config_stays_what_it_is(name, number):
    space = space_of(name, number)

    for config, params in draws(space, 12):
        point = transferred(space, config, params)

        assert space.chosen(point.params) == config
        assert (point.params, point.moved, point.left_out) == (params, set(), set())


def test_a_rate_that_was_drawn_as_it_is_keeps_its_value_as_a_multiple():
    old, new = space_of("default", 1), space_of("default", 2)
    for config, params in draws(old, 12):
        point = transferred(new, config, params)
        here = new.chosen(point.params)

        assert "lr" in params
        assert "lr_multiple" in point.params
        assert here.lr == pytest.approx(config.lr, rel=1e-5) or "lr" in point.moved
        assert (here.arch, here.optimizer, here.batch_size) == (config.arch, config.optimizer, config.batch_size)
        assert here.horizontal_flip == config.horizontal_flip


def test_a_multiple_keeps_how_bold_it_is_where_the_reference_is_another():
    tiny, photos = space_of("tiny", 1), space_of("photos", 1)
    params = dict(
        **dict(arch=NETS[0], tuned_input_size=96, frozen_stages=2, head_start=True, dropout=0.1, layer_decay=0.9),
        **dict(lr_multiple=0.5, decoupled_weight_decay=0.05, label_smoothing=0.1, tuned_batch_size=64, tuned_epochs=6),
        **dict(ema=None, mixup=0.2, cutmix=0.0, horizontal_flip=0.5),
    )
    config = tiny.chosen(params)

    point = transferred(photos, config, params)

    assert point.params == params | {"tuned_input_size": 128, "random_resized_crop": 0.0, "color_jitter": 0.0}
    assert photos.chosen(point.params).lr != config.lr
    assert point.moved == {"input_size"}
    assert point.left_out == set()


def test_what_is_out_of_range_is_moved_within_and_what_has_no_place_is_left_out():
    config = TrialConfig(
        **dict(arch="cnn", width=8.0, depth=2, head=100, optimizer="sgd", schedule="step", lr=0.05, batch_size=400),
        **dict(epochs=60, emboss=0.3, horizontal_flip=0.5),
    )
    space = space_of("tiny", 1)

    point = transferred(space, config, {})

    assert point.moved == {"width", "batch_size", "epochs"}
    assert {"schedule", "optimizer", "emboss"} <= point.left_out
    assert "optimizer" not in point.params  # it is drawn
    assert point.params.items() >= dict(arch="cnn", width=4.0, depth=2, head=100, batch_size=256, epochs=40).items()


def test_a_head_goes_into_a_space_of_heads_and_no_other():
    heads, config = space_of("heads", 1), None
    for config, params in draws(space_of("photos", 1), 30):
        if config.backbone:
            assert heads.chosen(transferred(heads, config, params).params) == config
        else:
            with pytest.raises(ConfigError, match=f"this space has no arch={config.arch}"):
                transferred(heads, config, params)
    head = next(config for config, _ in draws(heads, 30) if config.backbone == NETS[0])
    with pytest.raises(ConfigError, match=f"this space has no backbone={NETS[0]}"):
        transferred(space_of("heads", 1, nets=NETS[1:]), head, {})


def test_what_is_fixed_stays_as_it_is_fixed():
    config, params = next(draws(space_of("default", 2, arch="mlp"), 1))
    space = space_of("default", 2, lr=0.003, epochs=9, arch="mlp")

    point = transferred(space, config, params)

    assert {"lr_multiple", "epochs", "arch"}.isdisjoint(point.params)
    assert (space.chosen(point.params).lr, space.chosen(point.params).epochs) == (0.003, 9)
    with pytest.raises(ConfigError, match="this space has no arch=mlp"):
        transferred(space_of("default", 2, arch="cnn"), config, params)


def test_a_config_that_knew_nothing_of_unequal_classes_stays_as_plain_as_it_was():
    config, params = next(draws(space_of("default", 2), 1))
    space = space_of("default", 2, addition=ADDITION)

    point = transferred(space, config, params)

    assert point.params == params | ADDITION.plain
    assert space.chosen(point.params) == config


def test_a_space_of_ones_own_takes_its_own_parameters_back_whatever_they_do():
    def suggest(trial):
        boldness = trial.suggest_float("boldness", 0.0, 1.0)
        return TrialConfig(arch="mlp", width=1 + boldness, lr=0.01 * (1 + boldness), epochs=3)

    space = Space(suggest, {}, 30)
    config = space.chosen({"boldness": 0.25})

    assert transferred(space, config, {"boldness": 0.25}).params == {"boldness": 0.25}
    assert transferred(space, config, {}).params == {}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "0.1", None])
def test_a_value_that_is_no_number_is_drawn_anew(value):
    def suggest(trial):
        return TrialConfig(arch="mlp", width=trial.suggest_float("w", 1.0, 2.0) ** 2, lr=0.01, epochs=3)

    space = Space(suggest, {}, 30)

    assert transferred(space, space.chosen({"w": 1.5}), {"w": value}).params == {}
