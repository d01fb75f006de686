import json
import re
from dataclasses import fields

import pytest

from sweep.trainable.config import AUGMENTATIONS, MIXING, ConfigError, TrialConfig

CNN = {"arch": "cnn", "width": 1.0, "depth": 2, "head": 128}


def test_a_config_survives_json():
    config = TrialConfig(**CNN, lr=0.01, rotate=0.5)

    assert TrialConfig.from_dict(json.loads(config.to_json())) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lr": 0.0}, "`lr > 0` must hold, got lr=0.0"),
        ({"lr": float("nan")}, "`lr > 0` must hold, got lr=nan"),
        ({"lr": float("inf")}, "`lr > 0` must hold"),
        ({"weight_decay": -1.0}, "weight_decay >= 0"),
        ({"label_smoothing": 1.0}, "0 <= label_smoothing < 1"),
        ({"batch_size": 1}, "batch norm needs two images"),
        ({"epochs": 0}, "epochs >= 1"),
        ({"rotate": 1.5}, "0 <= rotate <= 1"),
        ({"pipeline": "{}", "rotate": 0.5}, "pipeline or probabilities, not both` must hold, got rotate=0.5"),
        ({"mixup": 0.6, "cutmix": 0.6}, "mixup + cutmix <= 1` must hold, got mixup=0.6, cutmix=0.6"),
        ({"optimizer": "lion"}, "optimizer in"),
        ({"schedule": "cyclic"}, "schedule in"),
        ({"seed": -1}, "0 <= seed"),
        ({"width": 0.0}, "width > 0"),
        ({"depth": 0}, "1 <= depth <= 8"),
        ({"head": 0}, "head >= 1"),
        ({"head": None}, "`head` must be set for arch=cnn, got head=None"),
        ({"pretrained": True}, "`pretrained` must be left out for arch=cnn"),
    ],
)
def test_a_value_outside_its_rule_is_an_error_that_names_rule_and_value(values, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        TrialConfig(**{**CNN, **values})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batchsize": 5}, "unknown hyperparameter `batchsize`; did you mean `batch_size`?"),
        ({"epochs": 2.5}, "`epochs` must be a whole number, got 2.5"),
        ({"epochs": True}, "`epochs` must be a whole number, got True"),
        ({"lr": "fast"}, "`lr` must be a number, got 'fast'"),
        ({"optimizer": 3}, "`optimizer` must be text, got 3"),
    ],
)
def test_a_wrong_name_or_type_is_an_error_that_helps(values, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        TrialConfig.from_dict(CNN | values)


def test_only_probabilities_above_zero_make_the_pipeline_in_a_fixed_order():
    config = TrialConfig(**CNN, cutout=0.1, rotate=0.5)

    assert list(config.augmentation.items()) == [("rotate", 0.5), ("cutout", 0.1)]
    assert set(AUGMENTATIONS + MIXING) <= {field.name for field in fields(TrialConfig)}
