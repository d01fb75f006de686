"""Kills a sweep at each of its crash points, and goes on with it: is anything lost, trained twice, or other?

A crash point stands before, in and after every durable write (`storage/files.py`,
`storage/postgres.py`). The driver is a forked process with real files and a fake
executor; it kills itself with SIGKILL at the k-th point, a write that it is in torn
first, and a second one finishes the sweep. Used by `tests/whole/test_kill_points.py` with some
of the points and by `make reliability` with all.
"""

import csv
import errno
import hashlib
import os
import shutil
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import optuna
import torch

from sweep.analysis.outputs.best import write_best
from sweep.analysis.outputs.predict import write_predictions
from sweep.analysis.outputs.predictor import best
from sweep.analysis.outputs.tables import write_tables
from sweep.analysis.record import Record
from sweep.analysis.trial_record import TrialRecord
from sweep.datasets.folds import folded
from sweep.datasets.pixels.dataset import Dataset, Split
from sweep.search.runtime.draws import trial_seed
from sweep.search.runtime.trial_files import read_result
from sweep.storage import files, paths
from sweep.storage.errors import SweepError
from sweep.storage.paths import attempt_folder
from sweep.storage.states import Reason
from sweep.storage.sweep_file import QueueEntry
from sweep.trainable.checkpoint import read_finished
from sweep.trainable.loop import Diverged
from tests.trials import WorkerDied, execute, fake_train, in_memory, open_bridge, space_with_a_gap

DATA = in_memory(train=9, valid=9)
REPORT_EPOCHS = 8  # of a trial of 12, from its second rung to its end: what one report holds at most
NO_SPACE = "No space left on device"
SEED = 7  # of the sweeps
TEST = Split(tuple(f"test{number}.png" for number in range(9)), DATA.valid.images, None)


@dataclass(frozen=True)
class Schedule:
    """A sweep to be killed.

    Attributes:
      totals: `--trials` of one start after the other.
      faults: what befalls a trial in its second epoch, with folds in that of its second net, by its number, and how
        often.
      ledger: URL of a database; empty for a journal.
      data: that it is run on.
    """

    name: str
    totals: tuple[int, ...]
    faults: dict[int, tuple[BaseException, int]] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    ledger: str = ""
    data: Dataset = DATA


FAULTS = {
    1: (WorkerDied(), 1),
    2: (WorkerDied(), 99),
    3: (MemoryError("host"), 1),
    4: (MemoryError("host"), 99),
    5: (RuntimeError("no such kernel"), 99),
    6: (torch.OutOfMemoryError("GPU"), 99),
    7: (Diverged("epoch 2"), 99),
}
FOLDED = folded(DATA, 3, SEED)
REFIT = {  # what is whole in the queue, by `last`
    "metric": "last",
    "pruner": "none",
    "queue": {
        number: QueueEntry(
            {}, "", {"arch": "mlp", "width": 0.1, "lr": 0.1, "epochs": 3, "batch_size": 8, "seed": seed}, 0
        )
        for number, seed in enumerate(map(partial(trial_seed, SEED), range(2)))
    },
}
PAUSING = {"pruner_number": 3}
PUBLISHED = {0: QueueEntry({"lr": 0.01, "epochs": 6, "batch_size": 8}, "published")}


def _schedules() -> tuple[Schedule, ...]:
    """Each small, for a sweep is run anew for each of its points; together they have every kind of end and fault."""
    failing = {"max_failures": 99, "pruner": "none"}
    lost_and_memory = {number: fault for number, fault in FAULTS.items() if number < 5}
    errors = {number - 4: fault for number, fault in FAULTS.items() if number >= 5}
    in_folds = {1: (WorkerDied(), 1), 2: (Diverged("epoch 2"), 99), 3: (WorkerDied(), 99)}
    median = {"sampler": "random", "pruner": "median", "queue": PUBLISHED}
    return (
        Schedule("pruned", (6,)),
        Schedule("paused", (6,), plan=PAUSING),
        Schedule(
            "paused and lost", (4, 7), {1: (WorkerDied(), 1), 3: (WorkerDied(), 1)}, PAUSING | {"queue": PUBLISHED}
        ),
        Schedule("lost and out of memory", (5,), lost_and_memory, failing),
        Schedule("errors", (4,), errors, failing),
        Schedule("extended", (2, 4), {1: (WorkerDied(), 2)}, median),
        Schedule("outside the space", (6,), plan={"function": space_with_a_gap, "pruner": "median"}),
        Schedule("by loss", (4,), {2: (Diverged("epoch 2"), 99)}, {"metric": "log_loss", "sampler": "gp"}),
        Schedule(
            "with notes", (9,), {2: (Diverged("epoch 2"), 99)}, PAUSING | {"sampler": "cmaes", "max_failures": 99}
        ),
        Schedule("in folds", (5,), in_folds, PAUSING | {"folds": FOLDED.folds, "max_failures": 99}, data=FOLDED),
        Schedule("a refit in folds", (2,), {1: (WorkerDied(), 1)}, REFIT | {"folds": FOLDED.folds}, data=FOLDED),
    )


SCHEDULES = _schedules()
IN_FOLDS = next(schedule for schedule in SCHEDULES if schedule.name == "in folds")
IN_DATABASE = Schedule("in a database", (5,), {1: (WorkerDied(), 1), 3: (RuntimeError("no such kernel"), 99)}, PAUSING)


@dataclass
class Tally:
    """What became of the killed sweeps.

    Attributes:
      steps: killed at, by step (before, in, after).
      lost: trials that were in the ledger, or ended, and were not any more.
      twice: trials that had ended, or whose result, or the net of a fold, was on the disk, and that were trained again.
      differing: sweeps whose leaderboard, predictions or kept files are not those of the undisturbed one.
      repeated_epochs: trained by the killed driver and again.
    """

    points: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    twice: int = 0
    differing: int = 0
    repeated_epochs: int = 0
    epochs: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def kill_everywhere(
    schedule: Schedule, base: Path, every: int = 1, full_disk: bool = False, processes: int = 2
) -> Tally:
    """Kills the sweep at every `every`-th of its crash points, or lets the disk be full there."""
    started = time.monotonic()
    base.mkdir(exist_ok=True)
    tally = Tally()
    # The drivers are forked off processes of one thread: a fork of this one, with the threads that Ray, Arrow and
    # torch have left in it, may crash.
    clean = get_context("forkserver")
    clean.set_forkserver_preload([__name__])
    prepare = partial(_prepare, schedule.ledger, os.environ.get("PGPASSWORD", ""))
    with ProcessPoolExecutor(processes, mp_context=clean, initializer=prepare) as pool:
        wanted, points = pool.submit(_undisturbed, schedule, base, full_disk).result()
        tasks = [
            pool.submit(_kill_at, schedule, base / f"{schedule.name}-{k}", k, wanted, full_disk)
            for k in range(1, points + 1, every)
        ]
        for task in tasks:
            step, lost, twice, differs, repeated, epochs, problem = task.result()
            tally.points += 1
            tally.steps[step] += 1
            tally.lost += lost
            tally.twice += twice
            tally.differing += differs
            tally.repeated_epochs += repeated
            tally.epochs += epochs
            tally.problems += [f"{schedule.name}, {problem}"] if problem else []
    tally.seconds = time.monotonic() - started
    return tally


def _prepare(ledger: str, password: str) -> None:
    torch.set_num_threads(1)
    if ledger:  # imported and its statements compiled once, not by each of the forked drivers
        os.environ["PGPASSWORD"] = password
        from sweep.storage.postgres import open_storage

        storage = open_storage(ledger, lock=f"warm-{os.getpid()}")
        optuna.load_study(study_name=optuna.create_study(storage=storage).study_name, storage=storage).get_trials()
        storage.engine.dispose()


def _undisturbed(schedule: Schedule, base: Path, full_disk: bool) -> tuple[str, int]:
    """The outcome of the sweep that nothing befalls, and the number of its crash points."""
    folder = base / f"{schedule.name}-undisturbed"
    code = _in_child(partial(_drive, schedule, folder, None, full_disk))
    assert code == 0, f"ended with {code}: {_problem(folder)}"
    return (folder / "outcome").read_text(), int((folder / "points").read_text())


def _kill_at(
    schedule: Schedule, folder: Path, k: int, wanted: str, full_disk: bool
) -> tuple[str, int, int, bool, int, int, str]:
    ended_by = _in_child(partial(_drive, schedule, folder, k, full_disk))
    step = (folder / "step").read_text() if (folder / "step").exists() else "?"
    if full_disk:  # it may have gone on: what it wrote was in nobody's way
        said = _problem(folder) if ended_by else NO_SPACE
        problem = "" if NO_SPACE in said else f"point {k}: {said}"
    else:
        problem = "" if ended_by == -signal.SIGKILL else f"point {k} was not reached ({ended_by})"
    before, ended = _trained(folder), _ended(folder)
    with_result, finished = _with_result(folder), _finished(folder)
    second = partial(_drive, schedule, folder, None, full_disk)
    if schedule.ledger:  # its connections end with the process
        if _in_child(second) != 0:
            problem = f"point {k} ({step}): {_problem(folder)}"
    else:
        try:
            second()
        except Exception:
            problem = f"point {k} ({step}): {traceback.format_exc()}"
    after = _trained(folder)[len(before) :]
    twice = {number for number, _ in after} & (ended.keys() | with_result) | {
        number for number, _ in {*after} & finished
    }
    repeated = sum((Counter(before) & Counter(after)).values())
    now = _ended(folder)
    lost = sum(now.get(number) != state for number, state in ended.items())
    differs = not problem and (folder / "outcome").read_text() != wanted
    if repeated > REPORT_EPOCHS:
        problem = problem or f"point {k} ({step}): {repeated} epochs repeated"
    if (twice or lost or differs) and not problem:
        problem = f"point {k} ({step}): twice {sorted(twice)}, lost {lost}, differs {differs}"
    if not problem:
        shutil.rmtree(folder)
    return step, lost, len(twice), differs, repeated, len(before) + len(after), problem


def _drive(schedule: Schedule, folder: Path, kill_at: int | None, full_disk: bool) -> None:
    """A driver from its start to its results; ended at a crash point, or the number of points written down."""
    folder.mkdir(exist_ok=True)
    count = 0

    def crash_point(step: str, path: Path, data: bytes = b"") -> None:
        nonlocal count
        count += 1
        if count == kill_at:
            if step == "in":
                _tear(path, data)
            (folder / "step").write_text(step)
            if full_disk:
                raise OSError(errno.ENOSPC, NO_SPACE, str(path))
            os.kill(os.getpid(), signal.SIGKILL)

    files.crash_point = crash_point
    sweep = folder / "sweep"
    for total in schedule.totals:
        if (folder / "done").exists() and int((folder / "done").read_text()) > total:
            continue  # the user has gone on to a larger total
        (folder / "done").write_text(str(total))
        plan = {"ledger": schedule.ledger, "id": _id(folder)} | schedule.plan
        driver, _ = open_bridge(sweep, total, **plan)
        if not (sweep / paths.VALID_LABELS).exists():
            files.save_array(sweep / paths.VALID_LABELS, schedule.data.valid.truth)
        execute(driver, schedule.data, train=partial(_train, schedule, folder))
        record = Record(sweep)
        write_tables(record)
        if record.metric.is_measured and write_best(record) is not None:
            write_predictions(best(sweep), TEST, None, sweep / "predictions.csv")
    (folder / "outcome").write_text(_outcome(sweep))
    (folder / "points").write_text(str(count))


def _tear(path: Path, data: bytes) -> None:
    """The write as far as a kill amid it would leave it: half."""
    if data:
        with open(path, "ab") as file:
            file.write(data[: len(data) // 2])
    elif path.is_file():
        os.truncate(path, path.stat().st_size // 2)


def _train(schedule: Schedule, folder: Path, config: Any, data: Any, state: Any) -> Iterator[Any]:
    """Writes down each epoch that is trained, outside the sweep, and lets the schedule's faults happen."""
    number = next(number for number in range(100) if trial_seed(SEED, number) == config.seed)
    fault, times = schedule.faults.get(number, (None, 0))
    happened = folder / f"fault-{number}"
    for metrics in fake_train(config, data, state):
        with open(folder / "trained", "a") as file:
            file.write(f"{number} {metrics.epoch + config.epochs * ((state.fold or 1) - 1)}\n")
        count = len(happened.read_text()) if happened.exists() else 0
        if fault is not None and (metrics.epoch, state.fold or 2) == (2, 2) and count < times:
            happened.write_text("x" * (count + 1))
            raise fault
        yield metrics


def _trained(folder: Path) -> list[tuple[int, int]]:
    path = folder / "trained"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(int(number), int(epoch)) for number, epoch in map(str.split, lines)]


def _trials(folder: Path) -> list[TrialRecord]:
    if not (folder / "sweep" / "sweep.json").exists():
        return []
    try:
        return Record(folder / "sweep").trials
    except SweepError:  # no ledger yet
        return []


def _ended(folder: Path) -> dict[int, str]:
    """The state of each trial that a reader sees as ended."""
    return {trial.number: trial.state for trial in _trials(folder) if trial.state != "RUNNING"}


def _with_result(folder: Path) -> set[int]:
    """The trials whose newest attempt wrote a result that ends them, told or not."""
    found = set()
    for trial in _trials(folder):
        report = read_result(attempt_folder(trial.folder, trial.attempts) / "result.json", trial.attempts)
        if report is not None and (report.failure is None or report.failure.reason != Reason.HOST_MEMORY):
            found.add(trial.number)
    return found


def _finished(folder: Path) -> set[tuple[int, int]]:
    """The epochs, by trial and number, of the folds whose nets are whole on the disk."""
    return {
        (trial.number, epoch)
        for trial in _trials(folder)
        for fold, net in read_finished(trial.folder, trial.attempts).items()
        for epoch in range(1 + (fold - 1) * len(net.history), 1 + fold * len(net.history))
    }


def _outcome(sweep: Path) -> str:
    """The leaderboard without attempts and seconds, the predictions, and every file that is kept of a trial."""
    header, *rows = csv.reader((sweep / "trials.csv").read_text().splitlines())
    counted = [column for column, name in enumerate(header) if name not in ("attempts", "seconds")]
    lines = [",".join(row[column] for column in counted) for row in (header, *rows)]
    lines += [path.read_text() for path in (sweep / "predictions.csv",) if path.exists()]
    for path in sorted(sweep.rglob("*")):
        if path.name == "history.json":
            lines += [f"{path.parent.name} {epoch | {'seconds': 0}}" for epoch in files.read_json(path)]
        elif path.suffix in (".npy", ".safetensors"):
            lines.append(f"{path.relative_to(sweep)} {hashlib.sha256(path.read_bytes()).hexdigest()}")
        elif path.suffix != ".partial":
            lines.append(str(path.relative_to(sweep)))
    return "\n".join(lines)


def _id(folder: Path) -> str:
    """Of a sweep, for a database holds many."""
    return hashlib.sha256(str(folder).encode()).hexdigest()[:32]


def _problem(folder: Path) -> str:
    """What ended a driver, as it says itself."""
    path = folder / "problem"
    return path.read_text() if path.exists() else "it said nothing"


def _in_child(work: Callable[[], None]) -> int:
    """The exit code of a forked process that does the work, negative for a signal; no buffer is flushed at its end."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        folder = work.args[1]  # type: ignore[attr-defined]
        (folder / "problem").write_text(traceback.format_exc())
    finally:
        os._exit(code)
