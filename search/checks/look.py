"""Looks a sweep's folder over and says what is not as it must be. Only reads."""

import os
import re
import shutil
import stat
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from optuna.trial import TrialState

from analysis.commands import command_to_go_on
from analysis.record import Record, trial_folder
from search.checks.findings import Backup, Finding, Mend, known_losses, move_away, of, remove_left_over, without
from search.checks.identity import is_of
from search.checks.kept import TrialFolder
from search.checks.mending import Kept
from search.checks.outputs import Outputs
from search.checks.replay import replay
from search.checks.restored import RESTORE_DATABASE, Restored, direction
from search.runtime.settings import read_sweep
from search.runtime.trial_files import KEPT_WEIGHTS
from storage.errors import SweepError
from storage.files import DamagedError, check_regular, make_folder, written_whole
from storage.journal import repair_tail
from storage.text import counted
from trainable.config import ConfigError

NAMES = {  # of a sweep's files in its folder and those below it; the folders of trials look after their own
    ".": r"sweep\.json|journal\.log|lock|log\.txt|data\.csv|valid_(labels|images)\.npy|trials|best|figures|demo-images|"
    r"repeat|refit|tensorboard|[^/]*\.onnx|[^/]*-card\.md|"
    r"backup-\d+|trials\.csv|(trials|epochs)\.parquet|report\.(html|md)|(predictions|probabilities)(-.*)?\.csv",
    "trials": r"\d{4,}",
    "best": r"model\.safetensors|config\.json",
    "figures": r".*\.png",
}
SHOWN_FILES = 5


@dataclass
class Look:
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

    def say(self, place: Path, found: str, way_out: str, mend: Mend | None = None) -> None:
        self.findings.append(Finding(place, found, way_out, mend=mend))

    def note(self, place: Path, found: str, way_out: str, mend: Mend | None = None) -> None:
        self.findings.append(Finding(place, found, way_out, mend=mend, is_problem=False))


def look(folder: Path) -> Look:
    """Raises:
    SweepError: there is no sweep.
    OSError: the storage fails.
    """
    found = Look(folder)
    path = folder / "sweep.json"
    way_out = "restore it from a backup: without it nothing else can be checked, and nothing mended"
    try:
        record, file = Record(folder), read_sweep(folder)
    except (DamagedError, ConfigError) as error:
        found.say(path, of(error), way_out)
        return found
    except SweepError:
        if not _numbered(folder):
            raise
        found.say(path, "missing, and there are trials", way_out)
        return found
    _check_names(found)
    outputs = Outputs(folder, file, known_losses(folder))
    outputs.check_data()
    restored = Restored(file, folder, None if file.settings.ledger else folder / "journal.log")
    records = _read_database(found, record, restored) if file.settings.ledger else _read_journal(found, restored)
    if records is not None:
        so_far = len(found.findings)
        _check_trials(found, restored, outputs)
        weights = _check_weights(found, restored, outputs.gone)
        found.findings[so_far:so_far] = restored.findings  # the ledger's first: they explain others
        states = Counter(trial.state.name for trial in restored.trials)
        ended = len(restored.trials) - states["RUNNING"]
        if ended and file.results_of == ended and not found.problems and not outputs.findings:
            outputs.check_results(record)
        elif ended and file.results_of != ended:
            way_out = f"made anew by {command_to_go_on(record) or 'the command of the sweep'}"
            found.note(
                folder,
                f"report, tables, best/ and predictions are not of all {counted(ended, 'ended trial')}",
                way_out,
            )
        counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        found.words = (
            f"{records}, {counted(len(restored.trials), 'trial')} ({counts or 'none yet'}), the weights of {weights}"
        )
        found.words += f", results of {file.results_of}" if ended and file.results_of == ended else ""
    found.findings += outputs.findings
    if found.foreign:
        names = ", ".join(sorted(str(path.relative_to(folder)) for path in found.foreign)[:SHOWN_FILES])
        more = f" and {len(found.foreign) - SHOWN_FILES} more" if len(found.foreign) > SHOWN_FILES else ""
        found.note(folder, f"files that are not a sweep's: {names}{more}", "nothing reads them")
    return found


def _check_names(found: Look) -> None:
    """What was left over, and what is not a sweep's."""
    for below, pattern in NAMES.items():
        folder = found.folder / below
        if folder.is_symlink() and folder != found.folder:
            found.note(folder, f"is a link to {folder.readlink()}", "nothing, if that is meant so")
            continue
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name.endswith(".partial") and re.fullmatch(pattern, path.name.removesuffix(".partial")):
                left_over = "left over: a write that did not finish"
                found.note(path, left_over, "removed", mend=remove_left_over(path))
            elif not re.fullmatch(pattern, path.name):
                found.foreign.append(path)
    lock = found.folder / "lock"
    if os.path.lexists(lock) and not stat.S_ISREG(lock.lstat().st_mode):
        found.say(lock, "must be a file, and is a link or a pipe", "remove it; until then no driver can start")


def _read_database(found: Look, record: Record, restored: Restored) -> str | None:
    """What the ledger is, in words; None where it cannot be used."""
    try:
        said = record.study.get_trials(deepcopy=False)
    except SweepError as error:
        found.say(found.folder, str(error), "where there are no trials yet, its command begins it")
        return None
    restored.restore(said)
    return record.settings.ledger


def _read_journal(found: Look, restored: Restored) -> str | None:
    """As `_read_database`."""
    file, path = restored.file, found.folder / "journal.log"
    content = b""
    folders = {
        number
        for number, folder in _numbered(found.folder).items()
        if Kept.of(folder).config(partial(is_of, file, number)) is not None
    }
    try:
        check_regular(path)
        content = path.read_bytes()
        if path.is_symlink():
            restored.say(
                Finding(path, f"must be a file, and is a link to {path.readlink()}", "replaced by its content")
            )
    except FileNotFoundError:
        if folders:
            restored.say(Finding(path, "missing, and there are trials", "written anew from what their folders know"))
    except DamagedError as error:
        restored.say(Finding(path, of(error), "moved away, and written anew from what the trials' folders know"))
    said = replay(path, content, file, direction(file.settings.metric), folders)
    if not said.is_ours:
        found.say(
            path, "has another sweep's id, metric or seeds than sweep.json", "restore the one that is not this sweep's"
        )
        return None

    def cut(backup: Backup) -> None:
        backup.copy(path)
        repair_tail(path)

    if said.torn_bytes and not path.is_symlink():
        found.note(
            path, f"ends in {counted(said.torn_bytes, 'byte')} of a record that was not finished", "cut off", mend=cut
        )
    for finding in said.findings:
        restored.say(finding)
    restored.restore(said.trials, said.without_first)
    return counted(said.records, "record")


def _numbered(folder: Path) -> dict[int, Path]:
    """The folders of trials by number."""
    found = (folder / "trials").iterdir() if (folder / "trials").is_dir() else ()
    named = ((int(path.name), path) for path in found if re.fullmatch(NAMES["trials"], path.name, re.ASCII))
    return {number: path for number, path in sorted(named) if path == trial_folder(folder, number)}


def _check_trials(found: Look, restored: Restored, outputs: Outputs) -> None:
    for trial in restored.trials:
        if trial.number not in restored.again | restored.unusable:
            checked = TrialFolder(
                trial_folder(found.folder, trial.number), trial, restored.file, outputs.labels, outputs.gone
            )
            checked.check()
            found.findings += checked.findings
            found.foreign += checked.foreign
    for number, path in _numbered(found.folder).items():
        if number >= len(restored.trials):
            there = f"is no trial of this sweep, whose ledger has {len(restored.trials)}"
            if restored.journal is None:
                found.say(path, there, RESTORE_DATABASE)
            else:
                found.say(path, there, "moved away", mend=move_away(path))


def _check_weights(found: Look, restored: Restored, gone: set[Path]) -> int:
    """Of the best COMPLETE trials, whose weights are kept; returns how many are whole."""
    sign = 1 if restored.file.settings.metric == "loss" else -1
    complete = [trial for trial in restored.trials if trial.state == TrialState.COMPLETE]
    usable = [trial for trial in complete if trial.number not in restored.unusable and trial.value is not None]
    ranked = sorted(usable, key=lambda trial: (sign * (trial.value or 0.0), trial.number))[:KEPT_WEIGHTS]
    whole, copied = 0, found.folder / "best" / "model.safetensors"
    for trial in ranked:
        folder = TrialFolder(trial_folder(found.folder, trial.number), trial, restored.file, None, gone)
        path = folder.folder / "best.safetensors"
        if folder.folder.is_symlink():
            continue  # that is to be mended first
        if not (wrong := folder.wrong_weights(path)):
            whole += 1
        elif not folder.wrong_weights(copied):
            found.say(path, wrong, "copied from best/", mend=_copy(copied, path))
        elif trial is not ranked[0]:
            found.findings.append(without(path, wrong, "its weights, for ensembles", gone))
        elif restored.journal is None:
            found.say(
                path, wrong, "restore it from a backup: without the best trial's weights there are no predictions"
            )
        else:
            restored.train_again(trial.number, f"best.safetensors, the weights of the best trial: {wrong}")
    return whole


def _copy(source: Path, path: Path) -> Mend:
    def mend(backup: Backup) -> None:
        if os.path.lexists(path):
            backup.take(path)
        make_folder(path.parent)
        with written_whole(path) as partial:
            shutil.copyfile(source, partial)

    return mend
