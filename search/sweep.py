"""One start of a sweep: begin or continue it, run what is missing, write the results."""

import os
import signal
import sys
import time
from dataclasses import dataclass, replace
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState

from search.default_space import default
from search.ledger import Ledger
from search.pruner import new_pruner
from search.queue import extend, first_queue
from search.settings import (
    Settings,
    SweepFile,
    current_versions,
    differences,
    table_differences,
    version_differences,
)
from search.space import Space, load_function
from trainable.config import ConfigError

if TYPE_CHECKING:
    from datasets.dataset import Dataset
    from search.bridge import Bridge
    from search.screen import Screen

DEMO = "demo-images"  # as the data of a sweep: images to be generated in its folder

SHOWN_DIFFERENCES = 5  # of the data
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


def begin(folder: Path, settings: Settings, enqueued: list[dict[str, Any]], start: Start) -> int:
    """Begins a sweep in `folder`, which must be locked; everything is checked before anything is written.

    Raises:
      ConfigError, DataError: with all that the user has to mend.
    """
    space = _space(settings)
    table = space.table()
    queue, notes = first_queue(space, settings.baselines, enqueued)
    if settings.data == DEMO:
        settings = replace(settings, data=str(_demo_images(folder)))
        notes.insert(0, f"No data given and no folder data/ here: these are generated demo images, in {settings.data}.")
    data = _load(settings)
    _check_machine()
    _check_nets(space, data)
    file = SweepFile(
        settings=settings,
        table=table,
        fingerprint=data.fingerprint,
        classes=list(data.classes),
        image_size=list(data.image_size),
        queue=queue,
        notes=notes + list(data.notes),
    )
    ledger = _ledger(folder, file) if settings.ledger else None  # a database that says no must leave nothing behind
    _save_data(folder, data)
    file.started(start.command)
    file.write(folder)
    return _run(folder, file, ledger or _ledger(folder, file), space, data, start)


def resume(folder: Path, settings: Settings, enqueued: list[dict[str, Any]], start: Start) -> int:
    """Goes on with the sweep in `folder`, which must be locked; a finished one is only reported.

    Raises:
      ConfigError: something differs that may not change, each difference a line.
    """
    file = SweepFile.read(folder)
    before = file.settings
    changed = differences(file.settings, settings)
    space = _space(settings)
    changed = changed or table_differences(file.table, space.table())  # the settings explain the table's
    if changed:
        raise ConfigError(
            f"{folder}: this sweep was started with other settings, which may not change:\n  "
            + "\n  ".join(changed)
            + "\nStart another sweep with --sweep, or run it with the settings above."
        )
    file.settings = settings
    ledger = _ledger(folder, file)
    extend(file.queue, space, enqueued, len(ledger.trials))
    if max(file.queue, default=-1) >= settings.trials:
        print(f"Some enqueued configs wait for their turn; --trials {max(file.queue) + 1} runs them all.")
    states = [trial.state for trial in ledger.trials if trial.state.is_finished()]
    if len(states) >= max(settings.trials, len(ledger.trials)) and file.results_of == len(states):
        file.settings = replace(before, trials=settings.trials)  # nothing else was looked at
        file.write(folder)
        print(f"All {len(states)} trials of this sweep have ended; --trials with a larger number goes on.")
        _print_summary(folder)
        return 0 if TrialState.COMPLETE in states else NO_TRIAL_COMPLETED
    data = _load(settings)
    if data.fingerprint != file.fingerprint:
        raise ConfigError(_other_data(folder, settings, data))
    if not (folder / "data.csv").exists() or not (folder / "valid_labels.npy").exists():  # lost: it is the same data
        _save_data(folder, data)
    _check_machine()
    if (versions := current_versions()) != file.versions:
        print(f"Noted: other versions than before: {', '.join(version_differences(file.versions, versions))}.")
    file.started(start.command)
    file.write(folder)
    return _run(folder, file, ledger, space, data, start)


def _run(folder: Path, file: SweepFile, ledger: Ledger, space: Space, data: "Dataset", start: Start) -> int:
    from search.bridge import Bridge, Plan
    from search.screen import Screen

    settings = file.settings
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
    names = {number: entry["baseline"] for number, entry in file.queue.items()}
    out = os.fdopen(os.dup(1), "w")  # the screen, also while Ray's own words go elsewhere
    screen = Screen(out, settings.trials, settings.metric, ended, names)
    bridge = Bridge(folder.resolve(), ledger, space, plan, screen)
    bridge.recover()
    if ledger.trials:
        screen.said(f"Goes on: {len(ended)} trials had ended, {len(bridge.waiting)} continue from their checkpoints.")
    signals = [] if bridge.finished else _execute(folder, bridge, screen, data, start)
    file.starts[-1]["stopped"] = signal.Signals(signals[0]).name if signals else bridge.stopping or "finished"
    file.write(folder)  # the report shows it
    _write_results(folder, data)
    file.results_of = sum(trial.state.is_finished() for trial in ledger.trials)
    file.write(folder)
    _print_summary(folder)
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


def _space(settings: Settings) -> Space:
    function = default if settings.space is None else load_function(settings.space)
    return Space(function, settings.fixed, settings.max_epochs)


def _load(settings: Settings) -> "Dataset":
    from datasets.images import load

    return load(Path(settings.data), settings.image_size, settings.limit_train, settings.limit_valid, settings.seed)


def _demo_images(folder: Path) -> Path:
    """Generates them in the sweep's folder, whole or not at all."""
    from datasets.demo import write_demo
    from trainable.files import make_folder, remove

    path, partial = (folder / DEMO).resolve(), (folder / f"{DEMO}.partial").resolve()
    if not path.exists():
        remove(partial)
        make_folder(partial)
        write_demo(partial)
        partial.rename(path)
    return path


def _check_machine() -> None:
    """Raises:
    ConfigError: two builds of OpenCV are installed; they overwrite each other's files.
    """
    names = {(distribution.metadata["Name"] or "").lower() for distribution in distributions()}
    builds = sorted(name for name in names if name.startswith("opencv-"))
    if len(builds) != 1:
        raise ConfigError(f"there must be one build of OpenCV, got {', '.join(builds) or 'none'}; uninstall the others")


def _check_nets(space: Space, data: "Dataset") -> None:
    """Puts two empty images through every net at the corners of the space, on no device, so that it costs nothing.

    Raises:
      ConfigError: one does not fit the images, or its ImageNet weights are not on this machine.
    """
    import torch

    from trainable.models import build
    from trainable.models.torchvision_net import imagenet_file

    height, width = data.image_size
    for config in space.architectures():
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


def _save_data(folder: Path, data: "Dataset") -> None:
    """What the sweep is run on: a row an image, and the labels that trials are judged by."""
    from datasets import fingerprint
    from trainable.files import save_array, written_whole

    with written_whole(folder / "data.csv") as partial:
        partial.write_bytes(fingerprint.data_table(data))
    assert data.valid.labels is not None
    save_array(folder / "valid_labels.npy", data.valid.labels)


def _other_data(folder: Path, settings: Settings, data: "Dataset") -> str:
    from datasets.fingerprint import differences as differences_of_data

    kept = folder / "data.csv"
    found = differences_of_data(kept.read_bytes() if kept.exists() else b"", data)
    more = [f"... and {len(found) - SHOWN_DIFFERENCES} more"] if len(found) > SHOWN_DIFFERENCES else []
    return (
        f"{settings.data}: not the images and labels that this sweep was started on, {len(found)} differences:\n  "
        + "\n  ".join(found[:SHOWN_DIFFERENCES] + more)
        + "\nRestore them, or start another sweep with --sweep."
    )


def _write_results(folder: Path, data: "Dataset") -> None:
    from analysis.record import Record
    from analysis.results import write_results

    write_results(Record(folder), data)


def _print_summary(folder: Path) -> None:
    from analysis.record import Record
    from analysis.summary import summary

    print(summary(Record(folder)))


def _ledger(folder: Path, file: SweepFile) -> Ledger:
    settings = file.settings
    return Ledger(folder, file.id, settings.metric, new_pruner(settings.pruner), settings.ledger)
