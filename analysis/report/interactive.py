"""Makes the figures of a report for a browser, as figures of plotly's that a person can point at and zoom.

Colours are given by name, such as `var(--blue)`. When the page draws a figure, it replaces them by the colours of its
light or its dark style. WebGL and parallel coordinates are not used, because they need eval, which the page forbids.
"""

import base64
import html
import json
import math
from typing import Any

import cv2

from sweep.analysis.report.charts import (
    MATRIX_TITLES,
    MOST_NUMBERED,
    STYLES,
    Axis,
    Chart,
    Matrix,
    PairPicture,
    Picture,
    Series,
    short,
)

PlotlyObject = dict[str, Any]  # an object of plotly's, in the form in which JSON has it
MARKERS = {
    "circle": "circle",
    "ring": "circle-open",
    "triangle": "triangle-down-open",
    "cross": "x-thin-open",
    "diamond": "diamond-open",
    "star": "star",
}
LINES = {"solid": "solid", "dotted": "dot", "dashed": "dash", "steps": "solid"}
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif'
DIGITS = 6  # significant digits of a number


def embedded(chart: Chart | Matrix) -> str:
    """Returns a figure of plotly's as JSON that can stand in a script element of a page."""
    figure = matrix_figure(chart) if isinstance(chart, Matrix) else chart_figure(chart)
    return json.dumps(figure, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def chart_figure(chart: Chart) -> PlotlyObject:
    """Returns a chart as a figure of plotly's."""
    has_legend = any(series.name for series in chart.series)
    layout = _layout(chart.height_px) | {
        "xaxis": _axis(chart.x),
        "yaxis": _axis(chart.y),
        "showlegend": has_legend,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "margin": {"l": 8, "r": 12, "t": 8 if has_legend or not chart.title else 30, "b": 8},
    }
    if chart.title:
        layout["title"] = {
            "text": text(short(chart.title)),
            "x": 0,
            "xanchor": "left",
            "xref": "paper",
            "font": {"size": 13},
        }
    return {"data": [trace for series in chart.series for trace in _traces(series)], "layout": layout}


def matrix_figure(matrix: Matrix) -> PlotlyObject:
    """Returns a confusion matrix as a figure of plotly's."""
    size, (x_title, y_title, scale_title) = len(matrix.names), MATRIX_TITLES
    names = [text(name) for name in matrix.names]
    hover_texts = [
        [
            f"is {names[row]}, said to be {names[column]}:<br>{count} of {sum(counts)}"
            for column, count in enumerate(counts)
        ]
        for row, counts in enumerate(matrix.counts)
    ]
    cells = {
        "type": "heatmap",
        "z": [[_number(share) for share in row] for row in matrix.shares],
        "zmin": 0,
        "zmax": 1,
        "colorscale": [[0, "var(--none)"], [1, "var(--all)"]],
        "colorbar": {"title": {"text": scale_title, "side": "right"}, "thickness": 10, "outlinewidth": 0},
        "hovertext": hover_texts,
        "hoverinfo": "text",
        "xgap": 1,
        "ygap": 1,
    }
    if size <= MOST_NUMBERED:
        cells |= {
            "text": [list(map(str, row)) for row in matrix.counts],
            "texttemplate": "%{text}",
            "textfont": {"color": "var(--ink)"},
        }
    step = max(1, size // 20)
    ticks = {
        "tickvals": list(range(0, size, step)),
        "ticktext": [text(short(name)) for name in matrix.names[::step]],
        "showgrid": False,
        "zeroline": False,
        "automargin": True,
    }
    layout = _layout(matrix.height_px) | {
        "xaxis": ticks | {"title": {"text": x_title}},
        "yaxis": ticks | {"title": {"text": y_title}, "autorange": "reversed"},
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
    }
    return {"data": [cells], "layout": layout}


def source(picture: Picture | PairPicture) -> str:
    """Returns a picture, which must have pixels, as a data URL of a PNG."""
    assert picture.pixels is not None
    png = cv2.imencode(".png", picture.pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    return "data:image/png;base64," + base64.b64encode(png.tobytes()).decode()


def text(plain: str) -> str:
    """Returns a text escaped for plotly, which takes tags and entities for markup."""
    return html.escape(plain, quote=False).replace("\n", "<br>")


def _layout(height_px: int) -> PlotlyObject:
    return {
        "height": height_px,
        "autosize": True,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": "var(--ink)"},
        "hovermode": "closest",
        "hoverlabel": {
            "align": "left",
            "bgcolor": "var(--paper)",
            "bordercolor": "var(--soft)",
            "font": {"family": FONT, "size": 12, "color": "var(--ink)"},
        },
    }


def _axis(axis: Axis) -> PlotlyObject:
    plotly_axis: PlotlyObject = {
        "title": {"text": text(axis.title), "standoff": 8},
        "automargin": True,
        "gridcolor": "var(--line)",
        "linecolor": "var(--soft)",
        "zeroline": False,
        "type": "log" if axis.is_log else "linear",
    }
    if axis.ticks:
        plotly_axis |= {
            "tickangle": 0,
            "tickvals": [_number(place) for place, _ in axis.ticks],
            "ticktext": [text(label) for _, label in axis.ticks],
        }
    if axis.span is not None:
        plotly_axis["range"] = [_number(math.log10(end) if axis.is_log else end) for end in axis.span]
    return plotly_axis


def _traces(series: Series) -> list[PlotlyObject]:
    style = STYLES[series.style]
    colour = f"var(--{style.colour})"
    trace: PlotlyObject = {
        "x": [_number(value) for value in series.x],
        "y": [_number(value) for value in series.y],
        "name": text(series.name),
        "showlegend": bool(series.name),
        "hoverinfo": "text" if series.texts else "skip",
    }
    if series.texts:
        trace["hovertext"] = [text(words) for words in series.texts]
    if style.bars:
        return [trace | {"type": "bar", "orientation": "h", "width": 0.6, "marker": {"color": colour}}]
    trace |= {"type": "scatter", "mode": "+".join(["lines"] * bool(style.line) + ["markers"] * bool(style.marker))}
    if style.marker:
        edge = {"width": 2 if style.marker == "cross" else 1.5, "color": colour}
        trace["marker"] = {"symbol": MARKERS[style.marker], "size": style.size, "color": colour, "line": edge}
    if style.line:
        shape = "hv" if style.line == "steps" else "linear"
        trace["line"] = {"color": colour, "width": style.width, "dash": LINES[style.line], "shape": shape}
    return [*_intervals(series, style.width, colour), trace]


def _intervals(series: Series, width: float, colour: str) -> list[PlotlyObject]:
    """Returns the intervals of a series as separate lines.

    Error bars of plotly's begin at the point, but an interval need not contain its point.
    """
    if not series.intervals:
        return []
    ends = [end if end is None else _number(end) for low, high in series.intervals for end in (low, high, None)]
    places = [
        _number(place)
        for coordinate in (series.y if series.intervals_along == "x" else series.x)
        for place in [coordinate] * 3
    ]
    x, y = (ends, places) if series.intervals_along == "x" else (places, ends)
    line = {"color": colour, "width": width}
    return [
        {"type": "scatter", "mode": "lines", "line": line, "showlegend": False, "hoverinfo": "skip", "x": x, "y": y}
    ]


def _number(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")
