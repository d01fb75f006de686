"""What a figure shows, whoever draws it: `figures` as a PNG, `interactive` in a browser."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sweep.storage.states import State

COLOURS = {  # on white, on dark; those of series after Okabe and Ito, whom colour-blind people can tell apart
    "paper": ("#ffffff", "#14181d"),
    "ink": ("#1b2430", "#e8ebef"),
    "soft": ("#5a6572", "#a3adb8"),
    "line": ("#dfe3e8", "#343c46"),
    "mark": ("#fbe6b5", "#57430f"),
    "blue": ("#0072b2", "#56b4e9"),
    "grey": ("#87919c", "#818b96"),
    "red": ("#c04f00", "#f08a55"),
    "orange": ("#a86f00", "#e69f00"),
    "none": ("#f3f6fa", "#1d242d"),  # of a matrix: none and all of a row; "ink" can be read on both
    "all": ("#5fa8d9", "#2a6a99"),
}
MOST_NUMBERED = 12  # classes of a matrix with its counts written in
LONGEST_NAME = 20  # characters beside an axis
MATRIX_TITLES = ("answer", "true class", "share of the true class")  # along x, along y, of the colours
MOST_LOG_TICKS = 6
MOST_TICKS = 11


@dataclass(frozen=True)
class Look:
    """How a series is drawn; two that stand in one chart differ in more than their colour.

    Attributes:
      colour: a name in `COLOURS`.
      marker: circle, ring, triangle, cross, diamond or star; empty: points are not marked.
      line: solid, dotted, dashed or steps (the value holds until the next point); empty: no line.
      bars: along x from 0, instead of both.
      size, width: of marker and line, in px.
    """

    colour: str
    marker: str = ""
    line: str = ""
    bars: bool = False
    size: float = 8
    width: float = 1.5


LOOKS = {
    State.COMPLETE: Look("blue", "circle"),
    State.PRUNED: Look("grey", "triangle"),
    State.FAIL: Look("red", "cross"),
    State.RUNNING: Look("orange", "diamond"),
    "best": Look("ink", "star", size=14),
    "best so far": Look("ink", line="steps", width=2),
    "baseline": Look("ink", "ring", size=14),
    "best curve": Look("ink", "circle", "solid", size=5, width=2.6),
    "good curve": Look("blue", "circle", "solid", size=3, width=1.2),
    "pruned curve": Look("grey", "circle", "dotted", size=3, width=1),
    "measured": Look("blue", "circle", size=9),
    "second": Look("orange", "diamond", size=9),
    "third": Look("ink", "cross", size=9),
    "curve": Look("blue", line="solid", width=2),
    "second curve": Look("orange", line="dashed", width=2),
    "third curve": Look("ink", line="solid", width=2.6),
    "among the best": Look("blue", "ring", size=9),
    "guide": Look("soft", line="dashed", width=1),
    "front": Look("ink", line="steps", width=1.5),
    "bars": Look("blue", bars=True),
}


@dataclass(frozen=True)
class Series:
    """What looks alike.

    Attributes:
      look: a name in `LOOKS`.
      x, y: one each a point; where y is None, a line breaks.
      name: in the legend; empty: not there.
      texts: what each point is, shown when it is pointed at; empty: nothing is.
      intervals: low and high end of each point, along `intervals_along`; empty: none.
    """

    look: str
    x: Sequence[float]
    y: Sequence[float | None]
    name: str = ""
    texts: Sequence[str] = ()
    intervals: Sequence[tuple[float, float]] = ()
    intervals_along: str = "y"


@dataclass(frozen=True)
class Axis:
    """Attributes:
    title: with its unit.
    ticks: place and text of each; empty: as the drawer likes.
    span: first and last place shown; None: as the data is.
    is_whole: only whole numbers are marked.
    """

    title: str
    ticks: tuple[tuple[float, str], ...] = ()
    span: tuple[float, float] | None = None
    is_log: bool = False


@dataclass(frozen=True)
class Chart:
    """Some series between two axes."""

    x: Axis
    y: Axis
    series: tuple[Series, ...]
    title: str = ""
    height_px: int = 360


@dataclass(frozen=True)
class Matrix:
    """Counts of images as a field of cells, a row a true class, a column an answer, coloured by their share of the row.

    Attributes:
      counts: (rows, columns), the first row on top.
      names: of rows and columns alike.
    """

    counts: Sequence[Sequence[int]]
    names: Sequence[str]
    title: str = ""
    height_px: int = 460

    @property
    def shares(self) -> list[list[float]]:
        return [[count / max(1, sum(row)) for count in row] for row in self.counts]


@dataclass(frozen=True)
class Figure:
    """What stands under one name in the report: one chart, or many small ones.

    Attributes:
      name: of its PNG, and of its place in the page.
      says: what it shows and how to read it, in a sentence or two.
    """

    name: str
    says: str
    charts: tuple[Chart | Matrix, ...]


@dataclass(frozen=True)
class Picture:
    """An image with what stands under it.

    Attributes:
      id: its name, or its number where names were not kept.
      said: the answer, with its probability.
      pixels: (h, w, 3) uint8; None where images were not kept.
    """

    id: str
    label: str
    said: str
    pixels: np.ndarray | None

    @property
    def caption(self) -> tuple[str, ...]:
        """The lines under it."""
        return self.id, f"label {self.label}", f"said {self.said}"


@dataclass(frozen=True)
class PairPicture:
    """Two images side by side, with what stands under them.

    Attributes:
      caption: its lines: each image in one, then what is said of both.
      pixels: (h, 2 w, 3) uint8.
    """

    caption: tuple[str, ...]
    pixels: np.ndarray


def named_rows(names: Sequence[str]) -> Axis:
    """An axis for y with a name a row, the first on top: row i lies at -i."""
    ticks = tuple((-place, short(name)) for place, name in enumerate(names))
    return Axis("", ticks, (0.6 - len(names), 0.6))


def rows_height_px(rows: int) -> int:
    return 90 + 26 * rows


def short(name: str, longest: int = LONGEST_NAME) -> str:
    return name if len(name) <= longest else name[: longest - 1] + "…"


def log_axis(title: str, low: float, high: float) -> Axis:
    """From `low` to `high`, both above 0, with round numbers marked: 1, 2 and 5 of each decade, or fewer."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for steps in ((1, 2, 5), (1, 3), (1,)):
        places = [step * 10.0**decade for decade in range(first, last + 1) for step in steps]
        places = [place for place in places if low * 0.999 <= place <= high * 1.001]
        if len(places) <= MOST_LOG_TICKS:
            break
    else:
        places = places[:: math.ceil(len(places) / MOST_LOG_TICKS)]
    margin = (high / low) ** 0.04
    return Axis(title, tuple((place, f"{place:g}") for place in places), (low / margin, high * margin), is_log=True)


def linear_axis(title: str, low: float, high: float, most_ticks: int, is_whole: bool = False) -> Axis:
    """From `low` to `high`, with at most so many round numbers marked; only whole ones, where numbers are whole."""
    width = (high - low) or 1.0
    powers = range(0 if is_whole else math.floor(math.log10(width)) - 2, 13)
    steps = (step * 10.0**power for power in powers for step in (1, 2, 5))
    step = next(step for step in steps if width / step < most_ticks)
    places = [step * k for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    return Axis(title, tuple((p, f"{p:g}") for p in places), (low - 0.04 * width, high + 0.04 * width))
