from dataclasses import replace

import pytest

from sweep.search.runtime.settings import differences, table_differences
from sweep.storage.sweep_file import Settings

SETTINGS = Settings("data", 50, 30, 0, "accuracy", None, {}, "auto", "tpe", "halving", "")


def table(**fields):
    return {"ranges": {"lr": ["[0, 1]"]}, "arch=mlp": {"arch": ['"mlp"'], **fields}}


def test_a_hyperparameter_that_came_after_a_sweep_began_is_no_change_while_it_has_its_default():
    assert table_differences(table(), table(emboss=["0.0"])) == []


@pytest.mark.parametrize("values", [["0.5"], ["0.0", "0.5"]])
def test_one_that_is_used_is_a_change(values):
    assert table_differences(table(), table(emboss=values)) == [f"space, arch=mlp, emboss: was None, now {values}"]


def test_a_hyperparameter_that_goes_is_a_change():
    assert table_differences(table(emboss=["0.0"]), table()) == ["space, arch=mlp, emboss: was ['0.0'], now None"]


def test_a_range_that_came_later_is_a_change():
    after = table() | {"ranges": {"lr": ["[0, 1]"], "emboss": ["0.0"]}}

    assert table_differences(table(), after) == ["space, ranges, emboss: was None, now ['0.0']"]


def test_nets_that_changed_are_told_as_their_option_takes_them():
    before, now = (replace(SETTINGS, backbones=nets) for nets in (["timm/a", "timm/b"], ["timm/a"]))

    assert differences(before, now) == ["backbones: was timm/a,timm/b, now timm/a"]
