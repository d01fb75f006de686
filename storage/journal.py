"""The file that holds the ledger: Optuna's journal, with a checksum in every record."""

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

_LINE = re.compile(rb'(.*),"crc":(\d+)}\n', re.DOTALL)


JournalRecord = dict[str, Any]  # one record in the form in which Optuna writes it


class Operation(IntEnum):
    """The operations of records, by the numbers that Optuna writes. Drivers of a sweep write no other operations."""

    CREATE_STUDY = 0
    CREATE_TRIAL = 4
    SET_TRIAL_STATE_VALUES = 6
    SET_TRIAL_INTERMEDIATE_VALUE = 7
    SET_TRIAL_USER_ATTR = 8


class JournalError(files.DamagedError):
    """The journal does not hold what was written into it."""


class ForeignWriterError(JournalError):
    """Another process wrote into the journal while this driver held the lock of the sweep."""

    exit_code = 75


class Journal(BaseJournalBackend):
    """A journal file with one JSON record a line, each with the CRC-32 of the rest of its line.

    Optuna's own file backend has no checksums (of all flipped bits, one in 23 gives a file that opens with other
    content), and its lock blocks the next driver for 30 s after a crash. Here the driver holds the lock of the sweep,
    and readers need no lock. Optuna ignores the key `crc`.

    A last line without its end is a write that did not finish. Readers do not see it, and `repair_tail` mends it.

    Attributes:
      path: the path of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offsets = [0]  # at which each record that was read or written so far begins, and the next one will begin
        self._pending: list[JournalRecord] | None = None  # records that wait for the end of `together`

    def read_logs(self, log_number_from: int) -> Iterable[JournalRecord]:
        """Returns the records from a number on, from 0.

        Raises:
          JournalError: the checksum of a record differs.
        """
        start = min(log_number_from, len(self._offsets) - 1)
        records = []
        files.check_regular(self.path)
        with open(self.path, "rb") as file:
            file.seek(self._offsets[start])
            for number, line in enumerate(file, start=start):
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
        """Writes all records that the block appends at once, at its end; after an error in the block it writes none."""
        self._pending = []
        try:
            yield
            records = self._pending
        finally:
            self._pending = None
        self.append_logs(records)

    def append_logs(self, logs: list[JournalRecord]) -> None:
        """Appends records and returns once they are on the disk; inside `together` they are written at its end.

        Raises:
          ForeignWriterError: the file has records that this object neither wrote nor read. Two drivers can start on
            a network folder whose locks do not work.
        """
        if self._pending is not None:
            self._pending += logs
            return
        if self.path.stat().st_size != self._offsets[-1]:
            message = "another driver wrote into it while this one held the sweep"
            raise ForeignWriterError(self.path, message, "do locks work here?")
        lines = [line_of(log) for log in logs]
        files.append(self.path, b"".join(lines))
        self._offsets += [self._offsets[-1] + end for end in accumulate(map(len, lines))]


def line_of(record: JournalRecord) -> bytes:
    """Returns the line of the file that holds a record, with its checksum at the end."""
    body = json.dumps(record, separators=(",", ":")).encode().removesuffix(b"}")
    return body + b',"crc":%d}\n' % zlib.crc32(body)


def parse(line: bytes) -> JournalRecord | None:
    """Returns the record of a line without its checksum; None if the checksum differs or the line is no record."""
    match = _LINE.fullmatch(line)
    if match is None or match[2] != b"%d" % zlib.crc32(match[1]):
        return None
    try:
        record = json.loads(match[1] + b"}")
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def repair_tail(path: Path) -> int:
    """Mends the last line of a journal if its end is missing.

    If the record is complete but for its line feed, the line feed is added; otherwise the line is cut off.

    Returns:
      How many bytes were cut off.

    Raises:
      DamagedError: the path is no regular file, or is a link; the file that a link leads to may not be cut.
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
