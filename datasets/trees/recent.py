"""What was read last, kept in memory up to a limit, so that neighbours in a container are read together."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

MOST_BYTES = 256 << 20


class Recent:
    """Parts of containers by their keys; several threads may ask at once."""

    def __init__(self) -> None:
        self._parts: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> Any:
        with self._lock:
            if key not in self._parts:
                return None
            self._parts.move_to_end(key)
            return self._parts[key][0]

    def find_or_read(self, key: Hashable, lock: threading.Lock, read: Callable[[], tuple[Any, int]]) -> Any:
        """Returns what is kept under a key, or reads it.

        Args:
          lock: is held while it is read, so that two threads do not read the same.
          read: returns the part and its bytes.
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
        with self._lock:
            self._parts.clear()
            self._bytes = 0
