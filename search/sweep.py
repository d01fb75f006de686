"""One start of a sweep: begin or continue it, run what is missing, write the results."""

import os
import signal
import sys
import time
from dataclasses import dataclass, fields, replace
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState

from search import data as sweep_data
from search.command import typed
from search.kinds import Sweep
from search.ledger import Ledger
from search.pruner import new_pruner
from search.queue import shown_name
from search.settings import SweepFile, current_versions, version_differences
from trainable.config import ConfigError, TrialConfig

if TYPE_CHECKING:
    from datasets.dataset import Dataset
    from search.bridge import Bridge
    from search.screen import Screen

NO_TRIAL_COMPLETED = 3
BUDGET_REACHED = 5


@dataclass(frozen=True)
class Start:
    """How one start runs its trials; may differ from start to start.

    Attributes:
      command: what the user typed, shown as the way to go on.
    """

    command: str
    address: str | None = None
    concurrency: int | None = None
    cpus_per_trial: float | None = None
    gpus_per_trial: float | None = None
    memory_per_trial: int | None = None
    attempts: int = 3
    max_failures: int = 10
    budget_seconds: float | None = None

    @staticmethod
    def of(module: str, flags: dict[str, Any]) -> "Start":
        """By the flags of a command, `search.command.runs_trials`."""
        names = [field.name for field in fields(Start) if field.name != "command"]
        return Start(typed(module), **{name: flags[name] for name in names})


def run(sweep: Sweep, start: Start) -> int:
    """Begins the sweep in its folder, which must be locked, or goes on with it; returns the exit code.

    Raises:
      ConfigError, DataError: with all that the user has to mend.
    """
    return (_resume if (sweep.folder / "sweep.json").exists() else _begin)(sweep, start)


def _begin(sweep: Sweep, start: Start) -> int:
    """Everything is checked before anything is written."""
    folder, table = sweep.folder, sweep.table
    queue, notes = sweep.first_queue()
    data = sweep.load()
    _check_machine()
    _check_nets(sweep.nets(), data)
    file = SweepFile(
        settings=sweep.settings,
        table=table,
        fingerprint=data.fingerprint,
        classes=list(data.classes),
        image_size=list(data.image_size),
        queue=queue,
        notes=[*data.notes, *notes],
        kind=sweep.kind,
        parent=sweep.parent,
    )
    ledger = _ledger(folder, file) if file.settings.ledger else None  # a database that says no leaves nothing behind
    sweep_data.save(folder, data)
    file.started(start.command)
    file.write(folder)
    return _run(sweep, file, ledger or _ledger(folder, file), data, start)


def _resume(sweep: Sweep, start: Start) -> int:
    """A finished sweep is only reported."""
    folder, settings = sweep.folder, sweep.settings
    file = SweepFile.read(folder)
    before = file.settings
    if changed := sweep.changed(file):
        raise ConfigError(
            f"{folder}: this {file.kind} was started with other settings, which may not change:\n  "
            + "\n  ".join(changed)
            + f"\n{sweep.way_out}"
        )
    file.settings = settings
    ledger = _ledger(folder, file)
    for note in sweep.extend(file.queue, len(ledger.trials)):
        print(note)
    states = [trial.state for trial in ledger.trials if trial.state.is_finished()]
    if len(states) >= max(settings.trials, len(ledger.trials)) and file.results_of == len(states):
        file.settings = replace(before, trials=settings.trials)  # nothing else was looked at
        file.write(folder)
        print(f"All {len(states)} trials of this sweep have ended; {sweep.adds_trials}.")
        print(sweep.summary())
        return 0 if TrialState.COMPLETE in states else NO_TRIAL_COMPLETED
    data = sweep.load()
    sweep_data.check_same(folder, settings, file.fingerprint, data)
    if not all((folder / name).exists() for name in sweep_data.KEPT):  # lost: it is the same data
        sweep_data.save(folder, data)
    _check_machine()
    if (versions := current_versions()) != file.versions:
        print(f"Noted: other versions than before: {', '.join(version_differences(file.versions, versions))}.")
    file.started(start.command)
    file.write(folder)
    return _run(sweep, file, ledger, data, start)


def _run(sweep: Sweep, file: SweepFile, ledger: Ledger, data: "Dataset", start: Start) -> int:
    from search.bridge import Bridge, Plan
    from search.screen import Screen

    folder, settings = sweep.folder, file.settings
    for note in file.notes:
        print(note)
    if ledger.torn_bytes:
        print(f"The last record of the ledger was not written to its end ({ledger.torn_bytes} bytes); it is cut off.")
    plan = Plan(
        trials=settings.trials,
        seed=settings.seed,
        metric=settings.metric,
        sampler=settings.sampler,
        queue=file.queue,
        attempts=start.attempts,
        max_failures=start.max_failures,
        deadline=None if start.budget_seconds is None else time.monotonic() + start.budget_seconds,
    )
    ended = [trial for trial in ledger.trials if trial.state.is_finished()]
    names = {number: shown_name(entry) for number, entry in file.queue.items()}
    out = os.fdopen(os.dup(1), "w")  # the screen, also while Ray's own words go elsewhere
    screen = Screen(out, settings.trials, settings.metric, ended, names)
    bridge = Bridge(folder.resolve(), ledger, sweep.space, plan, screen)
    bridge.recover()
    if ledger.trials:
        screen.said(f"Goes on: {len(ended)} trials had ended, {len(bridge.waiting)} continue from their checkpoints.")
    signals = [] if bridge.finished else _execute(folder, bridge, screen, data, start)
    file.starts[-1]["stopped"] = signal.Signals(signals[0]).name if signals else bridge.stopping or "finished"
    file.write(folder)  # the report shows it
    sweep.write_results(data)
    file.results_of = sum(trial.state.is_finished() for trial in ledger.trials)
    file.write(folder)
    print(sweep.summary())
    return _exit_code(bridge, signals, start.command)


def _execute(folder: Path, bridge: "Bridge", screen: "Screen", data: "Dataset", start: Start) -> list[int]:
    """Runs the bridge on Ray; returns the numbers of the signals that stopped it."""
    from search.cluster import connected, plan_workers, prepare
    from search.process import chatter_to, interruptible, stopping_on_signals

    prepare()
    import ray

    asked = start.cpus_per_trial, start.gpus_per_trial, start.memory_per_trial, start.concurrency
    # Twice interruptible: Ray sets a handler of its own while it starts.
    with interruptible(), chatter_to(folder / "log.txt"), connected(start.address), interruptible():
        from search.executor import execute

        workers = plan_workers(ray.cluster_resources(), *asked)
        bridge.concurrency = min(workers.concurrency, bridge.unfinished)
        counts = f"{len(data.train.ids):,} train and {len(data.valid.ids):,} validation images"
        screen.said(f"{workers}; {counts}; sweep {folder}")
        with stopping_on_signals(bridge) as signals, screen:
            execute(bridge, data, workers.resources, workers.concurrency)
    return signals


def _exit_code(bridge: "Bridge", signals: list[int], command: str) -> int:
    again = f"Run the same command again to go on: {command}"
    if signals:
        print(f"Stopped by {signal.Signals(signals[0]).name}; everything is saved. {again}")
        return 128 + signals[0]
    states = [trial.state for trial in bridge.ledger.trials if trial.state.is_finished()]
    is_whole = len(states) >= max(bridge.plan.trials, len(bridge.ledger.trials))
    if bridge.stopping == "time budget" and not is_whole:
        print(f"The time budget is reached; everything is saved. {again}")
        return BUDGET_REACHED
    if bridge.stopping and bridge.stopping != "time budget":
        print(f"Stopped: {bridge.stopping}. Mend the cause, then run the same command again.", file=sys.stderr)
        return NO_TRIAL_COMPLETED
    return 0 if TrialState.COMPLETE in states else NO_TRIAL_COMPLETED


def _check_machine() -> None:
    """Raises:
    ConfigError: two builds of OpenCV are installed; they overwrite each other's files.
    """
    names = {(distribution.metadata["Name"] or "").lower() for distribution in distributions()}
    builds = sorted(name for name in names if name.startswith("opencv-"))
    if len(builds) != 1:
        raise ConfigError(f"there must be one build of OpenCV, got {', '.join(builds) or 'none'}; uninstall the others")


def _check_nets(configs: list[TrialConfig], data: "Dataset") -> None:
    """Puts two empty images through the net of each config, on no device, so that it costs nothing.

    Raises:
      ConfigError: one does not fit the images, or its ImageNet weights are not on this machine.
    """
    import torch

    from trainable.models import build
    from trainable.models.torchvision_net import imagenet_file

    height, width = data.image_size
    for config in configs:
        with torch.device("meta"):
            net = build(config.from_scratch(), len(data.classes), (height, width)).eval()
            try:
                net(torch.empty(2, 3, height, width))
            except Exception as error:  # each net of torchvision has its own
                raise ConfigError(
                    f"arch={config.arch} does not fit images of {height}x{width} px ({error}); "
                    "resize them with --image-size, or --fix another arch"
                ) from error
        if config.pretrained:
            imagenet_file(config.arch)


def _ledger(folder: Path, file: SweepFile) -> Ledger:
    settings = file.settings
    return Ledger(folder, file.id, settings.metric, new_pruner(settings.pruner), settings.ledger)
