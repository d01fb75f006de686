import pytest
import torch
from torch import nn

from trainable.config import TrialConfig
from trainable.optim import lr_at, new_optimizer


@pytest.mark.parametrize(
    ("schedule", "warmup", "step", "expected"),
    [
        ("onecycle", None, 0, 0.0),
        ("onecycle", None, 25, 1.0),
        ("onecycle", None, 100, 0.0),
        ("onecycle", None, 62.5, 0.5),
        ("cosine", None, 0, 1.0),
        ("cosine", None, 50, 0.5),
        ("cosine", None, 100, 0.0),
        ("constant", None, 99, 1.0),
        ("step", None, 69, 1.0),
        ("step", None, 70, 0.1),
        ("onecycle", 0.5, 25, 0.5),
        ("onecycle", 0.5, 75, 0.5),
        ("onecycle", 0.0, 0, 1.0),
        ("cosine", 0.2, 10, 0.5),
        ("cosine", 0.2, 20, 1.0),
        ("cosine", 0.2, 60, 0.5),
        ("cosine", 0.2, 100, 0.0),
        ("constant", 0.5, 25, 0.5),
        ("step", 0.1, 5, 0.5),
        ("step", 0.1, 70, 0.1),
    ],
)
def test_the_rate_is_a_function_of_the_step(schedule, warmup, step, expected):
    config = TrialConfig(arch="mlp", width=1.0, schedule=schedule, warmup=warmup, lr=1.0, epochs=10)

    assert lr_at(config, step, steps_per_epoch=10) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "kind", "nesterov"),
    [
        ("sgd", torch.optim.SGD, False),
        ("nesterov", torch.optim.SGD, True),
        ("adam", torch.optim.Adam, None),
        ("adamw", torch.optim.AdamW, None),
    ],
)
def test_an_optimizer_is_the_one_named(name, kind, nesterov):
    optimizer = new_optimizer(TrialConfig(arch="mlp", width=1.0, optimizer=name, weight_decay=0.25), nn.Linear(2, 2))

    assert type(optimizer).__mro__[1] is kind
    assert optimizer.defaults["weight_decay"] == 0.25
    assert optimizer.defaults.get("nesterov") == nesterov
