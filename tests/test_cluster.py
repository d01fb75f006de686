"""What a trial gets of a cluster."""

import pytest

from search.cluster import Workers, plan_workers
from trainable.config import ConfigError

LAPTOP = {"CPU": 8.0, "memory": 1e9}
GPUS = {"CPU": 16.0, "GPU": 2.0, "memory": 1e9}


@pytest.mark.parametrize(
    ("there", "asked", "expected"),
    [
        (LAPTOP, (None, None, None, None), Workers(1, 0, 0, 8)),
        (LAPTOP, (2, None, None, None), Workers(2, 0, 0, 4)),
        (LAPTOP, (None, None, None, 3), Workers(1, 0, 0, 3)),
        (LAPTOP, (None, None, 5 * 10**8, None), Workers(1, 0, 5 * 10**8, 2)),
        (GPUS, (None, None, None, None), Workers(8, 1, 0, 2)),
        (GPUS, (None, 0.5, None, None), Workers(4, 0.5, 0, 4)),
        (GPUS, (2, None, None, None), Workers(2, 1, 0, 2)),
        (GPUS, (None, 0, None, None), Workers(1, 0, 0, 16)),
        (GPUS, (None, 2, None, None), Workers(16, 2, 0, 1)),
    ],
)
def test_the_default_is_a_trial_a_gpu_else_a_trial_a_cpu(there, asked, expected):
    assert plan_workers(there, *asked) == expected


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ((None, 1, None, None), "GPU: asked 1 a trial, the cluster has 0"),
        ((16, None, None, None), "CPU: asked 16 a trial, the cluster has 8"),
        ((None, None, 10**10, None), "memory: asked 1e+10 a trial, the cluster has 1e+09"),
    ],
)
def test_what_can_never_fit_is_an_error_that_names_what_was_asked_and_what_there_is(asked, message):
    with pytest.raises(ConfigError) as error:
        plan_workers(LAPTOP, *asked)

    assert message in str(error.value)


@pytest.mark.parametrize(
    ("workers", "text"),
    [
        (Workers(1, 0, 0, 2), "2 trials at a time, 1 CPU each"),
        (Workers(4, 0.5, 0, 4), "4 trials at a time, 0.5 GPU and 4 CPU each"),
    ],
)
def test_the_first_line_says_gpu_or_cpu(workers, text):
    assert str(workers) == text
