"""One start of a sweep: begins or continues it, runs the missing trials, and writes the results."""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from optuna.trial import TrialState

from sweep.search.pruners import new_pruner
from sweep.search.ray.address import check as check_address
from sweep.search.ray.readiness import check_here
from sweep.search.runtime import data as sweep_data
from sweep.search.runtime.ending import finish
from sweep.search.runtime.ledger import Ledger
from sweep.search.runtime.memory import (
    MemoryLimit,
    check_nets,
    why_too_large,
)
from sweep.search.runtime.pace import MOST_SECONDS, PaceLimit
from sweep.search.runtime.process import screen
from sweep.search.runtime.queue import Queue, shown_name
from sweep.search.runtime.settings import check_moved, read_sweep
from sweep.search.runtime.start import Open, Session, Start
from sweep.search.runtime.sweep_kinds import RequestedSweep
from sweep.search.sinks import Begun, opened
from sweep.search.spaces.proposal import has_gpu_here
from sweep.storage import paths, user_code
from sweep.storage.command_line import Exit
from sweep.storage.store import is_copy
from sweep.storage.sweep_file import NO_RESULTS, Settings, SweepFile
from sweep.storage.text import counted
from sweep.storage.versions import current_versions, version_differences
from sweep.trainable.config import ConfigError
from sweep.trainable.weights import licences, remember
from sweep.trainable.weights.prepare import entries, prepare, recorded

if TYPE_CHECKING:
    from sweep.datasets.pixels.dataset import Dataset
    from sweep.search.runtime.bridge import Bridge

ENDING_SECONDS = 30.0  # how long the end of Ray's session is waited for


def run(sweep: RequestedSweep, start: Start, open_session: Open | None = None) -> int:
    """Begins the sweep in its folder, which must be locked, or continues it; returns the exit code.

    Args:
      open_session: opens the session in which trials run; Ray's by default.

    Raises:
      ConfigError, DataError: with everything that the user has to mend.
    """
    # `out` stays the screen while the output of Ray is redirected to the log.
    with screen() as out, _background_thread() as background:
        if is_copy(sweep.folder):
            _check_bucket(sweep)
        begin_or_resume = _resume if paths.is_sweep(sweep.folder) else _begin
        return begin_or_resume(sweep, start, out, background, open_session or _ray)


def _ray(folder: Path, start: Start, out: TextIO, background: Executor) -> AbstractContextManager[Session]:
    from sweep.search.ray.session import on_ray  # imported under the lock, because it takes a second

    return on_ray(folder, start, out, background)


@contextmanager
def _background_thread() -> Iterator[Executor]:
    """Yields an executor with one thread, for work in the background.

    At the end the thread is waited for, but at most `ENDING_SECONDS`, because Ray's end can hang.
    """
    executor = ThreadPoolExecutor(1)
    try:
        yield executor
    finally:
        wait([executor.submit(int)], ENDING_SECONDS)
        executor.shutdown(wait=False)


def _check_bucket(sweep: RequestedSweep) -> None:
    """Checks that a sweep in a bucket can be stored there.

    Raises:
      ConfigError: the sweep needs something that a bucket does not offer.
    """
    place = f"--sweep {sweep.folder}"
    if not sweep.settings.ledger:
        raise ConfigError(
            f"{place}: a bucket needs --ledger postgresql://[USER@]HOST[:PORT]/DATABASE; "
            "its journal would be appended to, and no bucket can do that"
        )
    if sweep.settings.data == str(paths.own_images(sweep.folder)):
        raise ConfigError(f"{place}: demo images are generated into a folder; give --data, or a folder as --sweep")


def _begin(sweep: RequestedSweep, start: Start, out: TextIO, background: Executor, open_session: Open) -> int:
    """Begins a new sweep; everything is checked before anything is written."""
    folder = sweep.folder
    check_address(start.address)  # before the images are read, which may take minutes
    settle_notes = sweep.settle(has_gpu_here(start.address, start.gpus_per_trial))
    _ = sweep.table
    sweep.check_configs()
    weights = prepare(sweep.nets, print, sweep.weights)  # before the images are read, too
    data = sweep.first_load()
    sweep_data.check_metric(data, sweep.settings.metric)
    sweep.settle_by_data(data)
    table = sweep.table
    sweep.check_configs()
    queue, notes = sweep.first_queue(data)
    notes = settle_notes + notes
    check_here(folder)
    nets = background.submit(check_nets, sweep.corners(), data)  # runs while Ray starts
    with open_session(folder, start, out, background) as session:
        nets.result()
        limit = session.limit(data)
        if limit:
            notes += limit.may_lack(sweep.corners())
        if limit and limit.matters(sweep.corners()):
            queue, left_out = _limit_queue(sweep, limit, queue)
            notes += left_out
        else:
            limit = None
        pace = _pace(sweep, session, data)
        notes += pace.notes(sweep.corners()) if pace else []
        if pace and not pace.leaves_something(sweep.corners()):  # every net is too slow: draw them all the same
            pace = None
        file = SweepFile(
            settings=sweep.settings,
            table=table,
            fingerprint=data.fingerprint,
            classes=list(data.classes),
            image_size=list(data.image_size),
            queue=queue,
            notes=[
                *data.notes,
                *sweep_data.imbalance_notes(data, sweep.settings.metric, sweep.imbalance is not None),
                *notes,
                *licences.notes(weights),
            ],
            id=uuid.uuid4().hex,
            kind=sweep.kind,
            own=sweep.own,
            parent=sweep.parent,
            defaults=sweep.defaults,
            pixels=data.form,
            memory=limit.memory if limit and sweep.space else None,
            pace=pace.pace if pace else None,
            weights=entries(weights) or None,
            imbalance=sweep.imbalance,
        )
        ledger = _ledger(folder, file) if file.settings.ledger else None  # before any file: the database may refuse
        sweep_data.save(folder, data, sweep.settings.metric)
        sweep.settings.data_options = sweep_data.keep_sample(folder, sweep.settings.data_options)
        file.started(start.command, folder)
        file.write(folder)
        bridge = _open_bridge(sweep, file, ledger or _ledger(folder, file), start, out)
        signals = session.execute(bridge, data)
    return finish(sweep, file, bridge, data, signals, start.command)


def _resume(sweep: RequestedSweep, start: Start, out: TextIO, background: Executor, open_session: Open) -> int:
    """Continues a sweep, after checking that the command describes the same one; a finished sweep is only reported."""
    folder, settings = sweep.folder, sweep.settings
    file = read_sweep(folder)
    stored_settings = file.settings
    sweep.defaults, sweep.pixels, sweep.weights = file.defaults, file.pixels, file.weights or {}
    sweep.imbalance = file.imbalance
    remember(recorded(sweep.weights))  # the space draws from the weights with which the sweep began
    if changes := sweep.changed(file):
        raise ConfigError(
            f"{folder}: this {file.kind} was started with other settings, which may not change:\n  "
            + "\n  ".join(changes)
            + f"\n{sweep.way_out}"
        )
    if settings.ledger != stored_settings.ledger:
        check_moved(file.id, stored_settings.ledger, settings.ledger)
    is_other_form = _form_of(settings) != _form_of(stored_settings)
    data = None if paths.is_same(settings.data, stored_settings.data) and not is_other_form else _load_same(sweep, file)
    ledger = _ledger(folder, replace(file, settings=settings))
    file = read_sweep(folder)  # again, because holding the ledger fetches the newest file from a bucket
    file.settings = settings
    if is_other_form:
        settings.data_options = sweep_data.keep_sample(folder, settings.data_options)
        file.results_of = NO_RESULTS
    for note in sweep.extend(file.queue, len(ledger.trials)):
        print(note)
    if limit := MemoryLimit.read(file.memory, len(file.classes), file.image_size):
        sweep.check_memory(limit)
    states = [trial.state for trial in ledger.trials if trial.state.is_finished()]
    trials_wanted = settings.trials_wanted(len(ledger.trials), ledger.epochs)
    if len(states) >= trials_wanted and file.results_of == len(states):
        file.write(folder)
        subject = (
            "The only trial of this sweep has" if len(states) == 1 else f"All {len(states)} trials of this sweep have"
        )
        print(f"{subject} ended; {sweep.adds_trials}.")
        print(sweep.summary())
        return 0 if TrialState.COMPLETE in states else Exit.NO_TRIAL_COMPLETED
    check_address(start.address)
    _ = sweep.space  # raises, before anything is read or written, if the command must name the user's space
    for reference in file.own:
        user_code.get(reference)  # raises likewise
    weights = prepare(sweep.nets, print, sweep.weights)
    file.weights = entries(weights) or None
    data = data or _load_same(sweep, file)
    if not sweep_data.is_kept(folder, settings):  # files were lost, and can be written again from the same data
        sweep_data.save(folder, data, settings.metric)
    else:
        sweep_data.keep_form(folder, data, settings.metric, is_other_form)
    check_here(folder)
    if (versions := current_versions()) != file.versions:
        print(f"Noted: other versions than before: {', '.join(version_differences(file.versions, versions))}.")
    file.started(start.command, folder)
    file.write(folder)
    bridge = _open_bridge(sweep, file, ledger, start, out)
    signals: list[int] = []
    if not bridge.finished:
        with open_session(folder, start, out, background) as session:
            earlier_limit = bridge.plan.limit
            if earlier_limit and (limit_now := session.limit(data)) and (warning := limit_now.less_than(earlier_limit)):
                bridge.watcher.announced(
                    f"{warning}. What is drawn stays as it was begun, so a trial may run out of memory here."
                )
            signals = session.execute(bridge, data)
    return finish(sweep, file, bridge, data, signals, start.command)


def _form_of(settings: Settings) -> tuple[str | None, str | None]:
    """Returns the options that say in which form predictions are handed in."""
    return settings.data_options.submission, settings.data_options.positive_class


def _load_same(sweep: RequestedSweep, file: SweepFile) -> "Dataset":
    """Returns the data on which the sweep was started.

    Raises:
      DataError, ConfigError: the data cannot be loaded, or is not the data on which the sweep was started.
    """
    from sweep.analysis.sweep_data import load_same  # imports OpenCV, which a finished sweep does not need

    return load_same(sweep.folder, sweep.settings.data, file.settings.data, file.fingerprint, sweep.load)


def _open_bridge(sweep: RequestedSweep, file: SweepFile, ledger: Ledger, start: Start, out: TextIO) -> "Bridge":
    """Makes the plan, opens the sinks and returns the bridge, whose ledger then has all that workers wrote before.

    Raises:
      DamagedError: the ledger contradicts the files of the trials.
    """
    from sweep.analysis.estimates.ensembles import ensembles
    from sweep.search.runtime.bridge import Bridge
    from sweep.search.runtime.draws import Plan

    settings = file.settings
    limit = MemoryLimit.read(file.memory, len(file.classes), file.image_size)
    height, width = file.image_size
    pace = PaceLimit(**vars(file.pace), classes=len(file.classes), image_size=(height, width)) if file.pace else None
    unfit = {*(limit.too_large(sweep.corners()) if limit else ()), *(pace.too_slow(sweep.corners()) if pace else ())}
    families = tuple(family for family in sweep.families if family not in unfit)
    plan = Plan(
        trials=settings.trials,
        seed=settings.seed,
        metric=settings.metric,
        sampler=settings.sampler,
        queue=file.queue,
        sampler_version=file.defaults.sampler,
        families=families,
        turns=sweep.turns(families),
        limit=limit,
        pace=pace,
        attempts=start.attempts,
        max_failures=start.max_failures,
        folds=settings.folds,
        budget_epochs=settings.budget_epochs,
        kept_of_kind=ensembles(file.defaults.ensemble).of_kind,
        deadline=None if start.budget_seconds is None else time.monotonic() + start.budget_seconds,
    )
    ended_trials = [trial for trial in ledger.trials if trial.state.is_finished()]
    names = {number: shown_name(entry) for number, entry in file.queue.items()}
    beginning = Begun(
        folder=sweep.folder,
        trials=settings.trials,
        metric=settings.metric,
        ended=ended_trials,
        names=names,
        out=out,
        folds=settings.folds,
        cheap=plan.turns.cheap if plan.turns else 0,
        paused=ledger.paused,
        budget_epochs=settings.budget_epochs,
        epochs={trial.number: ledger.epochs_of(trial.number) for trial in ledger.trials},
    )
    watcher = opened(start.sinks, beginning)
    for note in file.notes:
        watcher.announced(note)
    if ledger.torn_bytes:
        size = counted(ledger.torn_bytes, "byte")
        watcher.announced(f"The ledger's last record was not written to its end ({size}); it is cut off.")
    bridge = Bridge(sweep.folder.resolve(), ledger, sweep.space, plan, watcher)
    bridge.recover()
    if ledger.trials:
        continue_theirs = (
            "continue from their checkpoints" if len(bridge.waiting) != 1 else "continues from its checkpoint"
        )
        and_paused = f", {len(bridge.ledger.paused)} paused" if bridge.ledger.paused else ""
        had_ended = f"{counted(len(ended_trials), 'trial')} had ended"
        watcher.announced(f"Goes on: {had_ended}, {len(bridge.waiting)} {continue_theirs}{and_paused}.")
    return bridge


def _pace(sweep: RequestedSweep, session: Session, data: "Dataset") -> PaceLimit | None:
    """Returns the time that a drawn trial may take; None if trials have a GPU, or if no drawn trial can take long."""
    if session.gpus or sweep.turns(()) is None:
        return None
    images = len(data.train.ids) if data.folds is None else int((data.folds > 0).sum())  # those of the first fold's net
    return PaceLimit(MOST_SECONDS, images, len(data.classes), data.image_size)


def _limit_queue(sweep: RequestedSweep, limit: MemoryLimit, queue: Queue) -> tuple[Queue, list[str]]:
    """Returns the queue without configs that need too much memory, and a sentence on each thing that is left out.

    Raises:
      ConfigError: nothing of the space fits, or one of the user's own configs does not.
    """
    if sweep.space is None:  # a repeat or a refit, whose configs were trained before
        large = {config.arch: why for config in sweep.corners() if (why := limit.why_too_large(config))}
        return queue, [f"{arch} needs {why}: it may run out of memory." for arch, why in large.items()]
    sweep.check_memory(limit)
    notes = limit.notes(sweep.corners())
    fitting_entries = []
    for entry in queue.values():
        may_lack = entry.baseline or entry.like
        if may_lack and (why := why_too_large(sweep.space, limit, entry.params)):
            notes.append(f"The config {shown_name(entry)} is left out: it needs {why}.")
        else:
            fitting_entries.append(entry)
    return dict(enumerate(fitting_entries)), notes


def _ledger(folder: Path, file: SweepFile) -> Ledger:
    settings = file.settings
    pruner = new_pruner(settings.pruner, file.defaults.pruner, settings.folds)
    return Ledger(folder, file.id, settings.metric, pruner, settings.ledger)
