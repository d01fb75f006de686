"""The file that the ledger lies in: Optuna's journal with a checksum in every record."""

import json
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from itertools import accumulate
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend

from sweep.storage import files
from sweep.storage.programs import spelled

_CHECKED = re.compile(rb'(.*),"crc":(\d+)}\n', re.DOTALL)


JournalRecord = dict[str, Any]  # as Optuna writes it


class Operation(IntEnum):
    """What a record does, by the number that Optuna writes. Drivers of a sweep write no other ones."""

    CREATE_STUDY = 0
    CREATE_TRIAL = 4
    SET_TRIAL_STATE_VALUES = 6
    SET_TRIAL_INTERMEDIATE_VALUE = 7
    SET_TRIAL_USER_ATTR = 8


class JournalError(files.DamagedError):
    """The journal is not what was written."""


class ForeignWriterError(JournalError):
    """Somebody else wrote into the journal while this driver held the sweep."""

    exit_code = 75


class Journal(BaseJournalBackend):
    """One JSON record a line, each with the CRC-32 of the rest of its line.

    Optuna's own file backend has no checksums (one flipped bit in 23 opens with other
    content) and a lock that blocks the next driver for 30 s after a crash; here the
    driver holds the sweep's lock, and readers need none. Optuna ignores the key `crc`.

    Raises:
      JournalError: from reading, where a record's checksum differs. A last line without
        its end is a write that did not finish: readers do not see it, `repair_tail` mends it.
      ForeignWriterError: from writing, where the file has records that this object did not
        write or read: on a network folder whose locks do not work two drivers can start.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offsets = [0]  # of each record read or written so far, and of the next
        self._held: list[JournalRecord] | None = None  # what waits for the end of `together`

    def read_logs(self, log_number_from: int) -> Iterable[JournalRecord]:
        known = min(log_number_from, len(self._offsets) - 1)
        records = []
        files.check_regular(self.path)
        with open(self.path, "rb") as file:
            file.seek(self._offsets[known])
            for number, line in enumerate(file, start=known):
                if not line.endswith(b"\n"):
                    break
                if number + 1 == len(self._offsets):
                    self._offsets.append(self._offsets[number] + len(line))
                if number >= log_number_from:
                    if (record := parse(line)) is None:
                        raise JournalError(
                            self.path,
                            "the record's checksum differs: it was altered after it was written",
                            f"`{spelled('check')} {self.path.parent} --repair` mends what can be mended",
                            line=number + 1,
                        )
                    records.append(record)
        return records

    @contextmanager
    def together(self) -> Iterator[None]:
        """What the block appends is written at its end, at once: no reader sees it before. After an error none is."""
        self._held = []
        try:
            yield
            held = self._held
        finally:
            self._held = None
        self.append_logs(held)

    def append_logs(self, logs: list[JournalRecord]) -> None:
        if self._held is not None:
            self._held += logs
            return
        if self.path.stat().st_size != self._offsets[-1]:
            found = "another driver wrote into it while this one held the sweep"
            raise ForeignWriterError(self.path, found, "do locks work here?")
        lines = [line_of(log) for log in logs]
        files.append(self.path, b"".join(lines))
        self._offsets += [self._offsets[-1] + end for end in accumulate(map(len, lines))]


def line_of(record: JournalRecord) -> bytes:
    """A record as it stands in the file, its checksum at the end."""
    body = json.dumps(record, separators=(",", ":")).encode().removesuffix(b"}")
    return body + b',"crc":%d}\n' % zlib.crc32(body)


def parse(line: bytes) -> JournalRecord | None:
    """The record of a line, without its checksum; None where that differs."""
    match = _CHECKED.fullmatch(line)
    if match is None or match[2] != b"%d" % zlib.crc32(match[1]):
        return None
    try:
        record = json.loads(match[1] + b"}")
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def repair_tail(path: Path) -> int:
    """Mends a last line without its end: a record that lacks nothing else gets it, any other is cut off.

    Returns: how many bytes were cut off.

    Raises:
      DamagedError: it is no regular file, or a link: what it leads to is not ours to cut.
    """
    files.check_regular(path)
    if path.is_symlink():
        raise JournalError(path, f"is a link to {path.readlink()}", "put the file itself there")
    content = path.read_bytes()
    start = content.rfind(b"\n") + 1
    tail = content[start:]
    if not tail:
        return 0
    if parse(tail + b"\n") is not None:
        files.append(path, b"\n")
        return 0
    files.truncate(path, start)
    return len(tail)
