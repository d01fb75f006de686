"""How one start of a sweep runs its trials, which may differ from start to start."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from storage import user_code


@dataclass(frozen=True)
class Start:
    """How one start runs its trials; may differ from start to start.

    Attributes:
      command: what the user typed, shown as the way to go on.
      concurrency: trials at a time; None for as many as fit.
      cpus_per_trial, gpus_per_trial, memory_per_trial: None leaves it to what the cluster has; memory in bytes.
      resources_per_trial: further ones by their names.
      sinks: what is told of the sweep beside the screen; of `search.sinks.NAMES`, or FILE.py:OBJECT.
    """

    command: str
    address: str | None = None
    concurrency: int | None = None
    cpus_per_trial: float | None = None
    gpus_per_trial: float | None = None
    memory_per_trial: int | None = None
    resources_per_trial: dict[str, float] = field(default_factory=dict)
    attempts: int = 3
    max_failures: int = 10
    budget_seconds: float | None = None
    sinks: tuple[str, ...] = ()

    @staticmethod
    def of(module: str, flags: Mapping[str, Any]) -> "Start":
        """By the flags of a command, `search.options.runs_trials`."""
        names = [field.name for field in fields(Start) if field.name != "command"]
        own = [user_code.name(sink, "--sink") if user_code.is_reference(sink) else sink for sink in flags["sinks"]]
        return Start(typed(module), **{name: flags[name] for name in names} | {"sinks": tuple(own)})


def typed(module: str) -> str:
    """The command as the user typed it."""
    return shlex.join(["python", "-m", module, *sys.argv[1:]])
