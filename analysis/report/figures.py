"""Draws the figures of a report as PNG, for the Markdown report and for people without a browser."""

import io
import math
import warnings
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FixedLocator, NullLocator

from sweep.analysis.report.charts import (
    COLOURS,
    MATRIX_TITLES,
    MOST_NUMBERED,
    STYLES,
    Axis,
    Chart,
    Figure,
    Matrix,
    PairPicture,
    Picture,
    Series,
    short,
)

PX = 1 / 100  # inches
WIDTH, SMALL_WIDTH, SMALL_HEIGHT = 6.4, 2.8, 1.9  # inches
MARGIN = 0.1  # inches, around the whole figure
COLUMNS = 3  # in a grid of small charts
PICTURES_A_ROW, CELL_HEIGHT = 6, 1.3  # the height is measured in widths of a cell
MARKERS = {"circle": "o", "ring": "o", "triangle": "v", "cross": "x", "diamond": "D", "star": "*"}
HOLLOW = ("ring", "triangle", "diamond")
LINES = {"solid": "-", "dotted": ":", "dashed": "--", "steps": "-"}
STYLE: dict[Any, Any] = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": COLOURS["line"][0],
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "text.parse_math": False,  # otherwise a `$` in a class name would begin a formula
}
SMALL_STYLE: dict[Any, Any] = {"font.size": 8, "axes.titlesize": 9, "xtick.labelsize": 7}


def render(figure: Figure) -> bytes:
    """Returns a figure as PNG: one chart as wide as a page, or a grid of small charts."""
    if len(figure.charts) == 1:
        chart = figure.charts[0]
        with matplotlib.rc_context(STYLE):
            canvas = Canvas(figsize=(WIDTH, chart.height_px * PX))
            axes = canvas.add_subplot()
            _draw(chart, axes, scale=1)
            if isinstance(chart, Chart) and any(series.name for series in chart.series):
                axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
            return _png(canvas)
    columns = min(COLUMNS, len(figure.charts))
    rows = math.ceil(len(figure.charts) / columns)
    with matplotlib.rc_context(STYLE | SMALL_STYLE):
        canvas = Canvas(figsize=(SMALL_WIDTH * columns, SMALL_HEIGHT * rows))
        canvas.subplots_adjust(hspace=0.5)
        for place, chart in enumerate(figure.charts, start=1):
            _draw(chart, canvas.add_subplot(rows, columns, place), scale=0.5)
        return _png(canvas)


def render_pictures(pictures: Sequence[Picture | PairPicture]) -> bytes:
    """Returns rows of pictures, with their captions below them, as PNG."""
    rows = math.ceil(len(pictures) / PICTURES_A_ROW)
    with matplotlib.rc_context(STYLE | SMALL_STYLE):
        canvas = Canvas(figsize=(1.5 * PICTURES_A_ROW, 1.5 * CELL_HEIGHT * rows))
        axes = canvas.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        for place, picture in enumerate(pictures):
            row, x = divmod(place, PICTURES_A_ROW)
            y = -CELL_HEIGHT * row
            if picture.pixels is not None:
                height, width = picture.pixels.shape[:2]
                longer = max(height, width) / 0.9
                axes.imshow(picture.pixels, extent=(x, x + width / longer, y - height / longer, y))
            axes.text(x, y - 0.93, "\n".join(map(short, picture.caption)), va="top")
        axes.set(xlim=(0, PICTURES_A_ROW), ylim=(-CELL_HEIGHT * rows, 0), aspect="equal")
        return _png(canvas)


def _png(canvas: Canvas) -> bytes:
    png = io.BytesIO()
    canvas.set_dpi(150)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # letters that the font lacks become boxes
        # bbox_inches="tight" would find the same box, but would draw everything once more for it.
        box = canvas.get_tightbbox(FigureCanvasAgg(canvas).get_renderer()).padded(MARGIN)
        canvas.savefig(png, format="png", dpi=150, bbox_inches=box, metadata={"Software": None})
    return png.getvalue()


def _draw(chart: Chart | Matrix, axes: Axes, scale: float) -> None:
    if isinstance(chart, Matrix):
        _draw_matrix(chart, axes)
        return
    for series in chart.series:
        _draw_series(series, axes, scale)
    axes.set_title(chart.title)
    _set_axis(chart.x, axes, "x")
    _set_axis(chart.y, axes, "y")


def _draw_series(series: Series, axes: Axes, scale: float) -> None:
    style = STYLES[series.style]
    colour, label = COLOURS[style.colour][0], series.name or None
    y = [math.nan if value is None else value for value in series.y]
    if style.bars:
        axes.barh(y, series.x, height=0.6, color=colour, label=label)
        return
    if series.intervals:
        low, high = zip(*series.intervals, strict=True)
        if series.intervals_along == "x":
            axes.hlines(y, low, high, colors=colour, lw=style.width)
        else:
            axes.vlines(series.x, low, high, colors=colour, lw=style.width)
    axes.plot(
        series.x,
        y,
        color=colour,
        label=label,
        linestyle=LINES.get(style.line, ""),
        drawstyle="steps-post" if style.line == "steps" else "default",
        linewidth=style.width,
        marker=MARKERS.get(style.marker, ""),
        markersize=style.size * 0.8 * scale,
        markerfacecolor="none" if style.marker in HOLLOW else colour,
    )


def _set_axis(axis: Axis, axes: Axes, side: str) -> None:
    axes.set(**{f"{side}label": axis.title, f"{side}scale": "log" if axis.is_log else "linear"})
    if axis.ticks:
        drawn_axis = axes.xaxis if side == "x" else axes.yaxis
        drawn_axis.set_major_locator(FixedLocator([place for place, _ in axis.ticks]))
        drawn_axis.set_minor_locator(NullLocator())
        drawn_axis.set_ticklabels([text for _, text in axis.ticks])
    if axis.span is not None:
        axes.set(**{f"{side}lim": axis.span})


def _draw_matrix(matrix: Matrix, axes: Axes) -> None:
    shares, size = np.array(matrix.shares), len(matrix.names)
    colours = LinearSegmentedColormap.from_list("shares", [COLOURS["none"][0], COLOURS["all"][0]])
    image = axes.imshow(shares, cmap=colours, vmin=0, vmax=1)
    axes.grid(visible=False)
    step = max(1, size // 20)
    places, names = range(0, size, step), [short(name) for name in matrix.names[::step]]
    axes.set_xticks(places, names, rotation=90 if max(map(len, names)) > 3 else 0)
    axes.set_yticks(places, names)
    if size <= MOST_NUMBERED:
        for row, column in np.ndindex(size, size):
            axes.text(column, row, f"{matrix.counts[row][column]}", ha="center", va="center", color=COLOURS["ink"][0])
    x_title, y_title, scale_title = MATRIX_TITLES
    axes.set(xlabel=x_title, ylabel=y_title)
    bar_axes = axes.inset_axes((1.03, 0, 0.04, 1))  # a colour bar as high as the matrix
    axes.figure.colorbar(image, cax=bar_axes, label=scale_title)
