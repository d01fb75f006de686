"""Shows how far reading is: a bar on a terminal, a line now and then elsewhere, nothing if it takes little time."""

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
      takes: what the first line says about disk space, for example "their pixels take 1.2 GB"; empty for nothing.
    """

    def __init__(self, total: int, takes: str = "") -> None:
        self.total, self.takes, self.done = total, takes, 0
        self.began = self.told = time.monotonic()
        self.is_said = False

    def advance(self, count: int) -> None:
        """Counts further images as read, and prints an update if one is due."""
        self.done += count
        now = time.monotonic()
        seconds = now - self.began
        if seconds < FIRST_SECONDS:
            return
        pace = self.done / seconds
        left = (self.total - self.done) / pace
        if not self.is_said:
            if seconds + left < WORTH_SECONDS:
                return
            self.is_said, self.told = True, now
            takes = f"; {self.takes}" if self.takes else ""
            self._print(f"Reading {self.total:,} images takes about {_words(seconds + left)} here{takes}.\n")
        is_terminal = sys.stderr.isatty()
        if now - self.told >= (BAR_SECONDS if is_terminal else LINE_SECONDS):
            self.told = now
            text = f"{self.done:,} of {self.total:,} images, {pace:,.0f} a second, {_words(left)} left"
            filled = BAR * self.done // self.total
            self._print(f"\r\x1b[2K{'━' * filled}{'─' * (BAR - filled)} {text}" if is_terminal else f"{text}\n")

    def close(self) -> None:
        """Prints how long reading took, if it was announced."""
        if self.is_said:
            seconds = time.monotonic() - self.began
            start = "\r\x1b[2K" if sys.stderr.isatty() else ""
            pace = self.done / seconds
            self._print(f"{start}Read {self.done:,} images in {_words(seconds)}, {pace:,.0f} a second.\n")

    def _print(self, text: str) -> None:
        # `sys.stderr` is looked up at each call, because it is replaced while images are decoded.
        print(text, end="", file=sys.stderr, flush=True)


def _words(seconds: float) -> str:
    """Returns a duration for people: `50 s`, `12 min`, `1.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
