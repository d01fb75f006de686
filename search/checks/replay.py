"""What a journal says, damaged or not: its whole records, and the trials that they make."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import BaseJournalBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from search.checks.findings import Finding
from search.checks.identity import numbers
from storage.journal import JournalRecord, Operation, parse
from storage.sweep_file import SweepFile
from storage.text import counted
from trainable.metrics import named

SMALLEST_TRIAL = 200  # bytes of its first record: damaged lines held at most so many
SPARE_NUMBERS = 100  # of trials of which neither a record nor a folder is left
AFTER_THE_FIRST = (
    Operation.SET_TRIAL_USER_ATTR,
    Operation.SET_TRIAL_INTERMEDIATE_VALUE,
    Operation.SET_TRIAL_STATE_VALUES,
)


@dataclass(frozen=True)
class Line:
    """A line of the journal.

    Attributes:
      number: from 1.
      record: None where the line is damaged.
    """

    number: int
    text: bytes
    record: Any

    @property
    def operation(self) -> Any:
        return self.record.get("op_code")

    @property
    def config(self) -> Any:
        """Of the trial that the record begins; None where it has none."""
        try:
            return self.record["user_attrs"]["config"]
        except (KeyError, TypeError):
            return None


@dataclass
class Replayed:
    """What a journal says of a sweep's trials.

    Attributes:
      records: how many are whole.
      trials: by number, of which each has what is left of it.
      without_first: numbers of trials that lack their first record, the one with the config and the parameters.
      torn_bytes: of a last record that was not finished.
      is_ours: False where it is another sweep's; nothing of it can be used then.
      findings: without a mend: that is the caller's, who knows the folders too.
    """

    records: int = 0
    trials: list[FrozenTrial] = field(default_factory=list)
    without_first: set[int] = field(default_factory=set)
    torn_bytes: int = 0
    is_ours: bool = True
    findings: list[Finding] = field(default_factory=list)


class JournalInMemory(BaseJournalBackend):
    """Optuna reads and writes it as it does a file."""

    def __init__(self, records: list[JournalRecord]) -> None:
        self.records = records

    def read_logs(self, log_number_from: int) -> list[JournalRecord]:
        return self.records[log_number_from:]

    def append_logs(self, logs: list[JournalRecord]) -> None:
        self.records += logs


def replay(path: Path, content: bytes, file: SweepFile, folders: set[int]) -> Replayed:
    """Replays each whole record, whatever stands around it.

    A record that begins a trial says which by its config, and every other one by its
    `trial_id`: so it matters little what is lost before it.

    Args:
      path: of the journal, whose `content` this is.
      folders: numbers of the trials that have one.
    """
    result = Replayed()
    *ended, tail = content.split(b"\n")
    lines = [Line(number, text, parse(text + b"\n")) for number, text in enumerate(ended, start=1)]
    if tail and (record := parse(tail + b"\n")) is not None:
        lines.append(Line(len(lines) + 1, tail, record))  # the next start gives it its end
    else:
        result.torn_bytes = len(tail)
    whole = [line for line in lines if line.record is not None]
    result.records = len(whole)
    beginnings = sum(line.operation == Operation.CREATE_TRIAL for line in whole)
    damaged_bytes = sum(len(line.text) for line in lines if line.record is None)
    limit = beginnings + damaged_bytes // SMALLEST_TRIAL + len(folders) + SPARE_NUMBERS
    number_of = numbers(file, limit)
    _name_damaged(path, lines, number_of, result)
    direction = StudyDirection[named(file.settings.metric).direction.upper()]
    study = {"op_code": Operation.CREATE_STUDY, "study_name": file.id, "directions": [direction]}
    begun: dict[int, Line] = {}
    later: list[Line] = []
    for line in whole:
        if line.operation == Operation.CREATE_STUDY:
            result.is_ours &= study.items() <= line.record.items()
        elif line.operation == Operation.CREATE_TRIAL:
            number = number_of(line.config)
            if number is None:
                result.findings.append(_left_out(path, line, "begins a trial whose config is none of this sweep's"))
            elif number in begun:
                result.findings.append(_left_out(path, line, f"begins trial {number} for the second time"))
            else:
                begun[number] = line
        elif line.operation in AFTER_THE_FIRST:
            later.append(line)
        else:
            result.findings.append(_left_out(path, line, "is of a kind that no driver of a sweep writes"))
    result.is_ours &= bool(begun) or not beginnings
    if result.is_ours:
        ids = {line.record["trial_id"] for line in later if type(line.record.get("trial_id")) is int}
        known = {number for number in begun.keys() | ids | folders if 0 <= number < limit}
        result.without_first = set(range(max(known, default=-1) + 1)) - begun.keys()
        _apply(path, study, begun, later, result)
        is_all = whole and not result.findings and not result.without_first
        if is_all and _in_order([line.record for line in whole]) != result.trials:
            found = "does not begin with the study, or its records are not in the order in which they were written"
            result.findings.append(Finding(path, found, "they are put in order"))
    return result


def _name_damaged(path: Path, lines: list[Line], number_of: Callable[[Any], int | None], result: Replayed) -> None:
    """Names the trial of each damaged record, where what is left of the line tells it."""

    def trial(line: Line) -> int | None:
        if match := re.search(rb'"trial_id":(\d{1,9})\b', line.text):
            return int(match[1])
        return number_of({"seed": int(match[1])}) if (match := re.search(rb'"seed":(\d{1,10})\b', line.text)) else None

    for (is_whole, number), group in groupby(
        lines, lambda line: (line.record is not None, None if line.record else trial(line))
    ):
        if is_whole:
            continue
        damaged = list(group)
        whose = "that names no trial" if number is None else f"of trial {number}, by what is left of it"
        found = f"its checksum differs: a record {whose}"
        if len(damaged) > 1:
            found = f"the checksums of {counted(len(damaged), 'line')} from here on differ: records {whose}"
        way_out = "left out, and what the trials' folders know of it written anew"
        loss = "what they do not know"
        result.findings.append(Finding(path, found, way_out, line=damaged[0].number, loss=loss))


def _apply(path: Path, study: JournalRecord, begun: dict[int, Line], later: list[Line], result: Replayed) -> None:
    """Replays the records as Optuna does, but each alone, and with a place for every trial."""
    journal = JournalInMemory([study | {"worker_id": ""}])
    storage = optuna.storages.JournalStorage(journal)

    def apply(record: JournalRecord, line: Line | None = None) -> bool:
        journal.records.append(record)
        try:
            storage.get_study_directions(0)  # reads what is new
        except Exception as error:  # its checksum is right, so this is how it was written
            if line:
                result.findings.append(_left_out(path, line, f"cannot be replayed ({error!r})"))
            return False
        return True

    no_trial = {"op_code": Operation.CREATE_TRIAL, "study_id": 0, "worker_id": "", "datetime_start": None}
    for number in sorted(begun.keys() | result.without_first):
        line = begun.get(number)
        if line is None or not apply(line.record | {"study_id": 0}, line):
            result.without_first.add(number)
            apply(no_trial)
    for line in later:
        apply(line.record, line)
    result.trials = storage.get_all_trials(0, deepcopy=False)


def _in_order(records: list[JournalRecord]) -> list[FrozenTrial] | None:
    """Returns the trials that Optuna makes of the records; None where it cannot."""
    try:
        return optuna.storages.JournalStorage(JournalInMemory(records)).get_all_trials(0, deepcopy=False)
    except Exception:  # whatever a record lacks
        return None


def _left_out(path: Path, line: Line, what: str) -> Finding:
    return Finding(path, f"the record {what}: it is not the driver's", "left out", line=line.number)
