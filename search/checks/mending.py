"""One trial as it must be: what the ledger says of it, with what its folder knows."""

import copy
import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from search.checks.findings import Finding
from search.checks.identity import is_of, queued_config
from search.pruners import NOT_AMONG_THE_BEST, new_pruner
from search.runtime.bridge import trial_seed
from search.runtime.ledger import NO_CONFIG
from storage.files import DamagedError, read_json
from storage.sweep_file import SweepFile
from trainable.config import ConfigError, TrialConfig
from trainable.metrics.history import METRICS, EpochMetrics, best_epoch, read_history
from trainable.state import CheckpointError, read_checkpoint
from trainable.worker.order import newest_checkpoints

RECORD_LOST = "record lost"  # the reason of a FAIL
MOST_ATTEMPTS = 10_000  # a folder with a larger number is none of a driver's


@dataclass(frozen=True)
class Kept:
    """What a trial's folder knows of it.

    Attributes:
      history: None where it is not there, or is damaged.
      attempts: the highest number of an attempt; 0 where there is none.
      has_ended: what is kept of an ended trial is there, and its attempts are gone.
    """

    folder: Path
    history: list[EpochMetrics] | None
    attempts: int
    has_ended: bool

    @staticmethod
    def of(folder: Path) -> "Kept":
        if folder.is_symlink() or not folder.is_dir():
            return Kept(folder, None, 0, False)
        try:
            history = read_history(read_json(folder / "history.json"))
        except (FileNotFoundError, ValueError):
            history = None
        attempts = list(folder.glob("attempt-*"))
        has_ended = (folder / "history.json").exists() and not attempts
        return Kept(folder, history, max(map(attempt_number, attempts), default=0), has_ended)

    def config(self, is_its: Callable[[TrialConfig], bool]) -> TrialConfig | None:
        """The config, if the folder has one that is its trial's; of a checkpoint where its own file is damaged."""
        for values in self._configs():
            try:
                config = TrialConfig.from_dict(values)
            except (ConfigError, AttributeError, TypeError):
                continue
            if is_its(config):
                return config
        return None

    def _configs(self) -> Iterable[Any]:
        with suppress(FileNotFoundError, NotADirectoryError, DamagedError):
            yield read_json(self.folder / "config.json")
        for path in newest_checkpoints(self.folder, self.attempts):
            try:
                yield read_checkpoint(path).config
            except CheckpointError:
                continue


def has_no_config(trial: FrozenTrial) -> bool:
    """Whether the trial was begun and ended in one record, for the space had no config for what was drawn."""
    return trial.state == TrialState.FAIL and trial.user_attrs.get("reason") == NO_CONFIG


def attempt_number(folder: Path) -> int:
    """The K of a folder `attempt-K`; 0 where it is no attempt's."""
    text = folder.name.removeprefix("attempt-")
    is_one = text.isascii() and text.isdigit() and folder.is_dir() and not folder.is_symlink()
    return int(text) if is_one and int(text) <= MOST_ATTEMPTS else 0


class Mending:
    """One trial: what is wrong with what the ledger says of it, and how it must be."""

    def __init__(self, number: int, said: FrozenTrial, kept: Kept, file: SweepFile) -> None:
        self.number, self.kept, self.file = number, kept, file
        self.trial = copy.copy(said)
        self.trial.user_attrs = dict(said.user_attrs)
        self.trial.intermediate_values = dict(said.intermediate_values)
        self.findings: list[Finding] = []
        self.not_mended: list[Finding] = []
        self.is_again = self.is_begun_again = False

    def begin_again(self) -> None:
        """Its first record is lost: its number must stay taken, with the config that the queue or its folder has."""
        self.is_begun_again = True
        queued = queued_config(self.file, self.number)
        config = self.kept.config(partial(is_of, self.file, self.number))
        attributes = self.trial.user_attrs
        default = TrialConfig(arch="mlp", width=1.0, seed=trial_seed(self.file.settings.seed, self.number))
        attributes["config"] = queued or (config or default).to_dict()
        attributes.setdefault("attempt", max(1, self.kept.attempts))
        if (entry := self.file.queue.get(self.number)) and entry.baseline:
            attributes["baseline"] = entry.baseline
        self.trial.datetime_start = self.trial.datetime_start or datetime.now()
        if queued is not None:
            self._say("its first record is lost", "begun again with the config in sweep.json")
        elif config is not None:
            loss = "its parameters, so the sampler learns nothing from it any more"
            if self.file.settings.sampler == "gp":  # it uses the parameters that every COMPLETE trial has
                loss += ", and once it is COMPLETE draws at random"
            self._say("its first record is lost", "begun again with the config in its folder", loss)
        else:
            self._say("its first record is lost, and its folder has no config", "it is a FAIL", "all of it")
            attributes["message"] = "neither its record nor its config.json was left; the config shown is not its own"
            self.trial.values = None
            self._end(TrialState.FAIL, RECORD_LOST, {})

    def mend(self) -> None:
        if not isinstance(self.trial.user_attrs.get("config"), dict):
            self.begin_again()
        if has_no_config(self.trial):
            return  # written in one record, with nothing in its folder
        if not self._has_a_config():
            return
        attempt = self.trial.user_attrs.get("attempt")
        if type(attempt) is not int or attempt < 1:
            self.trial.user_attrs["attempt"] = newest = max(1, self.kept.attempts)
            self._say(f"attempt must be a number from 1, got {attempt!r}", f"it is {newest}, by its folder")
        elif not self.trial.state.is_finished() and self.kept.attempts > attempt:
            self._say(
                f"attempt {attempt} is its newest, but attempt-{self.kept.attempts} is there", "that is the newest"
            )
            self.trial.user_attrs["attempt"] = self.kept.attempts
        if self.trial.state.is_finished():
            self._mend_ended()
        else:
            self._mend_running()

    def _has_a_config(self) -> bool:
        config = self.trial.user_attrs.get("config")
        try:
            is_its = is_of(self.file, self.number, TrialConfig.from_dict(config))  # type: ignore[arg-type]
        except (ConfigError, AttributeError, TypeError) as error:
            way_out = f"go on with the version that wrote it, commit {self.file.commit or 'unknown'}"
            self._say_only(f"its config is none of this version: {error}", way_out)
            return False
        if not is_its:
            self._say_only("its config, by its seed, is another trial's or sweep's", "restore the ledger")
            return False
        return True

    @property
    def _epochs(self) -> int:
        return self.trial.user_attrs["config"]["epochs"]

    def _mend_ended(self) -> None:
        trial, state = self.trial, self.trial.state
        known = self._from_history()
        if known is not None and known != trial.intermediate_values and self._is_enough(state, known):
            self._say(f"it is {state.name}, and epochs of it have no value", "they are taken from its history.json")
            trial.intermediate_values = known
        elif not self._is_enough(state, counted := self._counted()):
            if state != TrialState.FAIL:
                self.train_again(
                    f"it is {state.name}, and neither the ledger nor its folder has the values of its epochs"
                )
                return
            self._say(
                f"epoch {len(counted) + 1} has no value that can be, and later ones have", "left out", "those values"
            )
            trial.intermediate_values = counted
        last = trial.intermediate_values.get(self._epochs)
        if state == TrialState.COMPLETE and trial.values != [last]:
            self._say(f"its value is {trial.values}, and that of its last epoch {last}", "it is that of its last epoch")
            trial.values = [last]
        if state == TrialState.PRUNED and not trial.user_attrs.get("reason"):
            self._say("it is PRUNED without a reason", f"it is {NOT_AMONG_THE_BEST}")
            trial.user_attrs["reason"] = NOT_AMONG_THE_BEST
        if state == TrialState.FAIL:
            for name, lost in {"reason": RECORD_LOST, "message": "the message is lost"}.items():
                if not trial.user_attrs.get(name):
                    self._say(f"it is a FAIL without its {name}", f"it is given `{lost}`", f"its {name}")
                    trial.user_attrs[name] = lost

    def _mend_running(self) -> None:
        trial = self.trial
        known, reason = self._from_history(), trial.user_attrs.get("reason")
        if self.kept.has_ended:
            found = "it has ended by its folder" + ("" if self.is_begun_again else ", and is RUNNING in the ledger")
            if known is not None and reason == NOT_AMONG_THE_BEST and self._is_enough(TrialState.PRUNED, known):
                self._end(TrialState.PRUNED, reason, known)
            elif reason and reason != NOT_AMONG_THE_BEST:
                self._end(TrialState.FAIL, reason, self._counted() if known is None else known)
            elif known is not None and not reason and len(known) == self._epochs:
                self._end(TrialState.COMPLETE, "", known)
            else:
                self.train_again(f"{found}, which does not tell how")
                return
            self._say(found, f"it is {trial.state.name}" + (f" ({reason})" if reason else ""))
        elif (counted := self._counted()) != trial.intermediate_values:
            way_out = "those after it are left out, and written again from its newest checkpoint"
            self._say(f"epoch {len(counted) + 1} has no value that can be, and later ones have", way_out)
            trial.intermediate_values = counted

    def train_again(self, found: str) -> None:
        """Nothing is lost but time: config and seed stay."""
        attributes = self.trial.user_attrs
        kept = {name: attributes[name] for name in ("config", "baseline", "out_of_memory_in") if name in attributes}
        attempt = max(1, self.kept.attempts, attributes["attempt"])
        self.trial.state, self.trial.values, self.trial.datetime_complete = TrialState.RUNNING, None, None
        self.trial.user_attrs = kept | {"attempt": attempt}
        self.trial.intermediate_values = {}
        self.is_again = True
        self._say(found, "it is trained again by the sweep's next start, with the same seed")

    def _end(self, state: TrialState, reason: str, values: dict[int, float] | None = None) -> None:
        self.trial.state, self.trial.datetime_complete = state, datetime.now()
        if values is not None:
            self.trial.intermediate_values = values
        if state != TrialState.FAIL:  # as Optuna has it, of a PRUNED as well
            self.trial.values = [self.trial.intermediate_values[max(self.trial.intermediate_values)]]
        if reason:
            self.trial.user_attrs["reason"] = reason

    def _is_enough(self, state: TrialState, values: dict[int, float]) -> bool:
        """Whether these are all the values of a trial that ended so; values beyond them there must be none."""
        if not values.keys() >= self.trial.intermediate_values.keys():
            return False
        match state:
            case TrialState.COMPLETE:
                return len(values) == self._epochs
            case TrialState.PRUNED:
                pruner = new_pruner(self.file.settings.pruner, self.file.defaults.pruner)
                return len(values) in pruner.rungs(self._epochs)
            case _:
                return len(values) <= self._epochs

    def _counted(self) -> dict[int, float]:
        """The values from epoch 1 on, as far as each can be: a finite number, and none worse than the one before."""
        said = self.trial.intermediate_values
        counted: dict[int, float] = {}
        for epoch in range(1, self._epochs + 1):
            value = said.get(epoch)
            if not isinstance(value, int | float) or not math.isfinite(value):
                break
            before = counted.get(epoch - 1, value)
            if value > before if self.file.settings.metric == "loss" else value < before:
                break
            counted[epoch] = value
        return counted

    def _from_history(self) -> dict[int, float] | None:
        """The best value up to each epoch, by the folder; None where it has none, or says other than the ledger."""
        if not self.kept.history:
            return None
        metric = self.file.settings.metric
        values = [getattr(metrics, METRICS[metric]) for metrics in self.kept.history]
        known = {epoch: values[best_epoch(values[:epoch], metric) - 1] for epoch in range(1, len(values) + 1)}
        agrees = all(known.get(epoch) == value for epoch, value in self.trial.intermediate_values.items())
        return known if agrees else None

    def _say(self, found: str, way_out: str, loss: str = "") -> None:
        self.findings.append(Finding(f"trial {self.number}", found, way_out, loss))

    def _say_only(self, found: str, way_out: str) -> None:
        self.not_mended.append(Finding(f"trial {self.number}", found, way_out))
