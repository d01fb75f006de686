"""What every default space must keep to."""

import hashlib
import json
from dataclasses import fields

import optuna
import pytest

from sweep.search.spaces import SPACES, suggest_of
from sweep.search.spaces.space import Space
from sweep.trainable.config import TrialConfig

NUMBERS = [number for name, number in SPACES if name == "default"]
FIELDS = (  # of TrialConfig, when the spaces were published
    *("arch", "width", "depth", "head", "small_stem", "pretrained", "optimizer", "schedule", "lr", "weight_decay"),
    *("label_smoothing", "batch_size", "epochs", "horizontal_flip", "vertical_flip", "transpose", "rotate", "shift"),
    *("gauss_noise", "emboss", "hue_saturation_value", "channel_shuffle", "cutout", "pipeline", "mixup", "cutmix"),
    "seed",
)
TABLES = {  # sha256 of the table as JSON, without ImageNet weights at hand
    1: "e280b20859a5146dda93d50b68d04d9f1165b654d9e7a990b187cfd841610ece",
    2: "3c2586f1bd8c2e75d2c631405eb693e38a83e25e6395aacab9ae2bec3fa2e3e6",
}


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: f"default_{number}")
class TestDefaultSpace:
    def test_it_is_trainable_at_its_corners(self, number):
        assert Space(suggest_of("default", number), {}, 30).table()["ranges"]

    def test_what_it_draws_is_a_point_of_it_that_lacks_nothing(self, number):
        space = Space(suggest_of("default", number), {}, 40)
        for seed in range(20):
            trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)).ask()

            config = space.config(trial)

            assert space.missing(trial.params) == []
            assert space.chosen(trial.params) == config


def test_every_default_space_has_its_table_here():
    assert list(TABLES) == NUMBERS


@pytest.mark.parametrize("number", TABLES)
def test_the_table_of_a_published_default_space_never_changes(number, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    table = Space(suggest_of("default", number), {}, 30).table()
    for branch in (values for part, values in table.items() if part != "ranges"):
        for field in fields(TrialConfig):  # one that came later, and is not used, is no change
            if field.name not in FIELDS and branch.get(field.name) == [json.dumps(field.default)]:
                del branch[field.name]
    text = json.dumps(table, sort_keys=True)

    assert hashlib.sha256(text.encode()).hexdigest() == TABLES[number]
