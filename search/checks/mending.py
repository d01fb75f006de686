"""One trial as it must be: what the ledger says of it, with what its folder knows.

What the ledger lost of a trial comes from its folder. Where that has not enough, the trial is trained again.
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

KEPT = ("config", "baseline", "rungs", "out_of_memory_in", SAW)  # of a trial's attributes, where it is trained again


def has_no_config(trial: FrozenTrial) -> bool:
    """Whether the trial was begun and ended in one record, for the space had no config for what was drawn."""
    return trial.state == TrialState.FAIL and trial.user_attrs.get("reason") == Reason.NO_CONFIG


class Mending:
    """One trial: what is wrong with what the ledger says of it, and how it must be.

    Attributes:
      trial: as it must be, once `mend` is through; with nothing to mend as the ledger has it.
      findings: what was wrong.
      is_again: it is to be trained again.
      is_usable: False for a trial that this version cannot train; nothing of it is changed.
    """

    def __init__(self, logged: FrozenTrial, folder: Path, file: SweepFile) -> None:
        self.number, self.content, self.file = logged.number, FolderContent(folder), file
        self.trial = copy.deepcopy(logged)
        self.findings: list[Finding] = []
        self.is_again, self.is_usable = False, True

    def mend(self) -> None:
        if not isinstance(self.trial.user_attrs.get("config"), dict):
            self._begin_again()
        if has_no_config(self.trial) or not self._has_a_config():  # the first: in one record, with an empty folder
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
        elif (possible := self._possible_values()) != self.trial.intermediate_values:
            way_out = "those after it are left out, and written again from its newest checkpoint"
            step = "fold" if self.file.settings.folds else "epoch"
            self._note(f"{step} {len(possible) + 1} has no value that can be, and later ones have", way_out)
            self.trial.intermediate_values = possible

    def train_again(self, found: str) -> None:
        """Nothing is lost but time: number, config and seed stay."""
        attributes = self.trial.user_attrs
        kept = {name: attributes[name] for name in KEPT if name in attributes}
        attempt = max(1, self.content.attempts, attributes["attempt"])
        self.trial.state, self.trial.values, self.trial.datetime_complete = TrialState.RUNNING, None, None
        self.trial.user_attrs = kept | {"attempt": attempt}
        self.trial.intermediate_values = {}
        self.is_again = True
        self._note(found, "it is trained again by the sweep's next start, with the same seed")

    def _begin_again(self) -> None:
        """Its first record is lost: its number must stay taken, with the config that the queue or its folder has."""
        entry, attributes, found = self.file.queue.get(self.number), self.trial.user_attrs, "its first record is lost"
        attributes.setdefault("attempt", max(1, self.content.attempts))
        if entry and entry.baseline:
            attributes["baseline"] = entry.baseline
        self.trial.datetime_start = self.trial.datetime_start or datetime.now()
        if entry and entry.config is not None:
            attributes["config"] = entry.config
            self._note(found, "begun again with the config in sweep.json")
        elif config := self.content.config(self.file, self.number):
            attributes["config"] = config.to_dict()
            loss = "its parameters: tpe learns nothing from it any more, gp draws at random once it is COMPLETE"
            self._note(found, "begun again with the config in its folder", loss)
        else:
            unknown = TrialConfig(arch="mlp", width=1.0, seed=trial_seed(self.file.settings.seed, self.number))
            attributes["config"] = unknown.to_dict()
            attributes["message"] = "neither its record nor its config.json was left; the config shown is not its own"
            self._note(f"{found}, and its folder has no config", "it is a FAIL", "all of it")
            self._end(TrialState.FAIL, {}, Reason.RECORD_LOST)
        if self._pruner.pauses and "baseline" not in attributes:
            attributes["rungs"] = list(self._pruner.rungs(self._epochs))

    def _has_a_config(self) -> bool:
        config, way_out = self.trial.user_attrs["config"], "restore the ledger"
        try:
            TrialConfig.from_dict(config)
            self.is_usable = is_of(self.file, self.number, config)
            found = "its config, by its seed, is another trial's or sweep's"
        except (ConfigError, AttributeError, TypeError) as error:
            self.is_usable = False
            found = f"its config is none of this version: {error}"
            way_out = f"go on with the version that wrote it, commit {self.file.commit or 'unknown'}"
        if not self.is_usable:
            self._note(found, way_out)
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
        """Its epochs, or with folds the folds, if it comes to its end."""
        return self.file.settings.steps(self._epochs)

    def _mend_ended(self) -> None:
        """Of a trial that has ended by its folder alone the last record is lost, if it is for one that ended so."""
        trial, reason, is_told = self.trial, self.trial.user_attrs.get("reason"), self.trial.state.is_finished()
        if not is_told:
            trial.state = TrialState.FAIL if reason else TrialState.COMPLETE
        if not is_told and reason == Reason.NOT_AMONG_THE_BEST:
            trial.state = TrialState.PRUNED
        name = trial.state.name
        found = f"it is {name}" if is_told else "it has ended by its folder, and is RUNNING in the ledger"
        values, known = self._possible_values(), self._history_values()
        if known is not None and self._are_all(known):
            values = known
        if not self._are_all(values):
            self.train_again(f"{found}, and neither the ledger nor its folder has the values of its epochs")
            return
        if trial.state == TrialState.FAIL and not (reason and trial.user_attrs.get("message")):
            self.train_again("it is a FAIL without its reason or its message")
            return
        if not is_told:
            self._note(found, f"it is {name}" + (f" ({reason})" if reason else ""))
        elif values != trial.intermediate_values:
            self._note(f"{found}, and epochs of it have no value", "they are taken from its history.json")
        elif trial.state == TrialState.COMPLETE and trial.values != [values[self._steps]]:
            last = f"that of its last epoch {values[self._steps]}"
            self._note(f"its value is {trial.values}, and {last}", "it is that of its last epoch")
        if trial.state == TrialState.PRUNED and not reason:
            self._note("it is PRUNED without a reason", f"it is {Reason.NOT_AMONG_THE_BEST}")
            reason = Reason.NOT_AMONG_THE_BEST
        self._end(trial.state, values, reason)

    def _end(self, state: TrialState, values: dict[int, float], reason: str | None) -> None:
        self.trial.state, self.trial.datetime_complete = state, self.trial.datetime_complete or datetime.now()
        self.trial.intermediate_values = values
        self.trial.values = None if state == TrialState.FAIL else [values[max(values)]]  # as Optuna has it
        if reason:
            self.trial.user_attrs["reason"] = str(reason)

    def _are_all(self, values: dict[int, float]) -> bool:
        """Whether these are all the values of a trial that ended so; values beyond them there must be none."""
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
        """The values from step 1 on, as far as each can be: a finite number, and of epochs none worse than before."""
        logged, metric = self.trial.intermediate_values, named(self.file.settings.metric)
        possible: dict[int, float] = {}
        for step in range(1, self._steps + 1):
            value = logged.get(step)
            if not isinstance(value, int | float) or not math.isfinite(value):
                break
            if step > 1 and not self.file.settings.folds and metric.is_better(possible[step - 1], value):
                break
            possible[step] = value
        return possible

    def _history_values(self) -> dict[int, float] | None:
        """The value at each step, by the folder; None where it has none, or says other than the ledger."""
        if not self.content.history:
            return None
        metric = named(self.file.settings.metric)
        known = dict(enumerate(metric.of_steps(self.content.history, self._epochs), start=1))
        agrees = all(known.get(epoch) == value for epoch, value in self.trial.intermediate_values.items())
        return known if agrees else None

    def _note(self, found: str, way_out: str, loss: str = "", rule: str = "") -> None:
        self.findings.append(Finding(self.number, found, way_out, rule=rule, loss=loss))
