"""The trials of a sweep as they must be, and the journal that says so."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial

from search.checks.backup import Backup
from search.checks.findings import Finding
from search.checks.folder_content import FolderContent
from search.checks.mending import Mending
from search.checks.replay import JournalInMemory
from storage import paths
from storage.files import DamagedError, written_whole
from storage.journal import line_of
from storage.sweep_file import SweepFile
from trainable.metrics import named

RESTORE_DATABASE = "restore the database from the server's backup: `--repair` changes nothing in it"


@dataclass
class Trials:
    """The trials as they must be, and what it takes to get there.

    Attributes:
      journal: None for a ledger in a database, of which nothing is written here.
      trials: by number; those with nothing to mend are as the ledger has them.
      findings: where the ledger is not so.
      again: numbers of the trials that are to be trained again.
      unusable: numbers of the trials whose config this version cannot train; they are left as they are.
    """

    file: SweepFile
    folder: Path
    journal: Path | None
    trials: list[FrozenTrial] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    again: set[int] = field(default_factory=set)
    unusable: set[int] = field(default_factory=set)

    def restore(self, logged: list[FrozenTrial], without_first: Collection[int] = ()) -> None:
        """Takes each trial that the ledger speaks of, and mends it.

        Args:
          logged: all trials by number, without gaps.
          without_first: those of which neither config nor parameters are left.
        """
        for number, trial in enumerate(logged):
            mending = self._mending(number, trial)
            if number in without_first:
                mending.trial.user_attrs.pop("config", None)
            mending.mend()
            self.trials.append(mending.trial)
            self._take(mending)

    def train_again(self, number: int, found: str) -> None:
        """For a trial of which so much is lost that nothing less helps."""
        mending = self._mending(number, self.trials[number])
        mending.train_again(found)
        self.trials[number] = mending.trial
        self._take(mending)

    def _mending(self, number: int, trial: FrozenTrial) -> Mending:
        return Mending(number, trial, FolderContent.read(paths.trial_folder(self.folder, number)), self.file)

    def _take(self, mending: Mending) -> None:
        if mending.is_again:
            self.again.add(mending.number)
        if mending.is_usable:
            self.note(*mending.findings)
        else:
            self.unusable.add(mending.number)
            self.findings += mending.findings

    def note(self, *findings: Finding) -> None:
        """Notes what is wrong with the ledger: all of it is mended in one writing."""
        if self.journal is None:
            self.findings += [replace(finding, way_out=RESTORE_DATABASE, loss="") for finding in findings]
        else:
            self.findings += [replace(finding, mend=self.write) for finding in findings]

    def write(self, backup: Backup) -> None:
        """Writes the journal anew: the study, then each trial in one record."""
        assert self.journal is not None
        for number in sorted(self.again):
            folder = paths.trial_folder(self.folder, number)
            if not folder.is_symlink() and not paths.attempts(folder):  # what was kept would pass for its end
                for name in paths.KEPT:
                    backup.take(folder / name)
        if self.journal.is_file():
            backup.copy(self.journal)  # never moved: killed before it is written anew, it must still be there
        else:
            backup.take(self.journal)
        journal = JournalInMemory([])
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(
            storage=optuna.storages.JournalStorage(journal),
            study_name=self.file.id,
            direction=named(self.file.settings.metric).direction,
        )
        for trial in self.trials:
            try:
                study.add_trial(trial)
            except ValueError as error:
                found = f"trial {trial.number} cannot be written: {error}"
                raise DamagedError(self.journal, found, "restore the ledger") from None
        with written_whole(self.journal) as partial:
            partial.write_bytes(b"".join(map(line_of, journal.records)))
