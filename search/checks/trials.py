"""The trials of a sweep as they must be, and the journal that a repair writes for them."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial

from sweep.search.checks.backup import Backup
from sweep.search.checks.findings import Finding
from sweep.search.checks.mending import Mending
from sweep.search.checks.replay import JournalInMemory
from sweep.storage import paths
from sweep.storage.files import DamagedError, save_bytes
from sweep.storage.journal import line_of
from sweep.storage.sweep_file import SweepFile, Values
from sweep.trainable.metrics import named

RESTORE_DATABASE = "restore the database from the server's backup: `--repair` changes nothing in it"


class Trials:
    """The trials as they must be, the findings on them, and the repair.

    Args:
      journal: the journal's path; None for a ledger in a database, to which nothing is written here.
      ledger_trials: all trials of the ledger by number, without gaps.
      journal_findings: what is wrong with the journal itself.
    """

    def __init__(
        self,
        folder: Path,
        file: SweepFile,
        journal: Path | None,
        ledger_trials: list[FrozenTrial],
        journal_findings: Iterable[Finding],
    ) -> None:
        self.folder, self.file, self.journal, self.journal_findings = folder, file, journal, journal_findings
        self.mendings = [Mending(trial, paths.trial_folder(folder, trial.number), file) for trial in ledger_trials]
        for mending in self.mendings:
            mending.mend()

    @property
    def findings(self) -> list[Finding]:
        """The findings on the ledger.

        A single rewrite of the journal mends them all, except those on trials that this version cannot use.
        """
        change: Values = {"mend": self.write}
        if self.journal is None:
            change = {"way_out": RESTORE_DATABASE, "loss": ""}
        findings = [replace(finding, **change) for finding in self.journal_findings]
        for each in self.mendings:
            findings += [replace(finding, **change) if each.is_usable else finding for finding in each.findings]
        return findings

    def write(self, backup: Backup) -> None:
        """Writes a new journal: the study, then each trial in one record."""
        assert self.journal is not None
        for mending in (each for each in self.mendings if each.trains_again):
            folder = paths.trial_folder(self.folder, mending.number)
            if not folder.is_symlink() and not paths.attempts(folder):  # with kept files the trial would seem ended
                for path in (*(folder / name for name in paths.KEPT), *paths.epoch_logits(folder).values()):
                    backup.take(path)
        if self.journal.is_file():
            backup.copy(self.journal)  # copied, not moved, so that it is still there after a kill before the rewrite
        else:
            backup.take(self.journal)
        journal = JournalInMemory([])
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(
            storage=optuna.storages.JournalStorage(journal),
            study_name=self.file.id,
            direction=named(self.file.settings.metric).direction,
        )
        for trial in (mending.trial for mending in self.mendings):
            try:
                study.add_trial(trial)
            except ValueError as error:
                description = f"trial {trial.number} cannot be written: {error}"
                raise DamagedError(self.journal, description, "restore the ledger") from None
        save_bytes(self.journal, b"".join(map(line_of, journal.records)))
