"""A node that does not see the driver's cache gets the pixels of a sweep from the driver's node."""

import pytest

from sweep.analysis.record import Record
from tests.clusters import cluster
from tests.search.ray.test_nodes import HEAD_THAT_TRAINS, ended, words
from tests.trainable.weights import nets

pytestmark = pytest.mark.ray


def test_workers_that_do_not_see_the_drivers_pixels_copy_them_once(tiny_data, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "driver"))
    sweep, node = tmp_path / "sweep", tmp_path / "node"
    with cluster(tmp_path / "home", HEAD_THAT_TRAINS) as there:
        code, output = ended(there.drive("tests.far_run", node, *words(tiny_data, sweep, 2, 2)))

    assert code == 0, output
    assert Record(sweep).file.pixels == "mapped"
    assert [trial.state for trial in Record(sweep).trials] == ["COMPLETE"] * 2
    (copy,) = (node / "sweep").glob("*.pixels")
    own = tmp_path / "driver" / "sweep" / f"{copy.stem.partition('-')[0]}.pixels"
    assert own.read_bytes().startswith(copy.read_bytes())


def test_workers_that_do_not_see_the_drivers_weights_copy_them_to_the_bit(tiny_data, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "driver"))
    sweep, node = tmp_path / "sweep", tmp_path / "node"
    pretrained = ("--fix", f"arch={nets.TIMM}", "--fix", "pretrained=true", "--fix", "epochs=1", "--max-epochs", 1)
    given = ("--weights", str(nets.saved(nets.TIMM, tmp_path / "test_resnet.pth")))
    with cluster(tmp_path / "home", HEAD_THAT_TRAINS) as there:
        command = ("--data", tiny_data, "--sweep", sweep, "--trials", 2, *pretrained, *given)
        code, output = ended(there.drive("tests.far_run", node, *command))

    assert code == 0, output
    assert [trial.state for trial in Record(sweep).trials] == ["COMPLETE"] * 2
    (copy,) = (node / "sweep" / "weights").glob("*.safetensors")
    assert copy.read_bytes() == (tmp_path / "driver" / "sweep" / "weights" / copy.name).read_bytes()
