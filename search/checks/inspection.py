"""Inspects a sweep's folder and says what is not as it must be. Only reads."""

import os
import re
import stat
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from optuna.trial import TrialState

from analysis.commands import command_to_go_on
from analysis.record import Record
from search.checks.backup import Backup, Mend, copy_from, lost_before, move_away, remove_left_over
from search.checks.data_files import DataFiles
from search.checks.findings import Finding, MissingError, damaged, do_without, naming
from search.checks.folder_content import FolderContent
from search.checks.identity import is_of
from search.checks.replay import replay
from search.checks.results import check_results
from search.checks.trial_folder import TrialFiles
from search.checks.trials import RESTORE_DATABASE, Trials
from search.runtime.settings import read_sweep
from search.runtime.trial_files import KEPT_WEIGHTS
from storage import paths
from storage.errors import SweepError
from storage.files import DamagedError, check_regular
from storage.journal import repair_tail
from storage.text import counted
from trainable.config import ConfigError
from trainable.metrics import named

NAMES = {  # of a sweep's files in its folder and those below it; the folders of trials look after their own
    ".": r"sweep\.json|journal\.log|lock|log\.txt|data\.csv|left-out\.csv|valid_(labels|images)\.npy|trials|"
    r"best|figures|demo-images|repeat|refit|tensorboard|sinks|[^/]*\.onnx|[^/]*-card\.md|"
    r"backup-\d+|trials\.csv|(trials|epochs)\.parquet|report\.(html|md)|(predictions|probabilities)(-.*)?\.csv",
    "trials": r"\d{4,}",
    "best": r"model\.safetensors|config\.json",
    "figures": r".*\.png",
}
SHOWN_FILES = 5


@dataclass
class Inspection:
    """What was found in a sweep's folder.

    Attributes:
      foreign: files that nothing here reads.
      words: what was looked at, with numbers.
    """

    folder: Path
    findings: list[Finding] = field(default_factory=list)
    foreign: list[Path] = field(default_factory=list)
    words: str = ""

    @property
    def problems(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.is_problem]

    def note(self, place: Path, found: str, way_out: str, mend: Mend | None = None, is_problem: bool = True) -> None:
        self.findings.append(Finding(place, found, way_out, mend=mend, is_problem=is_problem))


def inspect_folder(folder: Path) -> Inspection:
    """Raises:
    SweepError: there is no sweep.
    OSError: the storage fails.
    """
    inspection, path = Inspection(folder), folder / paths.SWEEP_FILE
    way_out = "restore it from a backup: without it nothing else can be checked, and nothing mended"
    try:
        record, file = Record(folder), read_sweep(folder)
    except DamagedError as error:
        inspection.findings.append(damaged(error, way_out))
        return inspection
    except ConfigError as error:
        inspection.note(path, str(error), way_out)
        return inspection
    except SweepError:
        if not _numbered(folder):
            raise
        inspection.note(path, "missing, and there are trials", way_out)
        return inspection
    _check_names(inspection)
    data = DataFiles(folder, file, lost_before(folder))
    data.check()
    trials = Trials(file, folder, None if file.settings.ledger else folder / paths.JOURNAL)
    ledger = _read_database(inspection, record, trials) if file.settings.ledger else _read_journal(inspection, trials)
    if ledger is not None:
        of_ledger = len(inspection.findings)
        _check_trials(inspection, trials, data)
        weights = _check_weights(inspection, trials, data.lost_before)
        inspection.findings[of_ledger:of_ledger] = trials.findings  # the ledger's first: they explain others
        states = Counter(trial.state.name for trial in trials.trials)
        counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        inspection.words = (
            f"{ledger}, {counted(len(trials.trials), 'trial')} ({counts or 'none yet'}), the weights of {weights}"
        )
        _check_results(inspection, record, trials, data)
    inspection.findings += data.findings
    if inspection.foreign:
        names = sorted(str(path.relative_to(folder)) for path in inspection.foreign)
        more = f" and {len(names) - SHOWN_FILES} more" if len(names) > SHOWN_FILES else ""
        found = f"files that are not a sweep's: {', '.join(names[:SHOWN_FILES])}{more}"
        inspection.note(folder, found, "nothing reads them", is_problem=False)
    return inspection


def _check_results(inspection: Inspection, record: Record, trials: Trials, data: DataFiles) -> None:
    """Of a sweep that is whole else: what is made of damaged files can only be wrong."""
    ended = sum(trial.state.is_finished() for trial in trials.trials)
    if not ended:
        return
    if record.file.results_of != ended:
        found = f"report, tables, best/ and predictions are not of all {counted(ended, 'ended trial')}"
        way_out = f"made anew by {command_to_go_on(record) or 'the command of the sweep'}"
        inspection.note(inspection.folder, found, way_out, is_problem=False)
        return
    inspection.words += f", results of {ended}"
    if not inspection.problems and not data.findings:
        inspection.findings += check_results(record, data.test_ids)


def _check_names(inspection: Inspection) -> None:
    """What was left over, and what is not a sweep's."""
    for below, pattern in NAMES.items():
        folder = inspection.folder / below
        if folder.is_symlink() and folder != inspection.folder:
            found = f"is a link to {folder.readlink()}"
            inspection.note(folder, found, "nothing, if that is meant so", is_problem=False)
            continue
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name.endswith(".partial") and re.fullmatch(pattern, path.name.removesuffix(".partial")):
                found = "left over: a write that did not finish"
                inspection.note(path, found, "removed", remove_left_over(path), is_problem=False)
            elif not re.fullmatch(pattern, path.name):
                inspection.foreign.append(path)
    lock = inspection.folder / paths.LOCK
    if os.path.lexists(lock) and not stat.S_ISREG(lock.lstat().st_mode):
        way_out = "remove it; until then no driver can start"
        inspection.findings.append(Finding(lock, "a link or a pipe", way_out, rule="must be a file"))


def _read_database(inspection: Inspection, record: Record, trials: Trials) -> str | None:
    """What the ledger is, in words; None where it cannot be used."""
    try:
        logged = record.study.get_trials(deepcopy=False)
    except SweepError as error:
        inspection.note(inspection.folder, str(error), "where there are no trials yet, its command begins it")
        return None
    trials.restore(logged)
    return record.settings.ledger


def _read_journal(inspection: Inspection, trials: Trials) -> str | None:
    """As `_read_database`."""
    file, path = trials.file, inspection.folder / paths.JOURNAL
    content = b""
    folders = {
        number
        for number, folder in _numbered(inspection.folder).items()
        if FolderContent.read(folder).config(partial(is_of, file, number)) is not None
    }
    try:
        with naming(path):
            check_regular(path)
        content = path.read_bytes()
        if path.is_symlink():
            rule, found = "must be a file", f"a link to {path.readlink()}"
            trials.note(Finding(path, found, "replaced by its content", rule))
    except MissingError:
        if folders:
            trials.note(Finding(path, "missing, and there are trials", "written anew from what their folders know"))
    except DamagedError as error:
        trials.note(damaged(error, "moved away, and written anew from what the trials' folders know"))
    replayed = replay(path, content, file, folders)
    if not replayed.is_ours:
        found, way_out = "another sweep's id, metric or seeds", "restore the one that is not this sweep's"
        inspection.findings.append(Finding(path, found, way_out, rule="must have those of sweep.json"))
        return None

    def cut(backup: Backup) -> None:
        backup.copy(path)
        repair_tail(path)

    if replayed.torn_bytes and not path.is_symlink():
        found = f"ends in {counted(replayed.torn_bytes, 'byte')} of a record that was not finished"
        inspection.note(path, found, "cut off", cut, is_problem=False)
    trials.note(*replayed.findings)
    trials.restore(replayed.trials, replayed.without_first)
    return counted(replayed.records, "record")


def _numbered(folder: Path) -> dict[int, Path]:
    """The folders of trials by number."""
    found = (folder / "trials").iterdir() if (folder / "trials").is_dir() else ()
    named = ((int(path.name), path) for path in found if re.fullmatch(NAMES["trials"], path.name, re.ASCII))
    return {number: path for number, path in sorted(named) if path == paths.trial_folder(folder, number)}


def _check_trials(inspection: Inspection, trials: Trials, data: DataFiles) -> None:
    for trial in trials.trials:
        if trial.number not in trials.again | trials.unusable:
            folder = paths.trial_folder(inspection.folder, trial.number)
            files = TrialFiles(folder, trial, trials.file, data.labels, data.lost_before)
            files.check()
            inspection.findings += files.findings
            inspection.foreign += files.foreign
    for number, path in _numbered(inspection.folder).items():
        if number >= len(trials.trials):
            found = f"is no trial of this sweep, whose ledger has {len(trials.trials)}"
            if trials.journal is None:
                inspection.note(path, found, RESTORE_DATABASE)
            else:
                inspection.note(path, found, "moved away", move_away(path))


def _check_weights(inspection: Inspection, trials: Trials, lost: set[Path]) -> int:
    """Of the best COMPLETE trials, whose weights are kept; returns how many are whole."""
    sign = -named(trials.file.settings.metric).sign
    complete = [trial for trial in trials.trials if trial.state == TrialState.COMPLETE]
    usable = [trial for trial in complete if trial.number not in trials.unusable and trial.value is not None]
    ranked = sorted(usable, key=lambda trial: (sign * (trial.value or 0.0), trial.number))[:KEPT_WEIGHTS]
    whole, of_the_best = 0, inspection.folder / paths.BEST / paths.BEST_WEIGHTS
    for trial in ranked:
        files = TrialFiles(paths.trial_folder(inspection.folder, trial.number), trial, trials.file, None, lost)
        path = files.folder / paths.WEIGHTS
        if files.folder.is_symlink():
            continue  # that is to be mended first
        if (error := files.wrong_weights(path)) is None:
            whole += 1
        elif files.wrong_weights(of_the_best) is None:
            inspection.findings.append(damaged(error, "copied from best/", copy_from(of_the_best, path)))
        elif trial is not ranked[0]:
            inspection.findings.append(do_without(error, "its weights, for ensembles", lost))
        elif trials.journal is None:
            way_out = "restore it from a backup: without the best trial's weights there are no predictions"
            inspection.findings.append(damaged(error, way_out))
        else:
            trials.train_again(trial.number, f"best.safetensors, the weights of the best trial: {error.found}")
    return whole
