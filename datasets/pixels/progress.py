"""Shows how many images have been read: a bar on a terminal, elsewhere a line a minute, nothing if it is quick."""

import sys
import time

FIRST_SECONDS = 1.0  # of reading, before which the pace is not known
WORTH_SECONDS = 5.0  # reading that takes less is not announced
BAR_SECONDS, LINE_SECONDS = 0.2, 60.0  # between two updates, on a terminal and elsewhere
BAR = 30  # characters


class Progress:
    """Prints on standard error how many images have been read, and how long the others will take.

    Args:
      total: number of images to read.
      space_note: what the first line says about disk space, for example "their pixels take 1.2 GB"; empty for nothing.
    """

    def __init__(self, total: int, space_note: str = "") -> None:
        self.total, self.space_note, self.read_count = total, space_note, 0
        self.start = self.last_print = time.monotonic()
        self.is_announced = False

    def advance(self, count: int) -> None:
        """Counts further images as read, and prints an update if one is due."""
        self.read_count += count
        now = time.monotonic()
        seconds = now - self.start
        if seconds < FIRST_SECONDS:
            return
        pace = self.read_count / seconds
        seconds_left = (self.total - self.read_count) / pace
        if not self.is_announced:
            if seconds + seconds_left < WORTH_SECONDS:
                return
            self.is_announced, self.last_print = True, now
            note = f"; {self.space_note}" if self.space_note else ""
            self._print(f"Reading {self.total:,} images takes about {_duration(seconds + seconds_left)} here{note}.\n")
        is_terminal = sys.stderr.isatty()
        if now - self.last_print >= (BAR_SECONDS if is_terminal else LINE_SECONDS):
            self.last_print = now
            text = f"{self.read_count:,} of {self.total:,} images, {pace:,.0f} a second, {_duration(seconds_left)} left"
            filled = BAR * self.read_count // self.total
            self._print(f"\r\x1b[2K{'━' * filled}{'─' * (BAR - filled)} {text}" if is_terminal else f"{text}\n")

    def close(self) -> None:
        """Prints how long reading took, if it was announced."""
        if self.is_announced:
            seconds = time.monotonic() - self.start
            beginning = "\r\x1b[2K" if sys.stderr.isatty() else ""
            pace = self.read_count / seconds
            self._print(f"{beginning}Read {self.read_count:,} images in {_duration(seconds)}, {pace:,.0f} a second.\n")

    def _print(self, text: str) -> None:
        # `sys.stderr` is looked up at each call, because it is replaced while images are decoded.
        print(text, end="", file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    """Returns a duration for people: `50 s`, `12 min`, `1.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
