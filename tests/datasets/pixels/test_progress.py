"""How far reading is: said where it takes long, and in lines where there is no terminal."""

import io
import sys

import pytest

from sweep.datasets.pixels import progress
from sweep.datasets.pixels.progress import Progress


class Screen(io.StringIO):
    def __init__(self, is_terminal):
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self):
        return self.is_terminal


@pytest.fixture
def read(monkeypatch):
    """Returns what is said while so many images are read, a block of them in so many seconds."""

    def run(total, seconds, block=100, takes="", is_terminal=False):
        clock, screen = [0.0], Screen(is_terminal)
        monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
        monkeypatch.setattr(sys, "stderr", screen)
        told = Progress(total, takes)
        for _ in range(total // block):
            clock[0] += seconds
            told.advance(block)
        told.close()
        return screen.getvalue()

    return run


def test_what_takes_a_moment_is_not_worth_a_word(read):
    assert read(400, seconds=1.0) == ""


def test_time_and_disk_are_said_before_a_long_reading_and_the_pace_after_it(read):
    lines = read(100_000, seconds=0.25, takes="their pixels take 1.2 GB").splitlines()

    assert lines[0] == "Reading 100,000 images takes about 4 min here; their pixels take 1.2 GB."
    assert lines[-1] == "Read 100,000 images in 4 min, 400 a second."


def test_without_a_terminal_a_line_comes_once_a_minute(read):
    lines = read(100_000, seconds=0.25).splitlines()

    assert lines[1] == "24,400 of 100,000 images, 400 a second, 3 min left"
    assert len(lines) == 2 + 4


def test_on_a_terminal_a_bar_fills_up_in_one_line(read):
    text = read(10_000, seconds=0.25, is_terminal=True)

    bars = text.split("\r\x1b[2K")[1:]
    assert bars[0] == "━" * 1 + "─" * 29 + " 500 of 10,000 images, 400 a second, 24 s left"
    assert [bar.count("━") for bar in bars] == [*sorted(bar.count("━") for bar in bars[:-1]), 0]
    assert bars[-1] == "Read 10,000 images in 25 s, 400 a second.\n"
    assert text.count("\n") == 2
