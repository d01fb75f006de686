"""Limits the memory of images that several threads decode at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

ALONE_PIXELS = 50_000_000  # an image with more pixels is decoded alone
TOGETHER_PIXELS = 100_000_000  # for all images that are being decoded; about 0.8 GB

_released = threading.Condition()
_pixels_in_use = 0


@contextmanager
def room_for(pixels: int) -> Iterator[None]:
    """Waits until an image with this many pixels may be decoded beside those that other threads are decoding.

    An image of more than `ALONE_PIXELS` waits until no other is being decoded, and lets all others wait.
    """
    global _pixels_in_use
    share = TOGETHER_PIXELS if pixels > ALONE_PIXELS else pixels
    with _released:
        _released.wait_for(lambda: _pixels_in_use + share <= TOGETHER_PIXELS)
        _pixels_in_use += share
    try:
        yield
    finally:
        with _released:
            _pixels_in_use -= share
            _released.notify_all()
