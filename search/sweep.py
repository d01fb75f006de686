"""One start of a sweep: begin or continue it, run what is missing, write the results."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.ledger import Ledger, driver_lock
from search.pruner import new_pruner
from search.settings import Settings, SweepFile, differences, table_differences
from search.space import Space, baselines, load_function
from trainable.config import ConfigError

if TYPE_CHECKING:
    from datasets.images import Dataset
    from search.bridge import Bridge
    from search.screen import Screen

GRACE_SECONDS = 10  # after a signal, for running trials to reach their next checkpoint

NO_TRIAL_COMPLETED = 3
BUDGET_REACHED = 5


@dataclass(frozen=True)
class Resources:
    """Where and how a start runs its trials; may differ from start to start."""

    address: str | None = None
    concurrency: int | None = None
    cpus_per_trial: float | None = None
    gpus_per_trial: float | None = None
    memory_per_trial: int | None = None
    attempts: int = 3
    max_failures: int = 10
    budget_seconds: float | None = None


class Interrupted(BaseException):
    """A signal ends this start; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def begin(folder: Path, settings: Settings, enqueued: list[dict[str, Any]], resources: Resources, command: str) -> int:
    """Begins a sweep in `folder`; everything is checked before anything is written."""
    from datasets.images import load

    space = Space(load_function(settings.space), settings.fixed, settings.max_epochs)
    table = space.table()
    queue, notes = _queue(space, settings, enqueued)
    if settings.data == DEMO:
        from datasets.demo import write_demo

        folder.mkdir(parents=True, exist_ok=True)
        write_demo(folder / DEMO)
        settings = replace(settings, data=str(folder / DEMO))
        notes.insert(0, f"No data given and no folder data/ here: these are generated demo images, in {settings.data}.")
    data = load(Path(settings.data), settings.image_size, settings.limit_train, settings.limit_valid, settings.seed)
    _check_nets(space, data)
    folder.mkdir(parents=True, exist_ok=True)
    with driver_lock(folder):
        if (folder / "sweep.json").exists():
            raise ConfigError(
                f"{folder}: another driver began this sweep just now; run the command again to continue it"
            )
        file = SweepFile(
            settings=settings,
            table=table,
            fingerprint=data.fingerprint,
            classes=list(data.classes),
            image_size=list(data.train.images.shape[1:3]),
            queue=queue,
            notes=notes + list(data.notes),
        )
        _save_labels(folder, data)
        file.started(command)
        file.write(folder)
        return _run(folder, file, _ledger(folder, file), space, data, resources)


def resume(folder: Path, settings: Settings, enqueued: list[dict[str, Any]], resources: Resources, command: str) -> int:
    """Goes on with the sweep in `folder`; a finished one is only reported.

    Raises:
      ConfigError: something differs that may not change, each difference a line.
    """
    with driver_lock(folder):
        file = SweepFile.read(folder)
        changed = differences(file.settings, settings)
        space = Space(load_function(settings.space), settings.fixed, settings.max_epochs)
        changed = changed or table_differences(file.table, space.table())  # the settings explain the table's
        if changed:
            raise ConfigError(
                f"{folder}: this sweep was started with other settings, which may not change:\n  "
                + "\n  ".join(changed)
                + "\nStart another sweep with --sweep, or run it with the settings above."
            )
        file.settings = settings
        ledger = _ledger(folder, file)
        _enqueue(file, space, enqueued, len(ledger.trials))
        ended = [trial for trial in ledger.trials if trial.state.is_finished()]
        if len(ended) >= settings.trials and (folder / "report.md").exists():
            print(f"All {len(ended)} trials of this sweep have ended; --trials with a larger number goes on.")
            _print_summary(folder)
            return 0 if any(trial.state.name == "COMPLETE" for trial in ended) else NO_TRIAL_COMPLETED
        from datasets.images import load

        data = load(Path(settings.data), settings.image_size, settings.limit_train, settings.limit_valid, settings.seed)
        if data.fingerprint != file.fingerprint:
            raise ConfigError(
                f"{settings.data}: not the images and labels that this sweep was started on (fingerprint "
                f"{data.fingerprint[:12]}, was {file.fingerprint[:12]}); restore them, or start another with --sweep"
            )
        file.started(command)
        file.write(folder)
        return _run(folder, file, ledger, space, data, resources)


DEMO = "demo-images"


def _queue(
    space: Space, settings: Settings, enqueued: list[dict[str, Any]]
) -> tuple[dict[int, dict[str, Any]], list[str]]:
    """The configs that come first, by trial number: the published runs that the space holds, then the user's."""
    entries, notes = [], []
    if settings.baselines:
        for name, params in baselines().items():
            capped = space.capped(params)
            try:
                lacking = space.missing(capped)
            except ConfigError as error:
                notes.append(f"The published run {name} is left out: {error}.")
                continue
            if lacking:
                notes.append(f"The published run {name} is left out: this space asks for {', '.join(lacking)} as well.")
            else:
                entries.append({"params": capped, "baseline": name})
    for params in enqueued:
        space.missing(params)
        entries.append({"params": params, "baseline": ""})
    return dict(enumerate(entries)), notes


def _enqueue(file: SweepFile, space: Space, enqueued: list[dict[str, Any]], trials: int) -> None:
    """Adds the user's configs that the queue does not hold yet, after all trials there are."""
    held = [entry["params"] for entry in file.queue.values()]
    number = max([trials, *(n + 1 for n in file.queue)])
    for params in enqueued:
        if params not in held:
            space.missing(params)
            file.queue[number] = {"params": params, "baseline": ""}
            number += 1


def _ledger(folder: Path, file: SweepFile) -> Ledger:
    return Ledger(folder, file.id, file.settings.metric, new_pruner(file.settings.pruner))


def _run(folder: Path, file: SweepFile, ledger: Ledger, space: Space, data: "Dataset", resources: Resources) -> int:
    from search.cluster import prepare

    prepare()
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
        attempts=resources.attempts,
        max_failures=resources.max_failures,
        deadline=None if resources.budget_seconds is None else time.monotonic() + resources.budget_seconds,
    )
    ended = [trial for trial in ledger.trials if trial.state.is_finished()]
    names = {number: entry["baseline"] for number, entry in file.queue.items()}
    out = os.fdopen(os.dup(1), "w")  # the screen, also while Ray's own words go elsewhere
    screen = Screen(out, settings.trials, settings.metric, ended, names)
    bridge = Bridge(folder.resolve(), ledger, space, plan, screen)
    bridge.recover()
    if ledger.trials:
        told = sum(trial.state.is_finished() for trial in ledger.trials)
        print(f"Goes on: {told} trials had ended, {len(bridge.waiting)} continue from their newest checkpoint.")
    signals: list[int] = []
    if not bridge.finished:
        _execute(folder, bridge, screen, data, resources, signals)
    file.starts[-1]["stopped"] = signal.Signals(signals[0]).name if signals else bridge.stopping or "finished"
    file.write(folder)
    _write_results(folder, data)
    _print_summary(folder)
    return _exit_code(folder, bridge, signals)


def _execute(
    folder: Path, bridge: "Bridge", screen: "Screen", data: "Dataset", resources: Resources, signals: list[int]
) -> None:
    """Runs the bridge on Ray; the numbers of the signals that stopped it come back in `signals`."""
    from search.cluster import connected, plan_workers
    from search.executor import execute

    asked = (
        resources.cpus_per_trial,
        resources.gpus_per_trial,
        resources.memory_per_trial,
        resources.concurrency,
    )
    with _chatter_to(folder / "log.txt"), connected(resources.address):
        workers = plan_workers(*asked)
        counts = f"{len(data.train.ids):,} train and {len(data.valid.ids):,} validation images"
        screen.said(f"{workers}; {counts}; sweep {folder}")
        try:
            with _stopping_on_signals(bridge, signals), screen:
                execute(bridge, data, workers.resources, workers.concurrency)
        except Interrupted as interrupted:
            if not signals:
                signals.append(interrupted.number)


def _exit_code(folder: Path, bridge: "Bridge", signals: list[int]) -> int:
    again = f"Run the same command again to go on: {sys.orig_argv[0]} {' '.join(sys.orig_argv[1:])}"
    if signals:
        print(f"Stopped by {signal.Signals(signals[0]).name}; everything is saved. {again}")
        return 128 + signals[0]
    states = [trial.state.name for trial in bridge.ledger.trials]
    if bridge.stopping == "time budget":
        print(f"The time budget is reached; everything is saved. {again}")
        return BUDGET_REACHED
    if bridge.stopping:
        print(f"Stopped: {bridge.stopping}. Mend the cause, then run the same command again.", file=sys.stderr)
        return NO_TRIAL_COMPLETED
    return 0 if "COMPLETE" in states else NO_TRIAL_COMPLETED


@contextmanager
def _stopping_on_signals(bridge: "Bridge", received: list[int]) -> Iterator[None]:
    """The first signal leaves running trials some seconds to reach a checkpoint; the second ends at once."""

    def on_signal(number: int, _: object) -> None:
        if received:
            raise Interrupted(received[0])
        received.append(number)
        bridge.stop(signal.Signals(number).name)
        bridge.watcher.said("Stopping: running trials are saved first; once more to stop at once.")
        signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_nets(space: Space, data: "Dataset") -> None:
    """Builds the net of every architecture in the space, so that one that does not fit fails here and not in a worker.

    Raises:
      ConfigError: one does not, or its ImageNet weights are not on this machine.
    """
    import torch

    from trainable.models import build
    from trainable.models.torchvision_net import imagenet_file

    height, width = data.train.images.shape[1:3]
    for config in space.architectures():
        with torch.device("meta"):
            build(replace(config, pretrained=config.pretrained and False), len(data.classes), (height, width))
        if config.pretrained:
            imagenet_file(config.arch)


def _save_labels(folder: Path, data: "Dataset") -> None:
    import numpy as np

    from trainable.files import written_whole

    assert data.valid.labels is not None
    with written_whole(folder / "valid_labels.npy") as partial, open(partial, "wb") as file:
        np.save(file, data.valid.labels, allow_pickle=False)


def _write_results(folder: Path, data: "Dataset") -> None:
    from analysis.record import Record
    from analysis.results import write_results

    write_results(Record(folder), data)


def _print_summary(folder: Path) -> None:
    from analysis.record import Record
    from analysis.summary import summary

    print(summary(Record(folder)))


@contextmanager
def _chatter_to(path: Path) -> Iterator[None]:
    """What Ray, torch and their C++ parts print goes to the sweep's log for the block, not to the screen."""
    sys.stdout.flush()
    sys.stderr.flush()
    with open(path, "a") as log:
        before = os.dup(1), os.dup(2)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, copy in zip((1, 2), before, strict=True):
                os.dup2(copy, descriptor)
                os.close(copy)
