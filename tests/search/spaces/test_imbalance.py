"""What is searched beside a published space where the classes are unequal."""

from dataclasses import replace

import numpy as np
import optuna
import pytest

from sweep.datasets.pixels.dataset import Dataset, Split
from sweep.search import spaces
from sweep.search.runtime.queue import first_queue
from sweep.search.runtime.settings import read_sweep
from sweep.search.runtime.sweep_kinds import Search
from sweep.search.spaces import NEWEST, NEWEST_IMBALANCE, SPACES, proposal, suggest_of
from sweep.search.spaces.space import Space
from sweep.storage import user_code
from sweep.storage.sweep_file import Settings, SweepFile
from sweep.trainable.config import UNHANDLED, ConfigError, TrialConfig
from sweep.trainable.losses import LOSSES

SETTINGS = Settings("data", 50, 30, 0, "accuracy", None, {}, "none", "tpe", "halving", "")
OWN = """
from sweep.trainable.config import TrialConfig

def suggest(trial):
    return TrialConfig(arch="mlp", width=1.0, epochs=3, balanced=trial.suggest_float("balanced", 0.0, 1.0))
"""
NETS = ("timm/tf_efficientnet_lite0",)
MANY_NETS = (*NETS, *(f"timm/resnet{depth}" for depth in (18, 26, 34, 50, 101, 152)), "torchvision/resnet18")
NAMES = tuple(dict.fromkeys(name for name, _ in SPACES))


def space_of(name, fixed=None, nets=NETS, number=NEWEST_IMBALANCE):
    return Space(suggest_of(name, NEWEST, nets), fixed or {}, 30, number and spaces.imbalance(number))


def data_of(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    split = Split((), np.zeros((len(labels), 3, 16, 16), np.uint8), labels)
    return Dataset(split, split, None, tuple(map(str, range(len(counts)))), None, "f", ())


@pytest.mark.parametrize("number", range(1, NEWEST_IMBALANCE + 1))
class TestEveryAddition:
    @pytest.mark.parametrize("name", NAMES)
    def test_whatever_it_draws_goes_with_whatever_the_space_draws(self, name, number):
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))

        configs = [space_of(name, number=number).config(study.ask()) for _ in range(60)]

        assert {config.loss for config in configs} == {None, *LOSSES} - {UNHANDLED["loss"]}
        assert len({config.class_weights for config in configs}) > 2
        assert all(0 <= (config.balanced or 0) <= 1 for config in configs)

    @pytest.mark.parametrize("name", NAMES)
    def test_its_plain_values_leave_a_config_as_it_is_without_it(self, name, number):
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
        params = []
        for _ in range(10):
            trial = study.ask()
            space_of(name, number=None).config(trial)
            params.append(trial.params)

        for given in params:
            there = space_of(name, number=number)
            assert there.missing(there.published(given)) == []
            assert there.chosen(there.published(given)) == space_of(name, number=None).chosen(given)

    @pytest.mark.parametrize("name", NAMES)
    def test_it_does_not_multiply_the_corners_of_a_space(self, name, number):
        with_it, without = (space_of(name, nets=MANY_NETS, number=each).corners() for each in (number, None))

        assert len(with_it) <= 2 * len(without)

    def test_its_ranges_are_in_the_table_of_the_space_and_all_else_stays(self, number):
        with_it, without = (space_of("default", number=each).table()["ranges"] for each in (number, None))

        assert with_it.keys() - without.keys() == UNHANDLED.keys()
        assert {name: with_it[name] for name in without} == without


@pytest.mark.parametrize("name", NAMES)
def test_first_trials_that_were_published_handle_nothing(name):
    with_it, without = (
        first_queue(space_of(name, number=number), NEWEST, "published", [], name)[0] for number in (1, None)
    )

    def configs(queue, space):
        return [TrialConfig.from_dict(entry.config) if entry.config else space.chosen(entry.params) for entry in queue]

    assert len(with_it) == len(without) > 0
    assert configs(with_it.values(), space_of(name)) == configs(without.values(), space_of(name, number=None))


@pytest.mark.parametrize(
    ("counts", "fixed", "is_searched"),
    [
        ([300, 100, 200], {}, False),
        ([301, 100, 200], {}, True),
        ([5, 0], {}, True),
        ([301, 100, 200], {"class_weights": "inverse"}, True),
        ([301, 100, 200], UNHANDLED, False),
    ],
    ids=["three times", "more than three times", "a class without images", "one of three fixed", "all fixed"],
)
def test_it_is_searched_where_the_largest_class_is_more_than_three_times_the_smallest(counts, fixed, is_searched):
    assert (proposal.imbalance(fixed, np.array(counts)) is not None) == is_searched


@pytest.mark.parametrize("number", [None, NEWEST_IMBALANCE])
@pytest.mark.parametrize(
    "fixed", [{"class_weights": "inverse"}, {"class_weights": "none"}, {"balanced": 1, "loss": "focal"}], ids=str
)
@pytest.mark.parametrize("name", NAMES)
def test_any_space_takes_a_fixed_value_of_it(name, fixed, number):
    study, space = optuna.create_study(), space_of(name, fixed, number=number)
    space.table()

    for config in (space.config(study.ask()) for _ in range(5)):
        assert all((UNHANDLED | config.to_dict())[name] == value for name, value in fixed.items())


@pytest.mark.parametrize(("counts", "number"), [((12, 8, 4), None), ((13, 7, 4), NEWEST_IMBALANCE)])
def test_a_search_asks_for_it_once_its_images_are_known(counts, number, tmp_path):
    enqueued = [{"arch": "mlp", "class_weights": "inverse"}]
    search = Search(tmp_path, replace(SETTINGS, space="default"), enqueued)
    search.settle(has_gpu=False)
    search.check_configs()  # before the images are read nobody knows

    search.settle_by_data(data_of(counts))

    assert search.imbalance == number
    assert ("class_weights" in search.table["ranges"]) == (number is not None)
    if number:
        search.check_configs()
    else:
        with pytest.raises(ConfigError, match="entry 1: `class_weights` is not a parameter of arch=mlp"):
            search.check_configs()


def test_a_search_in_a_space_of_the_users_own_draws_what_that_draws(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    space = user_code.name(f"{file}:suggest", "--space")
    search = Search(tmp_path, replace(SETTINGS, space=space), [])

    search.settle_by_data(data_of((13, 7, 4)))

    assert search.imbalance is None
    assert search.table["ranges"].keys() == {"balanced"}


def test_a_sweep_goes_on_with_what_it_began_with(tmp_path):
    search = Search(tmp_path, replace(SETTINGS, space="default"), [])
    search.settle_by_data(data_of((13, 7, 4)))
    made = dict(fingerprint="f", classes=["0", "1", "2"], image_size=[16, 16], queue={}, notes=[], id="a")
    SweepFile(search.settings, search.table, imbalance=search.imbalance, **made).write(tmp_path)

    file = read_sweep(tmp_path)
    again = Search(tmp_path, file.settings, [])
    again.imbalance = file.imbalance

    assert again.changed(file) == []
    again = Search(tmp_path, file.settings, [])
    assert any("class_weights" in line for line in again.changed(file))


def test_a_sweep_with_a_newer_one_is_refused(tmp_path):
    made = dict(fingerprint="f", classes=["0"], image_size=[16, 16], queue={}, notes=[], id="a")
    SweepFile(SETTINGS, {}, imbalance=NEWEST_IMBALANCE + 1, **made).write(tmp_path)

    with pytest.raises(ConfigError, match="begun by a newer version: its imbalance has the number"):
        read_sweep(tmp_path)


def test_a_wrong_name_of_a_way_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"class_weights in \('none', 'inverse', .*got class_weights=inverted"):
        space_of("default", {"class_weights": "inverted"}).table()
