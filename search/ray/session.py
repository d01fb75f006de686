"""Opens a Ray session for the trials of one start: its workers, their memory, and how it runs a bridge's orders."""

import gc
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from sweep.search.ray import ray_2_60
from sweep.search.ray.address import RayFailedError, place
from sweep.search.ray.cluster import Room, nodes, worker_bytes, workers_there
from sweep.search.ray.connection import connected, prepare
from sweep.search.ray.readiness import check_nodes
from sweep.search.runtime.memory import CUDA_BYTES, DRIVER_BYTES, machine_bytes
from sweep.search.runtime.process import chatter_to, interruptible, stopping_on_signals
from sweep.search.runtime.start import Session, Start
from sweep.search.samplers import optuna_5_0
from sweep.storage import paths
from sweep.storage.programs import PACKAGE
from sweep.storage.states import Stop
from sweep.storage.store import store_of
from sweep.storage.text import counted

if TYPE_CHECKING:
    from sweep.datasets.pixels.dataset import Dataset
    from sweep.search.ray.admission import Admission
    from sweep.search.ray.vigil import Vigil
    from sweep.search.runtime.bridge import Bridge

REPORT_SECONDS = 60.0  # for the report of a sweep whose driver cannot make it


@dataclass(frozen=True, kw_only=True)
class RaySession(Session):
    """Ray's workers on this machine or a cluster.

    Attributes:
      beside: an executor with one thread, which imports modules while trials run.
    """

    folder: Path
    room: Room
    vigil: "Vigil"
    beside: Executor

    def execute(self, bridge: "Bridge", data: "Dataset") -> list[int]:
        """Runs what the bridge orders on Ray's workers.

        If Ray ends, the bridge is stopped with RAY_ENDED and this returns as usual, so that the results are written.

        Returns:
          The number of the first signal that came, in a list; an empty list if none came.
        """
        from sweep.search.ray.executor import execute  # Ray Tune: imported beside the start of Ray

        counts = f"{len(data.train.ids):,} train and {counted(len(data.valid.ids), 'validation image')}"
        if data.folds is not None:
            counts = f"{counted(len(data.folds), 'image')} in {len(set(data.folds.tolist()))} folds"
        bridge.watcher.announced(f"{self.room.workers}; {counts}; sweep {self.folder}")
        with stopping_on_signals(bridge) as signals, bridge.watcher.open():
            # The modules that write the results take a second or two to import, which is done once a CPU is free.
            on_idle = partial(self.beside.submit, import_module, "sweep.analysis.outputs.results")
            resources, vigil = self.room.workers.resources, self.vigil
            vigil.report_instead = partial(_report_in_subprocess, self.folder)
            try:
                execute(
                    bridge,
                    data,
                    resources,
                    self.room,
                    on_idle=on_idle,
                    is_local=self.is_local,
                    vigil=vigil,
                    admission=self.room.admission,
                )
            except RayFailedError as error:  # the results are written all the same
                bridge.watcher.announced(str(error))
                bridge.stop(Stop.RAY_ENDED)
            finally:
                vigil.over.set()  # nobody waits for Ray from here on, and the results may take any time
        return signals


def _report_in_subprocess(sweep: Path) -> None:
    """Makes the report in a process of its own, because this one's main thread waits for a Ray that has gone."""
    command = [sys.executable, "-m", "sweep.analysis.report", f"{sweep.resolve()}"]
    with suppress(subprocess.TimeoutExpired, OSError):
        subprocess.run(command, cwd=PACKAGE.parent, timeout=REPORT_SECONDS, check=False)


def _note_versions(log: Path) -> None:
    """Notes in the sweep's log if Ray or Optuna has another version than the one whose private parts are known."""
    for name, module in {"ray": ray_2_60, "optuna": optuna_5_0}.items():
        if not module.is_used():
            words = f"{name} is {version(name)}, and not {module.VERSION}: its public ways are used alone"
            with open(log, "a", encoding="utf-8") as notes:
                print(words, file=notes)


def _admission(folder: Path) -> "Admission":
    """Returns the admission of nodes, which begins with the nodes that are alive; all of them must pass the checks.

    Raises:
      ConfigError: one of these nodes cannot run trials.
    """
    from sweep.search.ray.admission import Admission  # Ray Tune

    alive_nodes = nodes()
    check_nodes(alive_nodes, folder)
    return Admission(folder, [node.id for node in alive_nodes])


@contextmanager
def on_ray(folder: Path, start: Start, out: TextIO, beside: Executor) -> Iterator[Session]:
    """Opens a Ray session for the block, for the sweep in `folder`.

    Args:
      out: the screen.
      beside: an executor with one thread, for work beside the main thread.

    Raises:
      ConfigError: no cluster answers, or a node of it or this machine cannot run a trial.
      RayFailedError: Ray does not start here.
    """
    address = place(start.address)
    is_local = address is None
    prepare()
    import ray  # noqa: F401 (here, before a second thread imports it: each could see a half-imported Ray)

    log = folder / paths.LOG
    try:
        with chatter_to(log), ExitStack() as session:
            beside.submit(
                import_module, "sweep.search.ray.executor"
            )  # Ray Tune takes a second, and Ray starts meanwhile
            _note_versions(log)
            vigil = session.enter_context(connected(address, out))
            with interruptible():  # set again, because Ray has set handlers of its own
                room = Room(workers_there(start, is_local, out))
                if not is_local:
                    room.admission = _admission(folder)
                workers = room.workers
                shared_bytes = DRIVER_BYTES + (CUDA_BYTES if workers.gpus else 0)
                yield RaySession(
                    worker=worker_bytes(nodes(), workers, machine_bytes() - shared_bytes if is_local else None),
                    gpus=workers.gpus,
                    is_local=is_local,
                    sharing=workers.concurrency if is_local and not workers.memory_bytes else 0,
                    folder=folder,
                    room=room,
                    vigil=vigil,
                    beside=beside,
                )
            # Objects that Tune left refer to Ray's. If they were collected while Ray ends, this process would end too.
            gc.freeze()
            beside.submit(session.pop_all().close)  # takes a second or two, for which the results need not wait
    finally:
        if paths.is_sweep(folder):
            with suppress(OSError):  # the error that ends the sweep matters, not its log
                store_of(log).put(log, log)
        else:  # a sweep that was refused leaves nothing behind
            log.unlink(missing_ok=True)
