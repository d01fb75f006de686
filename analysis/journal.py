"""The file that the ledger lies in: Optuna's journal with a checksum in every record."""

import json
import os
import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend

_CHECKED = re.compile(rb'(.*),"crc":(\d+)}\n', re.DOTALL)


class JournalError(Exception):
    """A record of the journal is not what was written; the message names file and line."""


class Journal(BaseJournalBackend):
    """One JSON record a line, each with the CRC-32 of the rest of its line.

    Optuna's own file backend has no checksums (one flipped bit in 23 opens with other
    content) and a lock that blocks the next driver for 30 s after a crash; here the
    driver holds the sweep's lock, and readers need none. Optuna ignores the key `crc`.

    Raises:
      JournalError: from reading, where a record's checksum differs. A last line without
        its end is a write that did not finish: readers do not see it, `repair_tail` cuts it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offsets = [0]  # of each record read so far, and of the next

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        known = min(log_number_from, len(self._offsets) - 1)
        records = []
        with open(self.path, "rb") as file:
            file.seek(self._offsets[known])
            for number, line in enumerate(file, start=known):
                if not line.endswith(b"\n"):
                    break
                if number + 1 == len(self._offsets):
                    self._offsets.append(self._offsets[number] + len(line))
                if number >= log_number_from:
                    records.append(self._checked(line, number + 1))
        return records

    def _checked(self, line: bytes, number: int) -> dict[str, Any]:
        match = _CHECKED.fullmatch(line)
        if match is None or zlib.crc32(match[1]) != int(match[2]):
            raise JournalError(
                f"{self.path}:{number}: the record's checksum differs: it was altered after it was written"
            )
        return json.loads(line)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        lines = []
        for log in logs:
            body = json.dumps(log, separators=(",", ":")).encode().removesuffix(b"}")
            lines.append(body + b',"crc":%d}\n' % zlib.crc32(body))
        with open(self.path, "ab") as file:
            before = file.tell()
            try:
                file.write(b"".join(lines))
                file.flush()
                os.fsync(file.fileno())
            except OSError:  # a full disk: no part of a record stays
                os.truncate(self.path, before)
                raise


def repair_tail(path: Path) -> int:
    """Cuts off a last record that was not written to its end; returns how many bytes that were."""
    content = path.read_bytes()
    torn = len(content) - (content.rfind(b"\n") + 1)
    if torn:
        os.truncate(path, len(content) - torn)
    return torn
