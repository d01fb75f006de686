"""Inspects a sweep's folder and reports what is not as it must be; it only reads."""

import os
import re
import stat
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
from optuna.trial import TrialState

from sweep.analysis.commands import command_to_go_on
from sweep.analysis.estimates.ensembles import ensembles
from sweep.analysis.record import Record
from sweep.analysis.trial_record import is_paused
from sweep.search.checks.backup import Backup, copy, lost_before, move_away
from sweep.search.checks.findings import Finding, Inspection
from sweep.search.checks.identity import FolderContent
from sweep.search.checks.replay import replay
from sweep.search.checks.sweep_files import check_data, check_results
from sweep.search.checks.trial_folder import TrialFiles
from sweep.search.checks.trials import RESTORE_DATABASE, Trials
from sweep.search.runtime.settings import read_sweep
from sweep.search.runtime.trial_files import Ranked, with_weights
from sweep.storage import paths
from sweep.storage.errors import SweepError, UserError
from sweep.storage.files import DamagedError, check_regular
from sweep.storage.journal import repair_tail
from sweep.storage.sweep_file import SweepFile
from sweep.storage.text import counted
from sweep.trainable.metrics import named

NAMES = {  # the files of a sweep by folder; `trial_folder.py` knows those in the folders of trials
    ".": r"sweep\.json|journal\.log|lock|log\.txt|data\.csv|left-out\.csv|near-duplicates\.json|submission\.(csv|json)|"
    r"given-submission(\.\w+)?|trials|"
    r"(valid_labels|valid_images|folds)\.npy|test_score\.json|best|figures|demo-images|repeat|refit|tensorboard|sinks|[^/]*\.onnx|[^/]*-card\.md|"
    r"backup-\d+|trials\.csv|(trials|epochs)\.parquet|report\.(html|md)|(predictions|probabilities|test_probabilities)(-.*)?\.csv|oof\.csv",
    "trials": r"\d{4,}",
    "best": r"model\.safetensors|config\.json",
    "figures": r".*\.png",
}
SHOWN_FILES = 5


def inspect_folder(folder: Path) -> Inspection:
    """Returns everything that is not as it must be in a sweep's folder.

    Raises:
      SweepError: there is no sweep.
      OSError: the storage fails.
    """
    inspection, path = Inspection(folder, lost_before(folder)), folder / paths.SWEEP_FILE
    way_out = "restore it from a backup: without it nothing else can be checked, and nothing mended"
    try:
        record, file = Record(folder), read_sweep(folder)
    except UserError as error:
        damage = error if isinstance(error, DamagedError) else DamagedError(path, str(error))
        if isinstance(error, SweepError):
            if not _trial_folders(folder):
                raise
            damage = DamagedError(path, "missing, and there are trials")
        inspection.note_damage(damage, way_out)
        return inspection
    _check_names(inspection)
    position = len(inspection.findings)
    trials = _read_database(inspection, record) if file.settings.ledger else _read_journal(inspection, file)
    labels, test_ids, folds = check_data(inspection, file.classes)
    if trials is not None:
        _check_trials(inspection, trials, labels, folds)
        weights = _check_weights(inspection, trials)
        inspection.findings[position:position] = trials.findings  # those on the ledger first, as they explain others
        states = Counter("paused" if is_paused(each.trial) else each.trial.state.name for each in trials.mendings)
        counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        inspection.words += f", {counted(states.total(), 'trial')} ({counts or 'none yet'}), the weights of {weights}"
        _check_results(inspection, record, trials, test_ids)
    if inspection.foreign:
        names = sorted(str(path.relative_to(folder)) for path in inspection.foreign)
        more = f" and {len(names) - SHOWN_FILES} more" if len(names) > SHOWN_FILES else ""
        description = f"files that are not a sweep's: {', '.join(names[:SHOWN_FILES])}{more}"
        inspection.note(folder, description, "nothing reads them", is_problem=False)
    return inspection


def _check_results(inspection: Inspection, record: Record, trials: Trials, test_ids: tuple[str, ...] | None) -> None:
    """Checks the results if the sweep has no other problem; results of damaged files are wrong in any case."""
    ended_count = sum(mending.trial.state.is_finished() for mending in trials.mendings)
    if ended_count and record.file.results_of != ended_count:
        description = f"report, tables, best/ and predictions are not of all {counted(ended_count, 'ended trial')}"
        way_out = f"made anew by {command_to_go_on(record) or 'the command of the sweep'}"
        inspection.note(inspection.folder, description, way_out, is_problem=False)
    elif ended_count:
        inspection.words += f", results of {ended_count}"
        if not inspection.problems:
            check_results(inspection, record, test_ids)


def _check_names(inspection: Inspection) -> None:
    """Reports left-over files and files that do not belong to a sweep."""
    for subfolder, pattern in NAMES.items():
        folder = inspection.folder / subfolder
        is_link = folder.is_symlink() and folder != inspection.folder  # its target does not belong to the sweep
        for path in sorted(folder.iterdir()) if folder.is_dir() and not is_link else ():
            if path.name.endswith(".partial") and re.fullmatch(pattern, path.name.removesuffix(".partial")):
                inspection.note_left_over(path, "a write that did not finish", "removed")
            elif not re.fullmatch(pattern, path.name):
                inspection.foreign.append(path)
    lock = inspection.folder / paths.LOCK
    if os.path.lexists(lock) and not stat.S_ISREG(lock.lstat().st_mode):
        inspection.note(lock, "a link or a pipe", "remove it; until then no driver can start", rule="must be a file")


def _read_database(inspection: Inspection, record: Record) -> Trials | None:
    """Returns the trials of a ledger in a database; None if the ledger cannot be used."""
    inspection.words = record.settings.ledger
    try:
        return Trials(inspection.folder, record.file, None, record.study.get_trials(deepcopy=False), ())
    except SweepError as error:
        inspection.note(inspection.folder, str(error), "where there are no trials yet, its command begins it")
        return None


def _read_journal(inspection: Inspection, file: SweepFile) -> Trials | None:
    """Returns the trials of a journal; None if the journal cannot be used."""
    path, content, findings = inspection.folder / paths.JOURNAL, b"", list[Finding]()
    folders = {n for n, folder in _trial_folders(inspection.folder).items() if FolderContent(folder).config(file, n)}
    try:
        check_regular(path)
        content = path.read_bytes()
        if path.is_symlink():
            rule, link = "must be a file", f"a link to {path.readlink()}"
            findings.append(Finding(path, link, "replaced by its content", rule))
    except FileNotFoundError:
        if folders:
            findings.append(Finding(path, "missing, and there are trials", "written anew from what their folders know"))
    except DamagedError as error:
        way_out = "moved away, and written anew from what the trials' folders know"
        findings.append(Finding(path, error.found, way_out))
    replayed = replay(path, content, file, folders)
    if not replayed.is_ours:
        rule, way_out = "must have those of sweep.json", "restore the one that is not this sweep's"
        inspection.note(path, "another sweep's id, metric or seeds", way_out, rule=rule)
        return None

    def cut(backup: Backup) -> None:
        backup.copy(path)
        repair_tail(path)

    if replayed.torn_bytes and not path.is_symlink():
        description = f"ends in {counted(replayed.torn_bytes, 'byte')} of a record that was not finished"
        inspection.note(path, description, "cut off", cut, is_problem=False)
    inspection.words = counted(replayed.records, "record")
    return Trials(inspection.folder, file, path, replayed.trials, findings + replayed.findings)


def _trial_folders(folder: Path) -> dict[int, Path]:
    """Returns the folders of trials by number."""
    entries = (folder / "trials").iterdir() if (folder / "trials").is_dir() else ()
    pairs = ((int(path.name), path) for path in entries if re.fullmatch(NAMES["trials"], path.name, re.ASCII))
    return {number: path for number, path in sorted(pairs) if path == paths.trial_folder(folder, number)}


def _check_trials(inspection: Inspection, trials: Trials, labels: np.ndarray | None, folds: np.ndarray | None) -> None:
    for mending in trials.mendings:
        if mending.is_usable and not mending.trains_again:
            TrialFiles(inspection, mending.trial, trials.file, labels, folds).check()
    for number, path in _trial_folders(inspection.folder).items():
        if number >= len(trials.mendings):
            description = f"is no trial of this sweep, whose ledger has {len(trials.mendings)}"
            if trials.journal is None:
                inspection.note(path, description, RESTORE_DATABASE)
            else:
                inspection.note(path, description, "moved away", move_away(path))


def _check_weights(inspection: Inspection, trials: Trials) -> int:
    """Checks the weights of those COMPLETE trials that keep them; returns how many are whole."""
    sign = named(trials.file.settings.metric).sign
    usable = [each for each in trials.mendings if each.is_usable and each.trial.state == TrialState.COMPLETE]
    of_kind = ensembles(trials.file.defaults.ensemble).of_kind
    ranking = with_weights([Ranked.from_trial(each.trial, each.trial.value or 0.0, sign) for each in usable], of_kind)
    by_number = {each.trial.number: each for each in usable}
    mendings = [by_number[each.number] for each in ranking]
    whole_count, best_weights = 0, inspection.folder / paths.BEST / paths.BEST_WEIGHTS
    for mending in mendings:
        files = TrialFiles(inspection, mending.trial, trials.file)
        path = files.folder / paths.WEIGHTS
        if files.folder.is_symlink():
            continue  # the folder must be mended first
        if (error := files.wrong_weights(path)) is None:
            whole_count += 1
        elif files.wrong_weights(best_weights) is None:
            inspection.note_damage(error, "copied from best/", move_away(path, partial(copy, best_weights, path)))
        elif mending is not mendings[0]:
            inspection.do_without(error, "its weights, for ensembles")
        elif trials.journal is None:
            way_out = "restore it from a backup: without the best trial's weights there are no predictions"
            inspection.note_damage(error, way_out)
        else:
            mending.train_again(f"best.safetensors, the weights of the best trial: {error.found}")
    return whole_count
