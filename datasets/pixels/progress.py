"""How far reading is: a bar on a terminal, a line now and then elsewhere, nothing where it takes no time."""

import sys
import time

FIRST_SECONDS = 1.0  # until the pace is known
WORTH_SECONDS = 5.0  # less is not worth a word
BAR_SECONDS, LINE_SECONDS = 0.2, 60.0  # between two signs of life, on a terminal and elsewhere
BAR = 30  # characters


class Progress:
    """Says on standard error how many images were read, and how long the others will take.

    Args:
      total: images.
      takes: what is said of the disk in a sentence, for example "their pixels take 1.2 GB"; empty for nothing.
    """

    def __init__(self, total: int, takes: str = "") -> None:
        self.total, self.takes, self.done = total, takes, 0
        self.began = self.told = time.monotonic()
        self.is_said = False

    def advance(self, count: int) -> None:
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
        """Says at which pace all was read."""
        if self.is_said:
            seconds = time.monotonic() - self.began
            start = "\r\x1b[2K" if sys.stderr.isatty() else ""
            pace = self.done / seconds
            self._print(f"{start}Read {self.done:,} images in {_words(seconds)}, {pace:,.0f} a second.\n")

    def _print(self, text: str) -> None:
        # Looked up now: while images are decoded, standard error is another stream.
        print(text, end="", file=sys.stderr, flush=True)


def _words(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
