"""What every portfolio must keep to: its configs are points of the default spaces."""

import pytest

from sweep.search.portfolios import configs
from sweep.search.runtime.queue import first_queue
from sweep.search.spaces import SPACES, suggest_of
from sweep.search.spaces.space import Space
from sweep.storage.sweep_file import PORTFOLIOS as NAMES

NUMBERS = [number for name, number in SPACES if name == "default"]
PORTFOLIOS = {name: name for name in NAMES} | {"reference": "references"}  # the file of each, by the word for its runs


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", PORTFOLIOS)
class TestPortfolio:
    def test_each_config_is_a_point_of_the_space_that_lacks_nothing(self, name, number):
        space = Space(suggest_of("default", number), {}, 40)

        for params in configs(PORTFOLIOS[name], number).values():
            params = space.parameters(params)
            assert space.missing(params) == []
            assert space.chosen(params).arch == params["arch"]

    def test_its_configs_are_the_first_trials_in_its_order(self, name, number):
        portfolio = name if name in NAMES else "published"

        queue, notes = first_queue(Space(suggest_of("default", number), {}, 40), number, portfolio, [], name="default")

        names = [entry.baseline for entry in queue.values() if entry.baseline.startswith(f"{name} ")]
        assert names == [f"{name} {config}" for config in configs(PORTFOLIOS[name], number)]
        assert notes == []


@pytest.mark.parametrize("name", PORTFOLIOS)
def test_the_newest_default_space_has_configs_of_every_portfolio(name):
    assert configs(PORTFOLIOS[name], max(NUMBERS))
