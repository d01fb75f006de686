"""Runs one attempt of a trial on a worker: where its files lie, where it starts, when it reports.

An attempt writes only into its own folder, `trials/NUMBER/attempt-K/`, so that a worker that was thought dead and still
writes can harm no later attempt.
"""

import platform
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np

from sweep.datasets.pixels.dataset import Dataset
from sweep.storage import paths
from sweep.storage.files import make_folder, save_bytes
from sweep.storage.states import Reason
from sweep.storage.store import is_copy, store_of
from sweep.trainable import loop
from sweep.trainable.checkpoint import Checkpoint, CheckpointError, read_finished
from sweep.trainable.config import TrialConfig
from sweep.trainable.features import Prepared
from sweep.trainable.metrics.history import EpochMetrics
from sweep.trainable.parallel.processes import ProcessLost
from sweep.trainable.saving import load, save, save_finished
from sweep.trainable.state import TrainState, new_state
from sweep.trainable.worker.failures import failure_of
from sweep.trainable.worker.order import Order
from sweep.trainable.worker.report import Failure, Report
from sweep.trainable.worker.watchdog import ended_when_hung

REPORT_SECONDS = 1.0  # for which epochs are gathered into one report, at least
SAVE_SHARE = 0.05  # of a worker's time, at most, goes into checkpoints

# How long an epoch may take before it counts as hung. The limits are wide, because a busy machine delays epochs too.
HUNG_EPOCHS = 20  # times the trial's usual epoch so far
HUNG_SECONDS = 120.0  # at least
HUNG_FIRST_SECONDS = 3600.0  # the first epoch, with none to compare it with
HUNG_FIRST_SECONDS_PER_PIXEL = 20e-6  # on top of that, of the training images

Train = Callable[[TrialConfig, Dataset, TrainState], Iterator[EpochMetrics]]


def hung_after(history: list[EpochMetrics], train_pixels: int) -> float:
    """Returns the seconds after which a trial's next epoch counts as hung, by its epochs so far."""
    if not history:
        return HUNG_FIRST_SECONDS + HUNG_FIRST_SECONDS_PER_PIXEL * train_pixels
    # The median, because an epoch during which the machine was paused says nothing of the others.
    return max(HUNG_SECONDS, HUNG_EPOCHS * statistics.median_high(metrics.seconds for metrics in history))


class Attempt:
    """Carries out an order, up to one report at a time.

    The files that go with a report are whole on the disk before the report is made.

    With folds there is a net for each fold, trained one after the other. The results of a net are written when it is
    finished, and no later attempt trains it again.

    Attributes:
      finished: the epochs of the finished nets, by their folds; None until the trial's folder has been read.
      net: the data of the net that is trained now; None before the first net, and between two.
      state: the state of that net.
      note: the `TrainState.note` of the net that was trained last.
    """

    def __init__(self, order: Order, data: Dataset, device: str = "cpu", train: Train = loop.train) -> None:
        self.order, self.data, self.device, self.train = order, data, device, train
        self.store = store_of(order.folder)
        self.folder = paths.attempt_folder(order.folder, order.attempt)
        self.finished: dict[int, list[EpochMetrics]] | None = None
        self.net: Dataset | None = None
        self.state: TrainState | None = None
        self.preparation: Iterator[Prepared] = iter(())
        self.prepared: Prepared | None = None
        self.epochs: Iterator[EpochMetrics] = iter(())
        self.saves = (0.0, 0.0)  # seconds that the last two took
        self.note = ""

    def next_report(self) -> Report:
        """Prepares or trains for about a second, to the next rung, or to the end; a failure is a report too.

        A rung that comes too soon after the last report is passed; its decision waits for the next one.

        Raises:
          ProcessLost: one of the several processes that train the trial is gone.
        """
        failure = None
        try:
            self._train_to_next_report()
        except ProcessLost:  # treated as if this process were lost: the attempt ends with its worker
            raise
        except Exception as error:
            failure = failure_of(error, self.store)
        report = self._report(failure)
        if report.done and (failure is None or failure.reason is not Reason.STORAGE):
            try:
                self._make_folder()
                save_bytes(self.folder / paths.RESULT, report.to_json().encode())
            except OSError as error:
                return self._report(failure_of(error, self.store))
        return report

    def _report(self, failure: Failure | None) -> Report:
        history, nets = self.history, 1 if self.data.folds is None else len(np.unique(self.data.folds))
        self.note = self.state.note if self.state else self.note
        done = failure is not None or len(history) >= nets * self.order.config.epochs
        return Report(self.order.attempt, history, failure, done, self.prepared, self.note)

    @property
    def history(self) -> list[EpochMetrics]:
        """Every epoch so far, including those of earlier attempts; with folds, one fold after the other."""
        histories = dict(self.finished or {})
        if self.state:
            histories[self.state.fold or 0] = self.state.history
        return [metrics for _, epochs in sorted(histories.items()) for metrics in epochs]

    def _begin_net(self) -> bool:
        """Begins the next net, or continues that of an earlier attempt; returns False if all nets are finished."""
        order = self.order
        if self.finished is None:
            self._check_folder()
            if order.attempt > 1:
                self.store.fetch(order.folder)
            self.finished = {fold: checkpoint.history for fold, checkpoint in self._finished_before().items()}
        net = self.data
        if self.data.folds is not None:
            missing_folds = {fold + 1 for fold in np.unique(self.data.folds).tolist()} - self.finished.keys()
            if not missing_folds:
                return False
            net = self.data.fold(min(missing_folds))
        self.net, self.state = net, self._starting_state(net)
        self.preparation = loop.prepare(order.config, net, self.state)
        self.epochs = self.train(order.config, net, self.state)
        return True

    def _finished_before(self) -> dict[int, Checkpoint]:
        """Returns the nets that this or earlier attempts finished with this config and metric, by their folds."""
        if self.data.folds is None or self.order.attempt == 1:
            return {}
        config = self.order.config.to_dict()
        checkpoints = read_finished(self.order.folder, self.order.attempt)
        return {
            fold: each
            for fold, each in checkpoints.items()
            if each.config == config and each.metric == self.order.metric
        }

    def _starting_state(self, net: Dataset) -> TrainState:
        rungs = self.order.rungs if net.of_fold is None else ()  # with folds a rung is a fold, not an epoch
        for path in paths.newest_checkpoints(self.order.folder, self.order.attempt):
            try:
                return load(path, self.order.config, net, self.order.metric, self.device, rungs)
            except CheckpointError:
                continue  # an older one may be whole and of this fold; if none is, the net starts anew
        return new_state(self.order.config, net, self.order.metric, self.device, rungs)

    def _check_folder(self) -> None:
        """Checks that the trial's folder is there, which the driver makes.

        A folder made here would be seen by this node alone, or would be a part of a sweep that somebody has deleted.

        Raises:
          FileNotFoundError: the folder is not there.
        """
        folder = self.order.folder
        if not folder.is_dir() and not is_copy(folder):
            raise FileNotFoundError(
                f"{folder}: is not there on {platform.node()}; mount the sweep's storage on every node"
            )

    def _make_folder(self) -> None:
        """Makes the attempt's own folder; raises as `_check_folder` does."""
        self._check_folder()
        make_folder(self.folder)

    def _train_to_next_report(self) -> None:
        # The shorter of the last two saves: one during which the machine was paused would delay the next report.
        report_after = max(REPORT_SECONDS, self.order.spacing, min(self.saves) / SAVE_SHARE)
        if self.state is None and not self._begin_net():
            return
        self._make_folder()
        limit = report_after + hung_after(self.history, self.data.train.images.nbytes // 3)
        with open(self.folder / paths.HUNG, "w", encoding="utf-8") as stacks, ended_when_hung(limit, stacks):
            started = time.monotonic()
            while self._train_net(started, report_after) and self._begin_net():
                pass
        if self.state and self.state.epochs_done:
            self._make_folder()
            save_started = time.monotonic()
            save(self.state, self.order.config, self.folder)
            self.saves = (self.saves[1], time.monotonic() - save_started)

    def _train_net(self, started: float, report_after: float) -> bool:
        """Trains the net until a report is due or it is finished; returns whether the next net is to begin at once."""
        assert self.state is not None
        assert self.net is not None
        for progress in self.preparation:  # takes minutes, so that there are reports without a new epoch
            self.prepared = progress
            if time.monotonic() - started >= report_after:
                return False
        self.prepared = None
        rungs = self.order.rungs if self.state.fold is None else ()
        for metrics in self.epochs:
            seconds = time.monotonic() - started
            if seconds >= (self.order.spacing if metrics.epoch in rungs else report_after):
                break
        fold = self.state.fold
        if fold is None or self.state.epochs_done < self.order.config.epochs:
            return False
        self._make_folder()
        save_finished(self.state, self.order.config, self.net, self.folder)
        assert self.finished is not None
        self.finished[fold], self.note = self.state.history, self.state.note
        self.net = self.state = None
        return time.monotonic() - started < (self.order.spacing if fold in self.order.rungs else report_after)
