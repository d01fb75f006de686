"""The content of figures, independent of how they are drawn: `figures` makes PNGs, `interactive` browser figures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sweep.storage.states import State

COLOURS = {  # on white, on dark; the series have colours after Okabe and Ito, which colour-blind people can tell apart
    "paper": ("#ffffff", "#14181d"),
    "ink": ("#1b2430", "#e8ebef"),
    "soft": ("#5a6572", "#a3adb8"),
    "line": ("#dfe3e8", "#343c46"),
    "mark": ("#fbe6b5", "#57430f"),
    "blue": ("#0072b2", "#56b4e9"),
    "grey": ("#87919c", "#818b96"),
    "red": ("#c04f00", "#f08a55"),
    "orange": ("#a86f00", "#e69f00"),
    "none": ("#f3f6fa", "#1d242d"),  # for cells of a matrix with none or "all" of a row; "ink" is legible on both
    "all": ("#5fa8d9", "#2a6a99"),
}
MOST_NUMBERED = 12  # classes of a matrix whose counts are written into its cells
LONGEST_NAME = 20  # characters of a name beside an axis
MATRIX_TITLES = ("answer", "true class", "share of the true class")  # of the x axis, the y axis and the colour bar
MOST_LOG_TICKS = 6
MOST_TICKS = 11


@dataclass(frozen=True)
class Style:
    """The style of a series; two series in one chart differ in more than their colour.

    Attributes:
      colour: a name in `COLOURS`.
      marker: circle, ring, triangle, cross, diamond or star; empty for no marker.
      line: solid, dotted, dashed or steps (the value holds until the next point); empty for no line.
      bars: whether bars along x, beginning at 0, are drawn instead of markers and a line.
      size, width: the size of the marker and the width of the line, in px.
    """

    colour: str
    marker: str = ""
    line: str = ""
    bars: bool = False
    size: float = 8
    width: float = 1.5


STYLES = {
    State.COMPLETE: Style("blue", "circle"),
    State.PRUNED: Style("grey", "triangle"),
    State.FAIL: Style("red", "cross"),
    State.RUNNING: Style("orange", "diamond"),
    "best": Style("ink", "star", size=14),
    "best so far": Style("ink", line="steps", width=2),
    "baseline": Style("ink", "ring", size=14),
    "best curve": Style("ink", "circle", "solid", size=5, width=2.6),
    "good curve": Style("blue", "circle", "solid", size=3, width=1.2),
    "pruned curve": Style("grey", "circle", "dotted", size=3, width=1),
    "measured": Style("blue", "circle", size=9),
    "second": Style("orange", "diamond", size=9),
    "third": Style("ink", "cross", size=9),
    "curve": Style("blue", line="solid", width=2),
    "second curve": Style("orange", line="dashed", width=2),
    "third curve": Style("ink", line="solid", width=2.6),
    "among the best": Style("blue", "ring", size=9),
    "guide": Style("soft", line="dashed", width=1),
    "front": Style("ink", line="steps", width=1.5),
    "bars": Style("blue", bars=True),
}


@dataclass(frozen=True)
class Series:
    """Points of a chart that are drawn in the same style.

    Attributes:
      style: a name in `STYLES`.
      x, y: the coordinates of the points; a y of None interrupts the line.
      name: the name in the legend; empty for none.
      texts: for each point, the text that is shown when a person points at it; empty for no texts.
      intervals: for each point, the low and the high end of its interval; empty for no intervals.
      intervals_along: the axis, x or y, along which the intervals lie.
    """

    style: str
    x: Sequence[float]
    y: Sequence[float | None]
    name: str = ""
    texts: Sequence[str] = ()
    intervals: Sequence[tuple[float, float]] = ()
    intervals_along: str = "y"


@dataclass(frozen=True)
class Axis:
    """An axis of a chart.

    Attributes:
      title: the title with the unit.
      ticks: the place and the text of each tick; empty to let the drawing library choose.
      span: the first and the last place that are shown; None to fit the data.
      is_log: whether the scale is logarithmic.
    """

    title: str
    ticks: tuple[tuple[float, str], ...] = ()
    span: tuple[float, float] | None = None
    is_log: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart: some series between two axes."""

    x: Axis
    y: Axis
    series: tuple[Series, ...]
    title: str = ""
    height_px: int = 360


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix: a row for each true class, a column for each answer, coloured by the share of the row.

    Attributes:
      counts: (classes, classes) numbers of images, the first row on top.
      names: the names of the classes, for rows and columns alike.
    """

    counts: Sequence[Sequence[int]]
    names: Sequence[str]
    title: str = ""
    height_px: int = 460

    @property
    def shares(self) -> list[list[float]]:
        """The counts, each divided by the sum of its row."""
        return [[count / max(1, sum(row)) for count in row] for row in self.counts]


@dataclass(frozen=True)
class Figure:
    """A figure of the report: one chart, or many small ones.

    Attributes:
      name: the name of its PNG, and of its element in the page.
      says: what the figure shows and how to read it, in a sentence or two.
      charts: the charts.
    """

    name: str
    says: str
    charts: tuple[Chart | Matrix, ...]


@dataclass(frozen=True)
class Picture:
    """An image of the validation split with its caption.

    Attributes:
      id: the name of the image, or its number if names were not kept.
      label: the name of its true class.
      said: the predicted class, with its probability.
      pixels: (h, w, 3) uint8; None if images were not kept.
    """

    id: str
    label: str
    said: str
    pixels: np.ndarray | None

    @property
    def caption(self) -> tuple[str, ...]:
        """The lines of the caption."""
        return self.id, f"label {self.label}", f"said {self.said}"


@dataclass(frozen=True)
class PairPicture:
    """Two images side by side, with their caption.

    Attributes:
      caption: the lines of the caption: one for each image, and one about both.
      pixels: (h, 2 w, 3) uint8.
    """

    caption: tuple[str, ...]
    pixels: np.ndarray


def named_rows(names: Sequence[str]) -> Axis:
    """Returns a y axis with one row for each name, the first on top: row i lies at -i."""
    ticks = tuple((-place, short(name)) for place, name in enumerate(names))
    return Axis("", ticks, (0.6 - len(names), 0.6))


def rows_height_px(rows: int) -> int:
    """Returns the height of a chart, in px, whose y axis has this number of rows."""
    return 90 + 26 * rows


def short(name: str, longest: int = LONGEST_NAME) -> str:
    """Returns a name, cut off with an ellipsis if it has more than `longest` characters."""
    return name if len(name) <= longest else name[: longest - 1] + "…"


def log_axis(title: str, low: float, high: float) -> Axis:
    """Returns a logarithmic axis from `low` to `high`, both above 0.

    The ticks are at round numbers: at 1, 2 and 5 of each decade, or fewer if those are too many.
    """
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
    """Returns a linear axis from `low` to `high` with ticks at round numbers.

    Args:
      title: the title with the unit.
      low, high: the range of the data.
      most_ticks: the largest number of ticks.
      is_whole: whether ticks are only at whole numbers.
    """
    width = (high - low) or 1.0
    powers = range(0 if is_whole else math.floor(math.log10(width)) - 2, 13)
    steps = (step * 10.0**power for power in powers for step in (1, 2, 5))
    step = next(step for step in steps if width / step < most_ticks)
    places = [step * k for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    return Axis(title, tuple((p, f"{p:g}") for p in places), (low - 0.04 * width, high + 0.04 * width))
