"""Reads a journal, damaged or not: finds its whole records and replays the trials that they describe."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import BaseJournalBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from sweep.search.checks.findings import Finding
from sweep.search.checks.identity import is_of
from sweep.storage.journal import JournalRecord, Operation, parse
from sweep.storage.sweep_file import SweepFile
from sweep.storage.text import counted
from sweep.trainable.metrics import named

SMALLEST_TRIAL = 200  # bytes of a trial's first record, which limit how many trials damaged lines may have begun
SPARE_NUMBERS = 100  # further trial numbers, for trials that left neither a record nor a folder
AFTER_THE_FIRST = (
    Operation.SET_TRIAL_USER_ATTR,
    Operation.SET_TRIAL_INTERMEDIATE_VALUE,
    Operation.SET_TRIAL_STATE_VALUES,
)
# stands in for a trial whose first record is lost: RUNNING, without a config
PLACEHOLDER = {"op_code": Operation.CREATE_TRIAL, "study_id": 0, "worker_id": "", "datetime_start": None}


@dataclass
class Replayed:
    """The trials that a journal describes, and the damage that was found in it.

    Attributes:
      records: the number of whole records.
      torn_bytes: the bytes of a last record that was not finished.
      trials: by number, each with what is left of it; a trial whose first record is lost has no config.
      is_ours: False if the journal belongs to another sweep; then nothing of it can be used.
      findings: the damages, without a mend; the caller, who also knows the folders, adds it.
    """

    records: int
    torn_bytes: int
    trials: list[FrozenTrial] = field(default_factory=list)
    is_ours: bool = True
    findings: list[Finding] = field(default_factory=list)


class JournalInMemory(BaseJournalBackend):
    """A journal in memory, which Optuna reads and writes as it does a file."""

    def __init__(self, records: list[JournalRecord]) -> None:
        self.records = records

    def read_logs(self, log_number_from: int) -> list[JournalRecord]:
        """Returns the records from this number on."""
        return self.records[log_number_from:]

    def append_logs(self, logs: list[JournalRecord]) -> None:
        """Appends records."""
        self.records += logs


def replay(path: Path, content: bytes, file: SweepFile, folders: set[int]) -> Replayed:
    """Replays each whole record, whatever damage is around it.

    A record that begins a trial identifies it by its config, and every other record by its `trial_id`, so it matters
    little which records before it are lost.

    Args:
      path: the journal, whose content is `content`.
      file: the content of `sweep.json`, which says what the config of each trial must be.
      folders: the numbers of the trials whose folder still holds their config.

    Returns:
      The trials and the damage; without trials if `is_ours` is False.
    """
    *lines, tail = content.split(b"\n")
    lacks_its_end = parse(tail + b"\n") is not None
    if lacks_its_end:
        lines.append(tail)  # only its newline is missing, which the next start adds
    parsed_lines = {line: parse(text + b"\n") for line, text in enumerate(lines, start=1)}
    records = {line: record for line, record in parsed_lines.items() if record is not None}
    damaged_lines = {line: lines[line - 1] for line, record in parsed_lines.items() if record is None}
    result = Replayed(len(records), 0 if lacks_its_end else len(tail))
    beginnings = sum(record.get("op_code") == Operation.CREATE_TRIAL for record in records.values())
    limit = beginnings + sum(map(len, damaged_lines.values())) // SMALLEST_TRIAL + len(folders) + SPARE_NUMBERS
    first_lines: dict[int, int] = {}  # the lines that begin trials, by the trial's number
    later_lines: list[int] = []

    def number_of(config: Any) -> int | None:
        # The next number is tried first, because it is the usual case.
        numbers = chain(range(len(first_lines), limit), range(len(first_lines)))
        return next((number for number in numbers if is_of(file, number, config)), None)

    def leave_out(line: int, problem: str) -> None:
        description = f"the record {problem}: it is not the driver's"
        result.findings.append(Finding(path, description, "left out", line=line))

    result.findings += _name_damaged(path, damaged_lines, number_of)
    direction = StudyDirection[named(file.settings.metric).direction.upper()]
    study = {"op_code": Operation.CREATE_STUDY, "study_name": file.id, "directions": [direction]}
    for line, record in records.items():
        operation = record.get("op_code")
        if operation == Operation.CREATE_STUDY:
            result.is_ours &= study.items() <= record.items()
        elif operation == Operation.CREATE_TRIAL:
            attributes = record.get("user_attrs")
            number = number_of(attributes.get("config") if isinstance(attributes, dict) else None)
            if number is None:
                leave_out(line, "begins a trial whose config is none of this sweep's")
            elif number in first_lines:
                leave_out(line, f"begins trial {number} for the second time")
            else:
                first_lines[number] = line
        elif operation in AFTER_THE_FIRST:
            number = record.get("trial_id")
            if type(number) is int and 0 <= number < limit:
                later_lines.append(line)
            else:
                leave_out(line, f"is of a trial that this sweep cannot have, {number!r}")
        else:
            leave_out(line, "is of a kind that no driver of a sweep writes")
    result.is_ours &= bool(first_lines) or not beginnings
    if not result.is_ours:
        return result
    # First each trial gets a record, its own or a placeholder, in the order of numbers. Then Optuna replays the other
    # records one at a time, so that a bad one costs only itself.
    journal = JournalInMemory([study | {"worker_id": ""}])
    storage = optuna.storages.JournalStorage(journal)

    def apply(line: int, **changes: Any) -> bool:
        journal.records.append(records[line] | changes)
        try:
            storage.get_study_directions(0)  # makes Optuna read the new record
        except Exception as error:  # its checksum is right, so it was written like this
            leave_out(line, f"cannot be replayed ({error!r})")
            return False
        return True

    ids = {records[line]["trial_id"] for line in later_lines}
    trial_numbers = [number for number in range(limit) if number in first_lines or number in folders or number in ids]
    for number in range(max(trial_numbers, default=-1) + 1):
        if number not in first_lines or not apply(first_lines[number], study_id=0):
            journal.records.append(PLACEHOLDER)
    for line in later_lines:
        apply(line)
    result.trials = storage.get_all_trials(0, deepcopy=False)
    is_complete = records and len(first_lines) == len(result.trials) and not result.findings
    operations = [record.get("op_code") for record in records.values()]
    begins_with_study = operations[:1] == [Operation.CREATE_STUDY] and operations.count(Operation.CREATE_STUDY) == 1
    comes_after_first = all(first_lines.get(records[line]["trial_id"], line) < line for line in later_lines)
    if is_complete and not (begins_with_study and list(first_lines) == sorted(first_lines) and comes_after_first):
        description = "does not begin with the study, or its records are not in the order in which they were written"
        result.findings.append(Finding(path, description, "they are put in order"))
    return result


def _name_damaged(path: Path, damaged_lines: dict[int, bytes], number_of: Callable[[Any], int | None]) -> list[Finding]:
    """Returns a finding for each group of adjacent damaged records that belong to one trial.

    The rest of a damaged line often identifies its trial.

    Args:
      damaged_lines: the damaged lines by their numbers.
    """

    def trial(text: bytes) -> int | None:
        if match := re.search(rb'"trial_id":(\d{1,9})\b', text):
            return int(match[1])
        return number_of({"seed": int(match[1])}) if (match := re.search(rb'"seed":(\d{1,10})\b', text)) else None

    findings = []
    of_lines = [(line - position, line, trial(text)) for position, (line, text) in enumerate(damaged_lines.items())]
    for (_, number), group in groupby(of_lines, lambda of_line: (of_line[0], of_line[2])):
        lines = [line for _, line, _ in group]
        owner = "that names no trial" if number is None else f"of trial {number}, by what is left of it"
        description = f"its checksum differs: a record {owner}"
        if len(lines) > 1:
            description = f"the checksums of {counted(len(lines), 'line')} from here on differ: records {owner}"
        way_out = "left out, and what the trials' folders know of it written anew"
        findings.append(Finding(path, description, way_out, line=lines[0], loss="what they do not know"))
    return findings
