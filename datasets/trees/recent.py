"""Keeps parts of containers that were read recently in memory, so that neighbouring rows are read together."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

MOST_BYTES = 256 << 20


class Recent:
    """The parts that were read recently, by key, up to `MOST_BYTES`; several threads may use it at once."""

    def __init__(self) -> None:
        self._parts: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> Any:
        """Returns the part with this key, or None."""
        with self._lock:
            if key not in self._parts:
                return None
            self._parts.move_to_end(key)
            return self._parts[key][0]

    def find_or_read(self, key: Hashable, lock: threading.Lock, read: Callable[[], tuple[Any, int]]) -> Any:
        """Returns the part with this key; reads it if it is not there.

        Args:
          key: identifies the part.
          lock: held while the part is read, so that two threads do not read the same one.
          read: returns the part and its size in bytes.
        """
        if (part := self.find(key)) is not None:
            return part
        with lock:
            if (part := self.find(key)) is not None:
                return part
            part, size = read()
            with self._lock:
                self._parts[key] = part, size
                self._bytes += size
                while self._bytes > MOST_BYTES and len(self._parts) > 1:
                    _, (_, oldest) = self._parts.popitem(last=False)
                    self._bytes -= oldest
            return part

    def clear(self) -> None:
        """Drops all parts."""
        with self._lock:
            self._parts.clear()
            self._bytes = 0
