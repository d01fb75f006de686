"""A sweep over pretrained nets as its command begins it and goes on with it, without Ray and without training."""

import json

import pytest

from sweep.search.run import main
from sweep.storage.sweep_file import SweepFile
from tests.searched import command, here
from tests.trials import fake_train

NET = "timm/tf_efficientnet_lite0"


@pytest.fixture(autouse=True)
def nets_are_not_built(monkeypatch):
    monkeypatch.setattr("sweep.search.runtime.sweep.check_nets", lambda configs, data: None)
    monkeypatch.setattr("sweep.search.runtime.queue._side_of", lambda net: 224)


def search(data, sweep, *words, trials=3):
    place = ("--data", data, "--sweep", sweep, "--baselines", "none", "--trials", trials)
    return command(main, *place, *words, on=here(fake_train))


def test_the_same_command_goes_on_in_the_space_and_with_the_nets_that_the_sweep_began_with(tiny_data, tmp_path):
    sweep = tmp_path / "sweep"

    begun = search(tiny_data, sweep, "--space", "heads", "--backbones", NET)
    longer = search(tiny_data, sweep, trials=4)

    file = SweepFile.read(sweep)
    assert (begun.exit_code, longer.exit_code) == (0, 0), begun.output + longer.output
    assert (file.settings.space, file.settings.backbones, file.defaults.space) == ("heads", [NET], 2)
    assert any(note.startswith(f"Pretrained nets: {NET}; --backbones") for note in file.notes)
    configs = [json.loads(path.read_text()) for path in sorted(sweep.glob("trials/*/config.json"))]
    assert [config["arch"] for config in configs[:2]] == ["logistic_head", "mlp_head"]  # the linear one is the first
    assert {config["backbone"] for config in configs} == {NET}
    assert len(configs) == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--space", "photos"), "space: was heads, now photos"),
        (("--space", "default"), "space: was heads, now default"),
        (("--backbones", "timm/resnet10t"), f"backbones: was {NET}, now timm/resnet10t"),
    ],
)
def test_another_space_or_other_nets_are_refused(words, message, tiny_data, tmp_path):
    search(tiny_data, tmp_path / "sweep", "--space", "heads", "--backbones", NET, trials=1)

    refused = search(tiny_data, tmp_path / "sweep", *words)

    assert refused.exit_code == 2
    assert message in refused.output


def test_a_net_that_is_named_otherwise_is_refused_with_how(tiny_data, tmp_path):
    refused = search(tiny_data, tmp_path / "sweep", "--backbones", f"{NET},resnet50")

    assert refused.exit_code == 2
    assert "--backbones: each must be timm/NAME or torchvision/NAME" in refused.output
    assert "got 'resnet50'" in refused.output
    assert not (tmp_path / "sweep" / "sweep.json").exists()
