"""What is searched beside a published space where the classes are unequal."""

import numpy as np
import optuna
import pytest

from search import spaces
from search.runtime.queue import first_queue
from search.spaces import NEWEST, NEWEST_IMBALANCE, SPACES, proposal, suggest_of
from search.spaces.space import Space
from trainable.config import UNHANDLED, ConfigError, TrialConfig
from trainable.losses import LOSSES

NETS = ("timm/tf_efficientnet_lite0",)
MANY_NETS = (*NETS, *(f"timm/resnet{depth}" for depth in (18, 26, 34, 50, 101, 152)), "torchvision/resnet18")
NAMES = tuple(dict.fromkeys(name for name, _ in SPACES))


def space_of(name, fixed=None, nets=NETS, number=NEWEST_IMBALANCE):
    return Space(suggest_of(name, NEWEST, nets), fixed or {}, 30, number and spaces.imbalance(number))


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


def test_a_wrong_name_of_a_way_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"class_weights in \('none', 'inverse', .*got class_weights=inverted"):
        space_of("default", {"class_weights": "inverted"}).table()
