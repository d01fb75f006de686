"""What is known of nets, so that nobody asks a library twice."""

import pytest

from sweep.trainable.models.known import known
from tests.copies import ROOT, run_in

# Builds a head whose net is known, and works out its size.
ASKED = """
import sys
from sweep.trainable.config import TrialConfig
from sweep.trainable.models.net import build
from sweep.trainable.size import size_of

head = dict(backbone="timm/tf_efficientnet_lite0", input_size=32, epochs=1, penalty=0.1)
config = TrialConfig(arch="logistic_head", **head)
size_of(config, 3, (24, 24))
build(config, 3, (24, 24))
print("timm" in sys.modules)
"""


@pytest.fixture(autouse=True)
def nets(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "sweep" / "nets"


def test_it_is_found_once():
    asked = []

    for _ in range(2):
        assert known({"net": "a"}, lambda: asked.append(1) or {"size": [1, 2]}) == {"size": [1, 2]}

    assert asked == [1]
    assert known({"net": "b"}, lambda: 3) == 3


def test_what_is_damaged_is_found_again(nets):
    known({"net": "a"}, lambda: 1)
    (path,) = nets.iterdir()
    path.write_text("{")

    assert known({"net": "a"}, lambda: 2) == 2
    assert known({"net": "a"}, lambda: 3) == 2


def test_an_error_is_not_kept(nets):
    with pytest.raises(ZeroDivisionError):
        known({"net": "a"}, lambda: 1 // 0)

    assert known({"net": "a"}, lambda: 1) == 1


def test_where_nothing_can_be_kept_it_is_found_each_time(nets):
    nets.parent.mkdir()
    nets.write_text("a file where the folder should be")

    assert [known({"net": "a"}, lambda number=number: number) for number in (1, 2)] == [1, 2]


def test_a_head_on_a_net_that_is_known_is_built_without_its_library():
    asked = [run_in(ROOT, "-c", ASKED) for _ in range(2)]

    assert [each.stdout.strip() for each in asked] == ["True", "False"], asked[1].stderr
