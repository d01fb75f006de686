"""What every portfolio must keep to: its configs are points of the default spaces."""

import pytest

from search.portfolios import PORTFOLIOS
from search.runtime.queue import first_queue
from search.spaces import DEFAULT_SPACES, NEWEST
from search.spaces.space import Space


@pytest.mark.parametrize("number", DEFAULT_SPACES)
@pytest.mark.parametrize("portfolio", PORTFOLIOS, ids=lambda portfolio: portfolio.name)
class TestPortfolio:
    def test_each_config_is_a_point_of_the_space_that_lacks_nothing(self, portfolio, number):
        space = Space(DEFAULT_SPACES[number], {}, 40)

        for params in portfolio.of_space(number).values():
            params = space.parameters(params)
            assert space.missing(params) == []
            assert space.chosen(params).arch == params["arch"]

    def test_its_configs_come_in_its_order_under_its_name(self, portfolio, number):
        queue, notes = first_queue(Space(DEFAULT_SPACES[number], {}, 40), number, True, [], is_default=True)

        names = [entry.baseline for entry in queue.values() if entry.baseline.startswith(f"{portfolio.name} ")]
        assert names == [portfolio.title(name) for name in portfolio.of_space(number)]
        assert notes == []


@pytest.mark.parametrize("portfolio", PORTFOLIOS, ids=lambda portfolio: portfolio.name)
def test_the_newest_default_space_has_configs_of_every_portfolio(portfolio):
    assert portfolio.of_space(NEWEST)
