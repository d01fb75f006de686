"""What every form of data must keep to: it is recognised, listed whole and in order, and says what it leaves out."""

import pytest

from datasets.load import load
from datasets.problems import DataError
from datasets.sources import all_sources
from tests.trees import write


def test_where_nothing_is_recognised_every_form_is_named(tmp_path):
    with pytest.raises(DataError) as error:
        load(write({"readme.md": b"none"}, tmp_path / "data"))

    (problem,) = error.value.problems
    assert all(source.looked_for in problem.rule for source in all_sources())
