"""What a journal says, damaged or not: its whole records, those that lack one bit, and the trials that they make."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from optuna.storages.journal._storage import JournalOperation, JournalStorageReplayResult
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from analysis.report.contents import plain
from search.checks.findings import Finding
from search.checks.identity import numbers
from storage.journal import parse
from storage.sweep_file import SweepFile

SHOWN_CHARACTERS = 80  # of a damaged record
MOST_BYTES_TO_TURN = 8192  # of a damaged stretch in which each bit is tried, in a second
SMALLEST_TRIAL = 200  # bytes of its first record: a damaged stretch held at most so many
SPARE_NUMBERS = 100  # of trials of which neither a record nor a folder is left
RECORD_START = b'{"op_code":'
WRITTEN = (
    JournalOperation.SET_TRIAL_USER_ATTR,
    JournalOperation.SET_TRIAL_INTERMEDIATE_VALUE,
    JournalOperation.SET_TRIAL_STATE_VALUES,
)
Line = tuple[int, dict[str, Any]]  # its number from 1, and its record
NO_TRIAL = {"op_code": JournalOperation.CREATE_TRIAL, "study_id": 0, "worker_id": "", "datetime_start": None}


@dataclass
class Said:
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


def replay(path: Path, content: bytes, file: SweepFile, direction: StudyDirection, folders: set[int]) -> Said:
    """Replays each record that can be, whatever stands around it.

    A record that begins a trial says which by its config, and every other one by its
    `trial_id`: so it matters little what is lost before it.

    Args:
      path: of the journal, whose `content` this is.
      folders: numbers of the trials that have one.
    """
    said = Said()
    records, damaged_bytes = _records(path, content, said)
    said.records = len(records)
    study = {"op_code": JournalOperation.CREATE_STUDY, "study_name": file.id, "directions": [direction]}
    beginnings = sum(record.get("op_code") == JournalOperation.CREATE_TRIAL for _, record in records)
    limit = beginnings + damaged_bytes // SMALLEST_TRIAL + len(folders) + SPARE_NUMBERS
    number_of = numbers(file, limit)
    begun: dict[int, Line] = {}
    later: list[Line] = []
    for line, record in records:
        operation = record.get("op_code")
        if operation == JournalOperation.CREATE_STUDY:
            said.is_ours &= study.items() <= record.items()
        elif operation == JournalOperation.CREATE_TRIAL:
            number = number_of(_config(record))
            if number is None:
                said.findings.append(_left_out(path, line, "begins a trial whose config is none of this sweep's"))
            elif number in begun:
                said.findings.append(_left_out(path, line, f"begins trial {number} for the second time"))
            else:
                begun[number] = line, record
        elif operation in WRITTEN:
            later.append((line, record))
        else:
            said.findings.append(_left_out(path, line, "is of a kind that no driver of a sweep writes"))
    said.is_ours &= bool(begun) or not beginnings
    if said.is_ours:
        ids = {record["trial_id"] for _, record in later if type(record.get("trial_id")) is int}
        known = {number for number in begun.keys() | ids | folders if 0 <= number < limit}
        said.without_first = set(range(max(known, default=-1) + 1)) - begun.keys()
        _apply(path, study, begun, later, said)
        if records and not said.findings and not said.without_first and _in_order(records) != said.trials:
            found = "does not begin with the study, or its records are not in the order in which they were written"
            said.findings.append(Finding(path, found, "they are put in order"))
    return said


def _apply(path: Path, study: dict[str, Any], begun: dict[int, Line], later: list[Line], said: Said) -> None:
    """Replays the records as Optuna does, but each alone, and with a place for every trial."""
    replayed = JournalStorageReplayResult("nobody")
    replayed.apply_logs([study | {"worker_id": ""}])

    def apply(line: int, record: dict[str, Any]) -> bool:
        try:
            replayed.apply_logs([record])
        except Exception as error:  # its checksum is right, so this is how it was written
            said.findings.append(_left_out(path, line, f"cannot be replayed ({error!r})"))
            return False
        return True

    for number in sorted(begun.keys() | said.without_first):
        line, record = begun.get(number, (0, NO_TRIAL))
        if not apply(line, record | {"study_id": 0}):
            said.without_first.add(number)
            replayed.apply_logs([NO_TRIAL])
    for line, record in later:
        apply(line, record)
    said.trials = replayed.get_all_trials(0, None)


def _in_order(records: list[Line]) -> list[FrozenTrial] | None:
    """The trials that Optuna makes of the records; None where it cannot."""
    replayed = JournalStorageReplayResult("nobody")
    try:
        replayed.apply_logs(record for _, record in records)
        return replayed.get_all_trials(0, None)
    except Exception:  # whatever a record lacks
        return None


def _records(path: Path, content: bytes, said: Said) -> tuple[list[Line], int]:
    """The whole records with the numbers of their lines, and how many bytes the damaged ones have."""
    pieces = re.findall(rb"[^\n]*\n|[^\n]+", content)
    parsed = [(line, piece, parse(piece)) for line, piece in enumerate(pieces, start=1)]
    records: list[Line] = []
    damaged_bytes = 0
    # A last line without its end is a stretch of its own: it may be a write that did not finish.
    for (is_whole, is_ended), group in groupby(parsed, lambda part: (part[2] is not None, part[1].endswith(b"\n"))):
        stretch = list(group)
        if is_whole:
            records += [(line, record) for line, _, record in stretch if record is not None]
            continue
        first, last = stretch[0][0], stretch[-1][0]
        place = f"{path}:{first}" if first == last else f"{path}:{first}-{last}"
        damaged = b"".join(piece for _, piece, _ in stretch)
        if not is_ended and (record := parse(damaged + b"\n")) is not None:
            records.append((first, record))  # the next start gives it its end
        elif (turned := _one_bit_turned(damaged)) is not None:
            records += [(first, record) for record in turned]
            said.findings.append(Finding(place, "one bit is not as it was written", "it is turned back"))
        elif not is_ended:
            said.torn_bytes = len(damaged)
        else:
            rest = b""
            for line, piece, _ in stretch:  # a lost line end costs the record before it, not the one behind
                start = max(0, piece.rfind(RECORD_START))
                if start and (record := parse(piece[start:])) is not None:
                    records.append((line, record))
                    piece = piece[:start]
                rest += piece
            damaged_bytes += len(rest)
            words = plain(re.sub(rb'"worker_id":"[^"]*",', b"", rest[:300]).decode(errors="replace"))
            found = "its checksum differs" + (f"; it begins {words[:SHOWN_CHARACTERS]}" if words else "")
            way_out = "left out, and what the trials' folders know of it written anew"
            said.findings.append(Finding(place, found, way_out, loss="what they do not know"))
    return records, damaged_bytes


def _one_bit_turned(content: bytes) -> list[dict[str, Any]] | None:
    """The records of damaged lines in which, one bit turned, every checksum is right.

    A CRC-32 tells all single flipped bits in so few bytes apart, so what it finds is what
    was written. A line end may be the damaged byte, or may be what a byte became.
    """
    if len(content) > MOST_BYTES_TO_TURN:
        return None
    found = [records for turned in _each_bit_turned(content) if (records := _all_parsed(turned)) is not None]
    return found[0] if len(found) == 1 else None


def _each_bit_turned(content: bytes) -> Iterator[bytes]:
    turned = bytearray(content)
    for position in range(len(content)):
        for bit in range(8):
            turned[position] ^= 1 << bit
            yield bytes(turned)
            turned[position] ^= 1 << bit


def _all_parsed(lines: bytes) -> list[dict[str, Any]] | None:
    """The records of whole lines; None where one is damaged."""
    *whole, rest = lines.split(b"\n")
    records = []
    for line in whole:
        if (record := parse(line + b"\n")) is None:
            return None
        records.append(record)
    return None if rest or not records else records


def _left_out(path: Path, line: int, what: str) -> Finding:
    return Finding(f"{path}:{line}", f"the record {what}: it is not the driver's", "left out")


def _config(record: dict[str, Any]) -> Any:
    """Of the trial that a record begins; None where it has none."""
    try:
        return record["user_attrs"]["config"]
    except (KeyError, TypeError):
        return None
