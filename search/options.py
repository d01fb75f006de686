"""What the commands that run trials share: the options of a start.

Imports nothing heavy, so that a second driver is refused at once.
"""

import math
from collections.abc import Callable
from typing import Any

import click

from sweep.search.sinks import NAMES
from sweep.storage.command_line import NameOrOwn

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def _number(text: str) -> float:
    """Returns the number that a text is; NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


class Duration(click.ParamType):
    """`90s`, `30m`, `2h`, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = _number(value[:-1]) * {"s": 1, "m": 60, "h": 3600}.get(value[-1:], math.nan)
        if math.isnan(seconds):
            self.fail(f"must be a number with s, m or h (30m), got {value!r}", param, ctx)
        if not seconds > 0:
            self.fail(f"must be above zero, got {value!r}", param, ctx)
        return seconds


class Number(click.ParamType):
    """A number that keeps a rule; none does that is not finite."""

    name = "float"

    def __init__(self, is_right: Callable[[float], bool], rule: str) -> None:
        self.is_right, self.rule = is_right, rule

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = _number(value)
        if not math.isfinite(number) or not self.is_right(number):
            self.fail(f"{self.rule}, got {value!r}", param, ctx)
        return number


CPUS = Number(lambda cpus: cpus > 0, "must be a number above zero")
GPUS = Number(
    lambda gpus: 0 <= gpus <= 1 or gpus == int(gpus) > 1,
    "must be from 0 to 1, or a whole number; 0.25 lets four trials share a GPU, 2 trains each trial on two at once",
)


class Amount(click.ParamType):
    """`NAME=AMOUNT`, of a resource of Ray's own or of yours."""

    name = "name=amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        name, _, amount = str(value).partition("=")
        number = _number(amount)
        if not name or not 0 < number < math.inf:
            self.fail(f"must be NAME=AMOUNT with an amount above zero (tpu=1), got {value!r}", param, ctx)
        if name.lower() in ("cpu", "gpu", "memory"):
            self.fail(f"{name} has an option of its own: --{name.lower()}s-per-trial or --memory-per-trial", param, ctx)
        return name, number


OF_A_START = (
    click.option("--time-budget", "budget_seconds", type=Duration(), default=None, help="Of this start: 90s, 30m, 2h."),
    click.option(
        "--address",
        type=str,
        default=None,
        help="Of a running Ray cluster: auto or HOST:PORT; default RAY_ADDRESS, else Ray here.",
    ),
    click.option(
        "--concurrency", type=click.IntRange(min=1), default=None, help="Trials at a time; default: as many as fit."
    ),
    click.option("--cpus-per-trial", type=CPUS, default=None),
    click.option("--gpus-per-trial", type=GPUS, default=None, help="Default: 1 where a node has a GPU."),
    click.option("--memory-per-trial", type=click.IntRange(min=1), default=None, help="In bytes."),
    click.option(
        "--resource-per-trial",
        "resources_per_trial",
        type=Amount(),
        multiple=True,
        callback=lambda _, __, amounts: dict(amounts),
        metavar="NAME=AMOUNT",
        help="Of a custom resource of the cluster.",
    ),
    click.option(
        "--attempts", type=click.IntRange(min=1), default=3, show_default=True, help="Per trial, for lost workers."
    ),
    click.option(
        "--sink", "sinks", type=NameOrOwn(NAMES), multiple=True, metavar="FILE.py:OBJECT", help="Is told of the sweep."
    ),
    click.option("--max-failures", type=click.IntRange(min=1), default=10, show_default=True, help="In a row: stops."),
)


def runs_trials(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of `search.runtime.start.Start`: how trials run, which any start may choose anew."""
    for option in reversed(OF_A_START):
        command = option(command)
    return command
