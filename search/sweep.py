"""One start of a sweep: begin or continue it, run what is missing, write the results."""

import gc
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from optuna.trial import TrialState

from analysis.data_place import is_same, own_images
from datasets.text import counted
from search import data as sweep_data
from search.address import check as check_address
from search.command import typed
from search.connection import RAY_FAILS, RayFailedError
from search.kinds import Sweep
from search.ledger import Ledger, check_moved
from search.memory import CUDA_BYTES, DRIVER_BYTES, Fit, Limit, check_nets, gpu_bytes, machine_bytes, why_too_large
from search.preflight import check_here, check_nodes
from search.process import screen
from search.pruners import new_pruner
from search.queue import Queue, shown_name
from search.settings import SweepFile, current_versions, version_differences
from trainable.bucket import address_of, is_copy, put, with_addresses
from trainable.config import ConfigError

if TYPE_CHECKING:
    from datasets.dataset import Dataset
    from search.bridge import Bridge
    from search.cluster import Asked, Room
    from search.screen import Screen
    from search.vigil import Vigil

# Runs a bridge to its end or a signal's; returns the numbers of the signals.
Execute = Callable[["Bridge", "Screen", "Dataset"], list[int]]


@dataclass(frozen=True)
class Session:
    """Ray, ready for trials.

    Attributes:
      worker: bytes of memory that a trial may take; 0 where that is not known.
      gpus: of a trial; a part of one where it shares it.
      is_local: they are this machine's.
      sharing: so many trials share the memory that `worker` is a part of with one copy of the images; 0 where the
        images lie in other memory.
    """

    execute: Execute
    worker: int = 0
    gpus: float = 0.0
    is_local: bool = True
    sharing: int = 0

    def limit(self, data: "Dataset") -> Limit | None:
        """Returns the memory that trials on this data may take; None where it is not known."""
        if not self.worker:
            return None
        splits = [split.images.nbytes for split in (data.train, data.valid, data.test) if split is not None]
        worker = self.worker - (sum(splits) // self.sharing if self.sharing else 0)
        gpu = gpu_bytes(self.gpus) if self.gpus and self.is_local else 0
        return Limit(max(1, worker), gpu, bool(self.gpus), len(data.classes), data.image_size)


NO_TRIAL_COMPLETED = 3
BUDGET_REACHED = 5
RAY_ENDED = "Ray ended"  # why a sweep is stopping
ENDING_SECONDS = 30.0  # for Ray's session to end


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
    resources_per_trial: dict[str, float] = field(default_factory=dict)
    attempts: int = 3
    max_failures: int = 10
    budget_seconds: float | None = None

    @property
    def asked(self) -> "Asked":
        """Of the cluster, for a trial."""
        from search.cluster import Asked

        return Asked(
            self.cpus_per_trial,
            self.gpus_per_trial,
            self.memory_per_trial,
            self.resources_per_trial,
            self.concurrency,
        )

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
    # `out` is the screen, also while Ray's own words go elsewhere.
    with screen() as out, _beside() as beside:
        if is_copy(sweep.folder):
            _check_bucket(sweep)
        is_new = not (sweep.folder / "sweep.json").exists()
        return (_begin if is_new else _resume)(sweep, start, out, beside)


@contextmanager
def _beside() -> Iterator[Executor]:
    """Yields a thread for what goes on beside the main one; its end is waited for, but not for ever: Ray's can hang."""
    executor = ThreadPoolExecutor(1)
    try:
        yield executor
    finally:
        wait([executor.submit(int)], ENDING_SECONDS)
        executor.shutdown(wait=False)


def _check_bucket(sweep: Sweep) -> None:
    """Raises:
    ConfigError: the sweep needs more than a bucket has.
    """
    place = f"--sweep {address_of(sweep.folder)}"
    if not sweep.settings.ledger:
        raise ConfigError(
            f"{place}: a bucket needs --ledger postgresql://[USER@]HOST[:PORT]/DATABASE; "
            "its journal would be appended to, and no bucket can do that"
        )
    if sweep.settings.data == str(own_images(sweep.folder)):
        raise ConfigError(f"{place}: demo images are generated into a folder; give --data, or a folder as --sweep")


def _begin(sweep: Sweep, start: Start, out: TextIO, beside: Executor) -> int:
    """Everything is checked before anything is written."""
    folder, table = sweep.folder, sweep.table
    check_address(start.address)  # before images are read, which may take minutes
    sweep.check_configs()
    data = sweep.first_load()
    queue, notes = sweep.first_queue(data)
    check_here(folder)
    nets = beside.submit(check_nets, sweep.nets(), data)  # while Ray starts
    with _on_ray(folder, start, out, beside) as session:
        nets.result()
        limit = session.limit(data)
        if limit:
            notes += limit.may_lack(sweep.corners())
        if limit and not Fit(limit, sweep.corners()).matters:
            limit = None
        if limit:
            queue, left_out = _bounded(sweep, limit, queue)
            notes += left_out
        file = SweepFile(
            settings=sweep.settings,
            table=table,
            fingerprint=data.fingerprint,
            classes=list(data.classes),
            image_size=list(data.image_size),
            queue=queue,
            notes=[*data.notes, *sweep_data.imbalance_notes(data, sweep.settings.metric), *notes],
            kind=sweep.kind,
            parent=sweep.parent,
            defaults=sweep.defaults,
            memory=limit.to_dict() if limit and sweep.space else {},
        )
        ledger = _ledger(folder, file) if file.settings.ledger else None  # a database that says no leaves nothing here
        sweep_data.save(folder, data)
        file.started(start.command, folder)
        file.write(folder)
        bridge, screen = _opened(sweep, file, ledger or _ledger(folder, file), start, out)
        signals = session.execute(bridge, screen, data)
    return _ended(sweep, file, bridge, data, signals, start.command)


def _resume(sweep: Sweep, start: Start, out: TextIO, beside: Executor) -> int:
    """A finished sweep is only reported, once all that the command names is known to be the sweep's own."""
    folder, settings = sweep.folder, sweep.settings
    file = SweepFile.read(folder)
    before = file.settings
    sweep.defaults = file.defaults
    if changed := sweep.changed(file):
        raise ConfigError(
            f"{folder}: this {file.kind} was started with other settings, which may not change:\n  "
            + "\n  ".join(changed)
            + f"\n{sweep.way_out}"
        )
    if settings.ledger != before.ledger:
        check_moved(file.id, before.ledger, settings.ledger)
    data = None if is_same(settings.data, before.data) else _load_same(sweep, file)
    ledger = _ledger(folder, replace(file, settings=settings))
    file = SweepFile.read(folder)  # of a bucket the newest, now that the ledger is held
    file.settings = settings
    for note in sweep.extend(file.queue, len(ledger.trials)):
        print(note)
    if limit := Limit.read(file.memory, len(file.classes), file.image_size):
        sweep.check_memory(limit)
    states = [trial.state for trial in ledger.trials if trial.state.is_finished()]
    if len(states) >= max(settings.trials, len(ledger.trials)) and file.results_of == len(states):
        file.write(folder)
        every = (
            "The only trial of this sweep has" if len(states) == 1 else f"All {len(states)} trials of this sweep have"
        )
        print(f"{every} ended; {sweep.adds_trials}.")
        print(with_addresses(sweep.summary()))
        return 0 if TrialState.COMPLETE in states else NO_TRIAL_COMPLETED
    check_address(start.address)
    _ = sweep.space  # refused before anything is read or written, where the command would have to name it
    data = data or _load_same(sweep, file)
    if not all((folder / name).exists() for name in sweep_data.KEPT):  # lost: it is the same data
        sweep_data.save(folder, data)
    check_here(folder)
    if (versions := current_versions()) != file.versions:
        print(f"Noted: other versions than before: {', '.join(version_differences(file.versions, versions))}.")
    file.started(start.command, folder)
    file.write(folder)
    bridge, screen = _opened(sweep, file, ledger, start, out)
    signals: list[int] = []
    if not bridge.finished:
        with _on_ray(folder, start, out, beside) as session:
            then = bridge.plan.limit
            if then and (now := session.limit(data)) and (less := now.less_than(then)):
                screen.said(f"{less}. What is drawn stays as it was begun, so a trial may run out of memory here.")
            signals = session.execute(bridge, screen, data)
    return _ended(sweep, file, bridge, data, signals, start.command)


def _load_same(sweep: Sweep, file: SweepFile) -> "Dataset":
    """Raises:
    DataError, ConfigError: the data cannot be loaded, or is not what the sweep was started on.
    """
    from analysis.sweep_data import load_same  # OpenCV, which a finished sweep need not wait for

    return load_same(sweep.folder, sweep.settings.data, file.settings.data, file.fingerprint, sweep.load)


def _opened(sweep: Sweep, file: SweepFile, ledger: Ledger, start: Start, out: TextIO) -> tuple["Bridge", "Screen"]:
    """The bridge, brought up to what workers had written, and the screen that it speaks to."""
    from search.bridge import Bridge, Plan
    from search.screen import Screen

    settings = file.settings
    limit = Limit.read(file.memory, len(file.classes), file.image_size)
    without = Fit(limit, sweep.corners()).without if limit else ()
    plan = Plan(
        trials=settings.trials,
        seed=settings.seed,
        metric=settings.metric,
        sampler=settings.sampler,
        queue=file.queue,
        sampler_version=file.defaults["sampler"],
        families=tuple(family for family in sweep.families if family not in without),
        limit=limit,
        attempts=start.attempts,
        max_failures=start.max_failures,
        deadline=None if start.budget_seconds is None else time.monotonic() + start.budget_seconds,
    )
    ended = [trial for trial in ledger.trials if trial.state.is_finished()]
    names = {number: shown_name(entry) for number, entry in file.queue.items()}
    screen = Screen(out, settings.trials, settings.metric, ended, names)
    for note in file.notes:
        screen.said(note)
    if ledger.torn_bytes:
        torn = counted(ledger.torn_bytes, "byte")
        screen.said(f"The ledger's last record was not written to its end ({torn}); it is cut off.")
    bridge = Bridge(sweep.folder.resolve(), ledger, sweep.space, plan, screen)
    bridge.recover()
    if ledger.trials:
        continue_theirs = (
            "continue from their checkpoints" if len(bridge.waiting) != 1 else "continues from its checkpoint"
        )
        screen.said(f"Goes on: {counted(len(ended), 'trial')} had ended, {len(bridge.waiting)} {continue_theirs}.")
    return bridge, screen


@contextmanager
def _on_ray(folder: Path, start: Start, out: TextIO, beside: Executor) -> Iterator[Session]:
    """A Ray session for the block."""
    from search.address import place
    from search.cluster import Room, nodes, worker_bytes, workers_there
    from search.connection import connected, prepare
    from search.process import chatter_to, interruptible

    at = place(start.address)
    prepare()
    import ray  # noqa: F401 (whole, before a second thread imports it: each could be given the half that the other has)

    log = folder / "log.txt"
    try:
        with chatter_to(log), ExitStack() as session:
            beside.submit(import_module, "search.executor")  # Ray Tune takes a second, and Ray starts meanwhile
            vigil = session.enter_context(connected(at, out))
            with interruptible():  # again, for Ray has set handlers of its own
                room = Room(workers_there(start.asked, at is None, out), is_local=at is None)
                if at is not None:
                    check_nodes(nodes(), folder)
                workers = room.workers
                shared = DRIVER_BYTES + (CUDA_BYTES if workers.gpus else 0)
                of_machine = machine_bytes() - shared if at is None else None
                worker = worker_bytes(nodes(), workers, of_machine)
                sharing = workers.concurrency if at is None and not workers.memory_bytes else 0
                run = partial(_execute, folder, room, vigil, beside)
                yield Session(run, worker, workers.gpus, at is None, sharing)
            gc.freeze()  # what Tune left refers to Ray's objects: collected while Ray ends, it would end this process
            beside.submit(session.pop_all().close)  # a second or two, which the results need not wait for
    finally:
        if (folder / "sweep.json").exists():
            with suppress(OSError):  # what ends the sweep here counts, not its log
                put(log, log)
        else:  # refused, which leaves nothing behind
            log.unlink(missing_ok=True)


def _execute(
    folder: Path,
    room: "Room",
    vigil: "Vigil",
    beside: Executor,
    bridge: "Bridge",
    screen: "Screen",
    data: "Dataset",
) -> list[int]:
    """Runs the bridge on Ray; returns the numbers of the signals that stopped it."""
    from search.executor import execute
    from search.process import stopping_on_signals

    counts = f"{len(data.train.ids):,} train and {counted(len(data.valid.ids), 'validation image')}"
    screen.said(f"{room.workers}; {counts}; sweep {folder}")
    with stopping_on_signals(bridge) as signals, screen:
        # What writes the results takes a second or two to import: on a processor that has no trial any more.
        on_idle = partial(beside.submit, import_module, "analysis.results")
        try:
            execute(bridge, data, room.workers.resources, room, on_idle=on_idle, is_local=room.is_local, vigil=vigil)
        except RayFailedError as error:  # the results are written all the same
            screen.said(str(error))
            bridge.stop(RAY_ENDED)
        finally:
            vigil.over.set()  # from here on nobody waits for Ray, and the results take the time that they take
    return signals


def _ended(sweep: Sweep, file: SweepFile, bridge: "Bridge", data: "Dataset", signals: list[int], command: str) -> int:
    """Writes the results, also of a sweep that was stopped; returns the exit code."""
    file.starts[-1]["stopped"] = signal.Signals(signals[0]).name if signals else bridge.stopping or "finished"
    file.write(sweep.folder)  # the report shows it
    sweep.write_results(data)
    file.results_of = sum(trial.state.is_finished() for trial in bridge.ledger.trials)
    file.write(sweep.folder)
    print(with_addresses(sweep.summary()))
    return _exit_code(bridge, signals, command)


def _exit_code(bridge: "Bridge", signals: list[int], command: str) -> int:
    again = f"Run the same command again to go on: {command}"
    if signals:
        print(f"Stopped by {signal.Signals(signals[0]).name}; everything is saved. {again}")
        return 128 + signals[0]
    states = [trial.state for trial in bridge.ledger.trials if trial.state.is_finished()]
    is_whole = len(states) >= max(bridge.plan.trials, len(bridge.ledger.trials))
    if bridge.stopping == "time budget" and not is_whole and not bridge.has_gained:
        print(f"The time budget is reached, and no trial had made a report: nothing was gained, give it more. {again}")
        return BUDGET_REACHED
    if bridge.stopping == "time budget" and not is_whole:
        print(f"The time budget is reached; everything is saved. {again}")
        return BUDGET_REACHED
    if bridge.stopping == RAY_ENDED and not is_whole:
        print(f"Ray has ended; everything is saved. {again}", file=sys.stderr)
        return RAY_FAILS
    if bridge.stopping not in ("", "time budget", RAY_ENDED):
        print(f"Stopped: {bridge.stopping}. Mend the cause, then run the same command again.", file=sys.stderr)
        return NO_TRIAL_COMPLETED
    return 0 if TrialState.COMPLETE in states else NO_TRIAL_COMPLETED


def _bounded(sweep: Sweep, limit: Limit, queue: Queue) -> tuple[Queue, list[str]]:
    """Returns the queue without what memory is too small for, and a sentence for each thing that is left out.

    Raises:
      ConfigError: nothing of the space fits, or one of the user's own configs does not.
    """
    if sweep.space is None:  # a repeat or a refit, of configs that were trained before
        large = {config.arch: why for config in sweep.corners() if (why := limit.why_too_large(config))}
        return queue, [f"{arch} needs {why}: it may run out of memory." for arch, why in large.items()]
    sweep.check_memory(limit)
    notes = Fit(limit, sweep.corners()).notes()
    fitting = []
    for entry in queue.values():
        if entry["baseline"] and (why := why_too_large(sweep.space, limit, entry["params"])):
            notes.append(f"The config {entry['baseline']} is left out: it needs {why}.")
        else:
            fitting.append(entry)
    return dict(enumerate(fitting)), notes


def _ledger(folder: Path, file: SweepFile) -> Ledger:
    settings = file.settings
    return Ledger(
        folder, file.id, settings.metric, new_pruner(settings.pruner, file.defaults["pruner"]), settings.ledger
    )
