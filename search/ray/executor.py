"""Executes a bridge's orders with Ray Tune, by a thin Searcher and a thin TrialScheduler without state of their own.

Every start is a fresh Tune experiment in a temporary folder. Tune's own retries are off: a retry is a new Tune trial
with the same number and the next attempt.
"""

import json
import math
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.experiment import trial as tune_trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from sweep.datasets.pixels.dataset import Dataset
from sweep.search.ray import ray_2_60
from sweep.search.ray.admission import Admission, Placement
from sweep.search.ray.blocks import blocks_of
from sweep.search.ray.gate import NodeRefusedError
from sweep.search.ray.vigil import Vigil
from sweep.search.runtime.bridge import Bridge
from sweep.storage import user_code
from sweep.trainable import weights
from sweep.trainable.worker.order import node_name
from sweep.trainable.worker.ray_trial import RayTrial
from sweep.trainable.worker.report import Report

RUNNING, PENDING = tune_trial.Trial.RUNNING, tune_trial.Trial.PENDING  # Tune's words for its own trials
NO_PLACE_SECONDS = 30.0  # without a place for any trial, until people are told
RAY_OUT_OF_MEMORY = "running low on memory"  # from the message of ray.exceptions.OutOfMemoryError


class Abort(BaseException):
    """Carries an error of the bridge past Tune, which logs and forgets every `Exception` of a searcher."""


class Stopped(BaseException):
    """The sweep is stopping, and nothing runs any more."""


class _BridgeClient:
    """A base class for parts of Tune that call the bridge; it lets the bridge's errors get past Tune."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge

    def __getstate__(self) -> dict[str, Any]:
        """Returns an empty state: Tune pickles searcher and scheduler into its own folder, which nobody reads."""
        return {}

    def hand_on(self, order: dict[str, Any], report_json: str) -> bool:
        """Gives the bridge a trial's report; returns whether Tune is to stop the trial.

        Args:
          order: the `Order.to_dict()` of the trial's attempt.
          report_json: a `Report` as JSON.

        Raises:
          Abort: carries the error that the bridge raised.
        """
        try:
            return self.bridge.report(order["number"], Report.from_json(json.loads(report_json)))
        except Exception as error:
            raise Abort from error


class BridgeSearcher(_BridgeClient, Searcher):
    """Asks the bridge for orders, and tells it how Tune's trials end."""

    def __init__(self, bridge: Bridge, on_idle: Callable[[], object] = lambda: None) -> None:
        Searcher.__init__(self, metric="report", mode="max")
        _BridgeClient.__init__(self, bridge)
        self.on_idle: Callable[[], object] | None = on_idle
        self.has_report = False
        self.orders: dict[str, dict[str, Any]] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """Returns the config of Tune's next trial, which holds the bridge's next order.

        Returns:
          None while there is no order; `Searcher.FINISHED` once no trial runs and none will begin.

        Raises:
          Abort: carries the error that the bridge raised.
        """
        try:
            order = self.bridge.next_order()
        except Exception as error:
            raise Abort from error
        if order is None:
            # Before the first report, workers are starting on every processor.
            if self.on_idle is not None and self.has_report:
                self.on_idle()
                self.on_idle = None
            # Tune never asks again after FINISHED, and a running trial may need another attempt.
            return Searcher.FINISHED if self.bridge.finished else None
        self.orders[trial_id] = order.to_dict()
        return {"order": self.orders[trial_id]}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Notes that there are reports; the scheduler has shown this one to the bridge."""
        self.has_report = True

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tells the bridge that a worker is free; a trial's last report goes to the bridge here."""
        self.has_report = True
        order = self.orders.pop(trial_id)
        if error:
            return  # the scheduler has told the bridge, with the cause
        if result and "report" in result:  # Tune does not show a result with `done` to the scheduler
            self.hand_on(order, result["report"])
        self.bridge.released(order["number"], order["attempt"])

    def save(self, checkpoint_path: str) -> None:
        """Saves nothing, because the ledger keeps everything."""

    def restore(self, checkpoint_path: str) -> None:
        """Restores nothing, because the ledger keeps everything."""


class BridgeScheduler(_BridgeClient, FIFOScheduler):
    """Shows every report to the bridge, and stops the trials that it wants stopped."""

    def __init__(self, bridge: Bridge, check: Callable[[], None] = lambda: None) -> None:
        """Makes a scheduler for one start of a sweep.

        Args:
          check: raises if Ray itself has ended; a worker that died of that does not cost its trial an attempt.
        """
        FIFOScheduler.__init__(self)
        _BridgeClient.__init__(self, bridge)
        self.check = check

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Returns the waiting trial with the lowest number, or None.

        Tune's own method looks at every trial that there ever was, at each step.
        """
        pending = (trial for trial in tune_controller.get_live_trials() if trial.status == PENDING)
        return min(pending, key=lambda trial: trial.config["order"]["number"], default=None)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Gives a report to the bridge; returns whether the trial stops or continues."""
        return TrialScheduler.STOP if self.hand_on(trial.config["order"], result["report"]) else TrialScheduler.CONTINUE

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Tells the bridge why a trial's worker died or could not start; all other failures come back as results."""
        order, cause = trial.config["order"], ""
        with suppress(OSError, TypeError):  # there is no such file, or the disk of Tune's folder is full
            cause = Path(trial.error_file).read_text(encoding="utf-8", errors="replace")
        try:
            self.check()
            if NodeRefusedError.__name__ in cause:
                self.bridge.moved(order["number"], order["attempt"], "its node did not pass the checks")
            elif RAY_OUT_OF_MEMORY in cause:
                self.bridge.out_of_memory(order["number"], order["attempt"], "Ray ended its worker: the node ran low")
            else:
                words = " ".join(" ".join(cause.splitlines()[1:]).split())  # the first line is a heading
                message = f"{words[:300] or 'no cause given'}; see log.txt"
                self.bridge.lost(order["number"], order["attempt"], message, self._is_drained(order))
        except Exception as error:
            raise Abort from error

    def _is_drained(self, order: dict[str, Any]) -> bool:
        """Returns whether the node on which the trial ran was drained or is being drained."""
        if not ray.is_initialized():
            return False
        names = _names_of_nodes()
        return self.bridge.node_of(order["number"]) in {names.get(node) for node in ray_2_60.drained_nodes()}


class BridgeCallback(_BridgeClient, tune.Callback):
    """Tells the bridge the time, the room for trials and where each trial runs, between results too.

    It also tells people if no trial finds a place to run.
    """

    def __init__(
        self,
        bridge: Bridge,
        room: Callable[[], int],
        is_local: bool,
        check: Callable[[], None] = lambda: None,
        admission: Admission | None = None,
    ) -> None:
        """Makes a callback for one start of a sweep.

        Args:
          room: returns how many trials may run at the same time, at this moment.
          check: raises if Ray itself has ended.
        """
        super().__init__(bridge)
        self.room, self.is_local, self.check, self.admission = room, is_local, check, admission
        self.waiting_since: float | None = None

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tells the bridge which node of the cluster a trial runs on."""
        if self.is_local:  # this machine alone needs no name
            return
        order = trial.config["order"]
        try:
            self.bridge.placed(order["number"], order["attempt"], _names_of_nodes().get(ray_2_60.node_of(trial), ""))
        except Exception as error:
            raise Abort from error

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Checks that Ray still runs, and tells the bridge the time and the room for trials.

        Raises:
          Abort: Ray has ended.
          Stopped: the sweep is stopping, and no trial runs any more.
        """
        try:
            self.check()
        except Exception as error:
            raise Abort from error
        self.bridge.tick()
        self.bridge.concurrency = self.room()
        for news in self.admission.take_news() if self.admission else ():
            self.bridge.watcher.announced(news)
        live = (trial.status for trial in reversed(trials) if trial.status in (RUNNING, PENDING))
        statuses = set(islice(live, len(self.bridge.running)))  # not every trial that there ever was
        self._watch_places(statuses)
        if self.bridge.stopping and RUNNING not in statuses:
            raise Stopped  # a trial that waits for a place makes no report at which it could be stopped

    def _watch_places(self, statuses: set[str]) -> None:
        if RUNNING in statuses or PENDING not in statuses:
            self.waiting_since, self.bridge.is_stuck = None, False
        elif self.waiting_since is None:
            self.waiting_since = time.monotonic()
        elif time.monotonic() - self.waiting_since > NO_PLACE_SECONDS:
            self.bridge.is_stuck = True
            self.bridge.watcher.announced(
                "No worker has started yet; this machine is busy, or log.txt says why."
                if self.is_local
                else "No trial has a place to run; they wait for a node of the cluster to come."
            )
            self.waiting_since = math.inf  # not said again until a trial runs


def execute(
    bridge: Bridge,
    dataset: Dataset,
    resources: dict[str, float],
    room: Callable[[], int],
    trainable: type[RayTrial] = RayTrial,
    on_idle: Callable[[], object] = lambda: None,
    is_local: bool = True,
    vigil: Vigil | None = None,
    admission: Admission | None = None,
) -> None:
    """Runs what the bridge orders until it has nothing more; Ray must be connected.

    Args:
      resources: what a trial gets, by Tune's names for resources.
      room: returns how many trials may run at the same time, at this moment; called at every step of Tune's.
      on_idle: called once, when trials have begun and there is no order for a worker.
      is_local: whether Ray was started on this machine, for this process alone.
      vigil: is asked at every step whether Ray still runs.
      admission: decides which nodes of a cluster get trials.

    Raises:
      RayFailedError: Ray has ended.
      Exception: whatever the bridge raised, for example OSError if the disk is full.
    """
    check, check_now = (vigil.check, vigil.check_now) if vigil else (lambda: None, lambda: None)
    bridge.concurrency = room()
    # On one machine workers open the driver's own file, so that no actor has to give them its blocks.
    table = weights.remembered()
    blocks = None if is_local else blocks_of(dataset, table)
    shared = {
        "dataset": dataset.for_training(),
        "sources": user_code.sources(),
        "blocks": blocks,
        "weights_table": table,
        "gate": admission.gate if admission else None,
    }
    request = Placement(resources, admission) if admission else resources
    bound_trainable = tune.with_resources(tune.with_parameters(trainable, **shared), request)
    with tempfile.TemporaryDirectory(prefix="sweep-tune-", ignore_cleanup_errors=True) as folder:
        tuner = tune.Tuner(
            bound_trainable,
            tune_config=tune.TuneConfig(
                num_samples=-1,
                search_alg=BridgeSearcher(bridge, on_idle),
                scheduler=BridgeScheduler(bridge, check_now),
                max_concurrent_trials=sys.maxsize,  # the bridge has the limit; without this, Tune has its own
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="sweep",
                storage_path=folder,
                verbose=0,
                callbacks=[BridgeCallback(bridge, room, is_local, check, admission)],
                failure_config=tune.FailureConfig(max_failures=0),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # attempts write their own
            ),
        )
        try:
            with ray_2_60.tuned(bound_trainable), suppress(Stopped):
                tuner.fit()
        except Abort as abort:
            raise (abort.__cause__ or abort) from None
        except Exception:
            check_now()  # raises RayFailedError if Ray has ended, because Ray's own error says little then
            raise


def _names_of_nodes() -> dict[str, str]:
    """Returns the name of each node, alive or not, by Ray's id."""
    entries = ray_2_60.ask_head(ray.nodes, [])
    return {entry["NodeID"]: node_name(entry["NodeManagerAddress"], entry["NodeID"]) for entry in entries}
