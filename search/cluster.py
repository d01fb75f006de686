"""Connecting to Ray: a session of its own on this machine, or a running cluster."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.process import Interrupted
from trainable.config import ConfigError

QUIET = {  # before Ray is imported; set by `prepare`
    "RAY_USAGE_STATS_ENABLED": "0",  # no telemetry
    "RAY_AIR_NEW_OUTPUT": "0",  # the screen is ours
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no csv, json and tensorboard files of Tune's own
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # signals are the driver's
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # Tune's snapshots are never read
    "TUNE_WARN_THRESHOLD_S": "10",
    "NO_ALBUMENTATIONS_UPDATE": "1",  # albumentations asks a package index at import
}
LEDGER_VARIABLE = "PGPASSWORD"  # a secret of the driver: workers never speak to the ledger


@dataclass(frozen=True)
class Workers:
    """What a trial gets, and how many run beside each other."""

    cpus: float
    gpus: float
    memory_bytes: int
    concurrency: int

    @property
    def resources(self) -> dict[str, float]:
        asked = {"cpu": self.cpus, "gpu": self.gpus, "memory": float(self.memory_bytes)}
        return {name: amount for name, amount in asked.items() if amount}

    def __str__(self) -> str:
        each = f"{self.gpus:g} GPU and {self.cpus:g} CPU" if self.gpus else f"{self.cpus:g} CPU"
        return f"{self.concurrency} trials at a time, {each} each"


def prepare() -> None:
    """Sets Ray's environment; call it before the first import of Ray."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """A Ray session for the block; one that was started here ends with it.

    Raises:
      ConfigError: no cluster answers at `address`.
    """
    import ray

    code = str(Path(__file__).resolve().parents[1])
    options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    here: dict[str, str | None] = {}
    if address is None:  # not a cluster that happens to run here: that is what --address is for
        options |= {"address": "local", "include_dashboard": False}
        # Workers inherit this environment. A runtime_env would do the same 3 s later: an agent has to start first,
        # and the workers that Ray starts ahead of need cannot be used.
        paths = [code, *filter(None, [os.environ.get("PYTHONPATH")])]
        here = {"PYTHONPATH": os.pathsep.join(paths), LEDGER_VARIABLE: None}
    else:
        options |= {
            "address": address,
            "runtime_env": {"env_vars": {**QUIET, LEDGER_VARIABLE: ""}, "working_dir": code},
        }
    try:
        with _environment(here):
            ray.init(**options)
    except ConnectionError as error:
        raise ConfigError(f"--address {address}: no Ray cluster answers; start it, or leave this out") from error
    except SystemExit as stop:  # Ray's own answer to SIGTERM, from its first step on
        raise Interrupted(signal.SIGTERM) from stop
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _environment(changed: Mapping[str, str | None]) -> Iterator[None]:
    """Sets these variables for the block, or takes them out."""
    before = {name: os.environ.get(name) for name in changed}
    try:
        _set(changed)
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def plan_workers(
    there: Mapping[str, float], cpus: float | None, gpus: float | None, memory_bytes: int | None, most: int | None
) -> Workers:
    """What the user asked for, else one trial a GPU where the cluster has any, else one CPU a trial.

    Args:
      there: what the whole cluster has, `ray.cluster_resources()`.
      most: trials at a time; None for as many as fit.

    Raises:
      ConfigError: one trial asks for more than there is.
    """
    there_gpus = there.get("GPU", 0)
    if gpus is None:
        gpus = 1.0 if there_gpus >= 1 else 0.0
    if cpus is None:  # beside a GPU its share of the CPUs
        cpus = max(1.0, there.get("CPU", 1) * gpus // there_gpus) if 0 < gpus <= there_gpus else 1.0
    wanted = {"CPU": cpus, "GPU": gpus, "memory": float(memory_bytes or 0)}
    lacking = [
        f"{name}: asked {amount:g} a trial, the cluster has {there.get(name, 0):g}"
        for name, amount in wanted.items()
        if amount > there.get(name, 0)
    ]
    if lacking:
        raise ConfigError(f"no trial could ever start: {'; '.join(lacking)}; ask for less or add nodes")
    fits = min(int(there[name] / amount) for name, amount in wanted.items() if amount)
    return Workers(cpus, gpus, memory_bytes or 0, min(most or fits, fits))
