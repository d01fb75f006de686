"""The options of a start, which all commands that run trials share.

This module imports nothing heavy, so that a second driver is refused at once.
"""

import math
from collections.abc import Callable
from typing import Any

import click

from sweep.search.sinks import NAMES
from sweep.storage.command_line import NameOrOwn

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def _number(text: str) -> float:
    """Returns the number that a text stands for; NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


class Duration(click.ParamType):
    """An option's type for durations such as `90s`, `30m` or `2h`; its value is in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Returns the duration in seconds."""
        seconds = _number(value[:-1]) * {"s": 1, "m": 60, "h": 3600}.get(value[-1:], math.nan)
        if math.isnan(seconds):
            self.fail(f"must be a number with s, m or h (30m), got {value!r}", param, ctx)
        if not seconds > 0:
            self.fail(f"must be above zero, got {value!r}", param, ctx)
        return seconds


class Number(click.ParamType):
    """An option's type for a finite number that satisfies a rule."""

    name = "float"

    def __init__(self, is_right: Callable[[float], bool], rule: str) -> None:
        self.is_right, self.rule = is_right, rule

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Returns the number."""
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
    """An option's type for `NAME=AMOUNT`, an amount of a custom resource of a Ray cluster."""

    name = "name=amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        """Returns the name and the amount."""
        name, _, amount = str(value).partition("=")
        number = _number(amount)
        if not name or not 0 < number < math.inf:
            self.fail(f"must be NAME=AMOUNT with an amount above zero (tpu=1), got {value!r}", param, ctx)
        if name.lower() in ("cpu", "gpu", "memory"):
            self.fail(f"{name} has an option of its own: --{name.lower()}s-per-trial or --memory-per-trial", param, ctx)
        return name, number


OF_A_START = (
    click.option(
        "--time-budget",
        "budget_seconds",
        type=Duration(),
        default=None,
        help="How long this start may run: 90s, 30m, 2h.",
    ),
    click.option(
        "--address",
        type=str,
        default=None,
        help="The running Ray cluster to use: auto or HOST:PORT. The default is RAY_ADDRESS, else this machine alone.",
    ),
    click.option(
        "--concurrency",
        type=click.IntRange(min=1),
        default=None,
        help="How many trials run at a time; by default as many as fit.",
    ),
    click.option(
        "--cpus-per-trial", type=CPUS, default=None, help="How many CPUs a trial gets; by default 1, or its share."
    ),
    click.option(
        "--gpus-per-trial",
        type=GPUS,
        default=None,
        help="How many GPUs a trial gets; by default 1 if there is one. 0.25: four share one.",
    ),
    click.option(
        "--memory-per-trial", type=click.IntRange(min=1), default=None, help="How many bytes of memory a trial gets."
    ),
    click.option(
        "--resource-per-trial",
        "resources_per_trial",
        type=Amount(),
        multiple=True,
        callback=lambda _, __, amounts: dict(amounts),
        metavar="NAME=AMOUNT",
        help="How much of a resource of your own cluster a trial gets.",
    ),
    click.option(
        "--attempts",
        type=click.IntRange(min=1),
        default=3,
        show_default=True,
        help="How often a trial is tried if its worker is lost.",
    ),
    click.option(
        "--sink",
        "sinks",
        type=NameOrOwn(NAMES),
        multiple=True,
        metavar="FILE.py:OBJECT",
        help="An object of your own that is told how the sweep goes.",
    ),
    click.option(
        "--max-failures",
        type=click.IntRange(min=1),
        default=10,
        show_default=True,
        help="How many trials may fail in a row before the sweep stops.",
    ),
)


def runs_trials(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of `search.runtime.start.Start`, which say how trials run.

    Each start of a sweep may choose them anew.
    """
    for option in reversed(OF_A_START):
        command = option(command)
    return command
