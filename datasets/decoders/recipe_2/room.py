"""Limits the memory of images that several threads decode at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

ALONE_PIXELS = 50_000_000  # an image with more pixels is decoded alone
TOGETHER_PIXELS = 100_000_000  # for all images that are being decoded; about 0.8 GB

_changed = threading.Condition()
_taken = 0


@contextmanager
def room_for(pixels: int) -> Iterator[None]:
    """Waits until an image with this many pixels may be decoded beside those that other threads are decoding."""
    global _taken
    share = TOGETHER_PIXELS if pixels > ALONE_PIXELS else pixels
    with _changed:
        _changed.wait_for(lambda: _taken + share <= TOGETHER_PIXELS)
        _taken += share
    try:
        yield
    finally:
        with _changed:
            _taken -= share
            _changed.notify_all()
