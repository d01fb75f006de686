"""Mends a single trial: compares what the ledger says of it with what its folder knows.

What the ledger has lost of a trial is taken from its folder. If that does not suffice, the trial is trained again.
"""

import copy
import math
from datetime import datetime
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from sweep.search.checks.findings import Finding
from sweep.search.checks.identity import FolderContent, is_of
from sweep.search.pruners import Pruner, new_pruner
from sweep.search.runtime.draws import trial_seed
from sweep.search.runtime.sampler_notes import SAW
from sweep.storage.states import Reason
from sweep.storage.sweep_file import SweepFile
from sweep.trainable.config import ConfigError, TrialConfig
from sweep.trainable.metrics import named

KEPT = ("config", "baseline", "rungs", "out_of_memory_in", SAW)  # the attributes that stay if a trial is trained again


def has_no_config(trial: FrozenTrial) -> bool:
    """Returns whether the trial began and ended in one record because the space had no config for what was drawn."""
    return trial.state == TrialState.FAIL and trial.user_attrs.get("reason") == Reason.NO_CONFIG


class Mending:
    """Finds out what is wrong with the ledger's record of one trial, and how the record must be.

    Attributes:
      trial: the trial as it must be after `mend`; unchanged if nothing is wrong.
      findings: what was wrong.
      trains_again: whether the trial is to be trained again.
      is_usable: False if this version cannot train the trial, which is then not changed.
    """

    def __init__(self, ledger_trial: FrozenTrial, folder: Path, file: SweepFile) -> None:
        self.number, self.content, self.file = ledger_trial.number, FolderContent(folder), file
        self.trial = copy.deepcopy(ledger_trial)
        self.findings: list[Finding] = []
        self.trains_again, self.is_usable = False, True

    def mend(self) -> None:
        """Mends the trial in memory and collects the findings."""
        if not isinstance(self.trial.user_attrs.get("config"), dict):
            self._begin_again()
        if has_no_config(self.trial) or not self._has_a_config():  # without a config its folder holds nothing to check
            return
        attempt, newest = self.trial.user_attrs.get("attempt"), max(1, self.content.attempts)
        if type(attempt) is not int or attempt < 1:
            self._note(str(attempt), f"it is {newest}, by its folder", rule="attempt must be a number from 1")
            self.trial.user_attrs["attempt"] = newest
        elif not self.trial.state.is_finished() and newest > attempt:
            self._note(f"attempt {attempt} is its newest, but attempt-{newest} is there", "that is the newest")
            self.trial.user_attrs["attempt"] = newest
        if self.trial.state.is_finished() or self.content.has_ended:
            self._mend_ended()
        elif (values := self._possible_values()) != self.trial.intermediate_values:
            way_out = "those after it are left out, and written again from its newest checkpoint"
            step = "fold" if self.file.settings.folds else "epoch"
            self._note(f"{step} {len(values) + 1} has no value that can be, and later ones have", way_out)
            self.trial.intermediate_values = values

    def train_again(self, description: str) -> None:
        """Resets the trial so that it is trained again; its number, config and seed stay, so only time is lost."""
        attributes = self.trial.user_attrs
        permanent = {name: attributes[name] for name in KEPT if name in attributes}
        attempt = max(1, self.content.attempts, attributes["attempt"])
        self.trial.state, self.trial.values, self.trial.datetime_complete = TrialState.RUNNING, None, None
        self.trial.user_attrs = permanent | {"attempt": attempt}
        self.trial.intermediate_values = {}
        self.trains_again = True
        self._note(description, "it is trained again by the sweep's next start, with the same seed")

    def _begin_again(self) -> None:
        """Restores a trial whose first record is lost.

        Its number must stay taken. The config comes from the queue or from the trial's folder; without either, the
        trial is a FAIL.
        """
        entry, attributes = self.file.queue.get(self.number), self.trial.user_attrs
        description = "its first record is lost"
        attributes.setdefault("attempt", max(1, self.content.attempts))
        if entry and entry.baseline:
            attributes["baseline"] = entry.baseline
        self.trial.datetime_start = self.trial.datetime_start or datetime.now()
        if entry and entry.config is not None:
            attributes["config"] = entry.config
            self._note(description, "begun again with the config in sweep.json")
        elif config := self.content.config(self.file, self.number):
            attributes["config"] = config.to_dict()
            loss = "its parameters: tpe learns nothing from it any more, gp draws at random once it is COMPLETE"
            self._note(description, "begun again with the config in its folder", loss)
        else:
            placeholder = TrialConfig(arch="mlp", width=1.0, seed=trial_seed(self.file.settings.seed, self.number))
            attributes["config"] = placeholder.to_dict()
            attributes["message"] = "neither its record nor its config.json was left; the config shown is not its own"
            self._note(f"{description}, and its folder has no config", "it is a FAIL", "all of it")
            self._end(TrialState.FAIL, {}, Reason.RECORD_LOST)
        if self._pruner.pauses and "baseline" not in attributes:
            attributes["rungs"] = list(self._pruner.rungs(self._epochs))

    def _has_a_config(self) -> bool:
        config, way_out = self.trial.user_attrs["config"], "restore the ledger"
        try:
            TrialConfig.from_dict(config)
            self.is_usable = is_of(self.file, self.number, config)
            description = "its config, by its seed, is another trial's or sweep's"
        except (ConfigError, AttributeError, TypeError) as error:
            self.is_usable = False
            description = f"its config is none of this version: {error}"
            way_out = f"go on with the version that wrote it, commit {self.file.commit or 'unknown'}"
        if not self.is_usable:
            self._note(description, way_out)
        return self.is_usable

    @property
    def _pruner(self) -> Pruner:
        settings = self.file.settings
        return new_pruner(settings.pruner, self.file.defaults.pruner, settings.folds)

    @property
    def _epochs(self) -> int:
        return self.trial.user_attrs["config"]["epochs"]

    @property
    def _steps(self) -> int:
        """The steps of a trial that reaches its end: its epochs, or with folds the folds."""
        return self.file.settings.steps(self._epochs)

    def _mend_ended(self) -> None:
        """Mends a trial that has ended according to the ledger or to its folder.

        If only its folder says so, its last record in the ledger is lost. The record is restored if the folder fits
        such an end; otherwise the trial is trained again.
        """
        trial, reason, is_recorded = self.trial, self.trial.user_attrs.get("reason"), self.trial.state.is_finished()
        if not is_recorded:
            trial.state = TrialState.FAIL if reason else TrialState.COMPLETE
        if not is_recorded and reason == Reason.NOT_AMONG_THE_BEST:
            trial.state = TrialState.PRUNED
        name = trial.state.name
        description = f"it is {name}" if is_recorded else "it has ended by its folder, and is RUNNING in the ledger"
        values, history_values = self._possible_values(), self._history_values()
        if history_values is not None and self._are_complete(history_values):
            values = history_values
        if not self._are_complete(values):
            self.train_again(f"{description}, and neither the ledger nor its folder has the values of its epochs")
            return
        if trial.state == TrialState.FAIL and not (reason and trial.user_attrs.get("message")):
            self.train_again("it is a FAIL without its reason or its message")
            return
        if not is_recorded:
            self._note(description, f"it is {name}" + (f" ({reason})" if reason else ""))
        elif values != trial.intermediate_values:
            self._note(f"{description}, and epochs of it have no value", "they are taken from its history.json")
        elif trial.state == TrialState.COMPLETE and trial.values != [values[self._steps]]:
            last_value = f"that of its last epoch {values[self._steps]}"
            self._note(f"its value is {trial.values}, and {last_value}", "it is that of its last epoch")
        if trial.state == TrialState.PRUNED and not reason:
            self._note("it is PRUNED without a reason", f"it is {Reason.NOT_AMONG_THE_BEST}")
            reason = Reason.NOT_AMONG_THE_BEST
        self._end(trial.state, values, reason)

    def _end(self, state: TrialState, values: dict[int, float], reason: str | None) -> None:
        self.trial.state, self.trial.datetime_complete = state, self.trial.datetime_complete or datetime.now()
        self.trial.intermediate_values = values
        self.trial.values = None if state == TrialState.FAIL else [values[max(values)]]  # in Optuna's form
        if reason:
            self.trial.user_attrs["reason"] = str(reason)

    def _are_complete(self, values: dict[int, float]) -> bool:
        """Returns whether a trial can end in this state with these values, and the ledger has no further ones."""
        if not values.keys() >= self.trial.intermediate_values.keys():
            return False
        match self.trial.state:
            case TrialState.COMPLETE:
                return len(values) == self._steps
            case TrialState.PRUNED:
                return len(values) in self._pruner.rungs(self._epochs)
            case _:
                return len(values) <= self._steps

    def _possible_values(self) -> dict[int, float]:
        """Returns the values from step 1 up to the first impossible one.

        A value must be a finite number and, if steps are epochs, not worse than the one before.
        """
        ledger_values, metric = self.trial.intermediate_values, named(self.file.settings.metric)
        possible: dict[int, float] = {}
        for step in range(1, self._steps + 1):
            value = ledger_values.get(step)
            if not isinstance(value, int | float) or not math.isfinite(value):
                break
            if step > 1 and not self.file.settings.folds and metric.is_better(possible[step - 1], value):
                break
            possible[step] = value
        return possible

    def _history_values(self) -> dict[int, float] | None:
        """Returns the value at each step according to the folder; None if it has none, or if the ledger has others."""
        if not self.content.history:
            return None
        metric = named(self.file.settings.metric)
        values = dict(enumerate(metric.of_steps(self.content.history, self._epochs), start=1))
        agrees = all(values.get(epoch) == value for epoch, value in self.trial.intermediate_values.items())
        return values if agrees else None

    def _note(self, description: str, way_out: str, loss: str = "", rule: str = "") -> None:
        self.findings.append(Finding(self.number, description, way_out, rule=rule, loss=loss))
