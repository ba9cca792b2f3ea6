"""Values to plotly figures. Text and whiskers take the colour of the page's text (see
assets/app.css), so that they follow light and dark; the few colours set here suit both.

Figures are written as plotly's own JSON and checked once per content, by `go.Figure`: building
them by `add_` and `update_` calls checks at every call and takes ten times as long (measured).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fmd_core.data import Array
from fmd_core.intervals import Estimate

ACCENT, FLAG, NEUTRAL, LIMIT = "#4F6FDB", "#D9730D", "#8A94A8", "#C2456B"
PALE, STRONG = "rgba(79,111,219,0.05)", "rgba(79,111,219,0.55)"  # accent, for cells with text in them
CONFIG = {"displayModeBar": False, "responsive": True}
FONT = {"size": 13}
CURVE_HEIGHT, CURVE_MARGIN = 240, {"l": 70, "r": 16, "t": 14, "b": 50}  # pixels
LINE_HEIGHT = 18  # pixels of a line of a label
LABEL_WIDTH = 22  # characters; a chart at 320 px leaves no room for more


@dataclass(frozen=True)
class Bar:
    """One horizontal bar: an estimate with a label and a colour."""

    label: str
    estimate: Estimate
    color: str = NEUTRAL
    limit: float | None = None  # of this row, a share


@dataclass(frozen=True)
class Step:
    """One step of a waterfall: a share, where it ends."""

    label: str
    level: float
    color: str


@dataclass(frozen=True)
class BarChart:
    """Bars with the sentence that sums them up and the same figures as a table."""

    bars: tuple[Bar, ...]
    summary: str
    table: pd.DataFrame


def bars(
    rows: Sequence[Bar], *, axis: str, limit: float | None = None, signed: bool = False, named: str = "limit"
) -> go.Figure:
    """Estimates in percent as horizontal bars with 95 % whiskers; `limit` draws a dashed line with what it is `named`,
    a row's own limit a mark across its bar."""
    known = [row for row in rows if row.estimate.value is not None]
    limits = [row for row in known if row.limit is not None]
    ends = [100 * (end or 0) for row in known for end in (row.estimate.low, row.estimate.high)]
    ends += [100 * (row.limit or 0) for row in limits]
    trace = _bar_trace([row.label for row in known], [row.estimate for row in known])
    trace |= {"marker": {"color": [row.color for row in known]}, "width": 0.56}
    trace["hovertemplate"] = "%{y}: %{x:.1f}<extra></extra>"
    layout: dict[str, Any] = {
        "showlegend": False,
        "xaxis": {"title": {"text": axis}, "range": _reach(ends, signed=signed), "zeroline": signed},
        "yaxis": _names_down([row.label for row in known]),
    }
    if limit is not None:
        line = {"color": LIMIT, "dash": "dash", "width": 1.5}
        place = {"xref": "x", "yref": "paper", "y0": 0, "y1": 1, "x0": 100 * limit, "x1": 100 * limit}
        label = {"text": f"{named} {100 * limit:g}", "x": 100 * limit, "y": 1, "yref": "paper"}
        layout["shapes"] = [{"type": "line", "line": line} | place]
        layout["annotations"] = [label | {"yanchor": "bottom", "showarrow": False, "font": FONT}]
    traces = [trace, *([_limit_marks(limits)] if limits else [])]
    lines = max((len(wrap(row.label, LABEL_WIDTH)) for row in known), default=1)
    row_height = max(46, LINE_HEIGHT * lines + 8)
    return _figure(
        traces, layout, height=60 + row_height * max(1, len(known)), top=8 if limit is None else 28
    )


def _limit_marks(rows: Sequence[Bar]) -> dict[str, Any]:
    """A mark across each bar where its own limit lies."""
    return {
        "type": "scatter", "mode": "markers", "showlegend": False, "cliponaxis": False,
        "x": [100 * (row.limit or 0) for row in rows], "y": [row.label for row in rows],
        "marker": {"symbol": "line-ns", "size": 32, "color": LIMIT, "line": {"width": 3, "color": LIMIT}},
        "hovertemplate": "limit %{x:g}<extra></extra>",
    }  # fmt: skip


@dataclass(frozen=True)
class CurvePoint:
    """One strength on the bias-accuracy curve, both in percent."""

    bias: float
    """Or what else lies across: the less, the better."""
    accuracy: float
    label: str
    admitted: bool


@dataclass(frozen=True)
class Scene:
    """The curve, and where a point of it lies in the browser."""

    figure: go.Figure
    x: tuple[float, float]
    y: tuple[float, float]
    """The ends of the axes."""

    def place(self, point: CurvePoint) -> tuple[float, float]:
        """The share of the plot's width, from the left, and pixels from the top of the chart."""
        share = (point.bias - self.x[0]) / (self.x[1] - self.x[0])
        up = (point.accuracy - self.y[0]) / (self.y[1] - self.y[0])
        inner = CURVE_HEIGHT - CURVE_MARGIN["t"] - CURVE_MARGIN["b"]
        return share, CURVE_MARGIN["t"] + (1 - up) * inner


def trade_off(
    full: Sequence[CurvePoint],
    blends: Sequence[CurvePoint],
    suggested: CurvePoint,
    axis: str = "bias, points",
) -> Scene:
    """Bias, or what `axis` says, to the right, accuracy up: the better, the nearer to the upper left corner."""
    points = [*full, *blends, suggested]
    biases, accuracies = [p.bias for p in points], [p.accuracy for p in points]
    margin = 0.08 * max(1.0, max(accuracies) - min(accuracies))
    x = 1.06 * min(0.0, *biases), 1.06 * max(1.0, *biases)  # beyond the placebo it may be below 0
    y = min(accuracies) - margin, max(accuracies) + margin
    faint, solid = {"size": 6, "color": NEUTRAL, "opacity": 0.6}, {"size": 10, "color": ACCENT}
    line = {"mode": "lines", "line": {"color": ACCENT, "width": 2}, "hoverinfo": "skip"}
    traces = [
        _points("part of the way", blends, faint | {"symbol": _symbols(blends)}),
        _points("from the original", full[:2], {})
        | line
        | {"line": {"color": ACCENT, "width": 1.5, "dash": "dot"}},
        _points("from strength to strength", full[1:], {}) | line,
        _points("strengths", full, solid | {"symbol": _symbols(full)}),
        _points("our suggestion", [suggested], {"size": 17, "color": FLAG, "symbol": "star"}),
    ]
    fixed = {"automargin": False, "fixedrange": True}  # or the axes would go where the ring does not
    layout = {
        "xaxis": {"title": {"text": axis, "standoff": 8}, "range": list(x)} | fixed,
        "yaxis": {"title": {"text": "accuracy, %", "standoff": 14}, "range": list(y)} | fixed,
        "showlegend": False,
        "margin": CURVE_MARGIN,
    }
    return Scene(_figure(traces, layout, height=CURVE_HEIGHT, top=0), x, y)


def readings(
    labels: Sequence[str], before: Sequence[Estimate], after: Sequence[Estimate], chances: Sequence[float]
) -> go.Figure:
    """What fresh readers still tell, paired bars in percent, with a mark where guessing lies."""
    traces = [
        _bar_trace(labels, estimates)
        | {"name": name, "marker": {"color": color}}
        | {"hovertemplate": f"%{{y}}, {name}: %{{x:.1f}}<extra></extra>"}
        for name, estimates, color in (("before", before, NEUTRAL), ("after", after, ACCENT))
    ]
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "name": "chance",
            "x": [100 * chance for chance in chances],
            "y": list(labels),
            "marker": {"symbol": "line-ns", "size": 44, "line": {"width": 3, "color": FLAG}, "color": FLAG},
            "hovertemplate": "%{y}, chance: %{x:.1f}<extra></extra>",
        }
    )
    layout = {
        "barmode": "group",
        "bargap": 0.3,
        "xaxis": {"title": {"text": "told right, %"}, "range": [0, 105]},
        "yaxis": _names_down(labels),
        "legend": _LEGEND,
        "showlegend": True,
    }
    return _figure(traces, layout, height=80 + 62 * len(labels))


def losses(task: Sequence[float], forgetting: Sequence[float]) -> go.Figure:
    """Two losses by round of training: the task's, and what drives the attribute out."""
    rounds = list(range(1, len(task) + 1))
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": rounds,
            "y": list(values),
            "line": {"color": color, "width": 2, "dash": dash},
            "hovertemplate": f"round %{{x}}, {name}: %{{y:.3f}}<extra></extra>",
        }
        for name, values, color, dash in (
            ("task", task, ACCENT, "solid"),
            ("forgetting", forgetting, FLAG, "dash"),
        )
    ]
    layout = {
        "xaxis": {"title": {"text": "round"}, "dtick": max(1, len(rounds) // 10)},
        "yaxis": {"title": {"text": "loss"}, "rangemode": "tozero"},
        "legend": _LEGEND,
        "showlegend": True,
    }
    return _figure(traces, layout, height=260)


LINES = ((ACCENT, "solid"), (ACCENT, "dash"), (LIMIT, "solid"), (LIMIT, "dash"), (FLAG, "solid"))


def along_the_way(
    shares: Sequence[float], lines: Sequence[tuple[str, Sequence[float]]], suggested: float
) -> go.Figure:
    """Shares of people, a line each of at most five, from the original (0) to another network (1); a dashed mark stands
    where `suggested` is."""
    across = [100 * share for share in shares]
    traces = [
        {
            "type": "scatter", "mode": "lines+markers", "name": name, "x": across,
            "y": [100 * value for value in values], "line": {"color": color, "width": 2, "dash": dash},
            "hovertemplate": f"%{{x:g}} % of the way, {name}: %{{y:.1f}}<extra></extra>", "cliponaxis": False,
        }
        for (name, values), (color, dash) in zip(lines, LINES, strict=False)
    ]  # fmt: skip
    mark = {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "x0": 100 * suggested,
        "x1": 100 * suggested,
    }
    layout = {
        "xaxis": {"title": {"text": "% of the way to the repaired network"}, "tickvals": across},
        "yaxis": {"title": {"text": "% of people, or points"}, "rangemode": "tozero"},
        "shapes": [mark | {"line": {"color": NEUTRAL, "dash": "dash", "width": 1.5}}],
        "legend": _LEGEND,
        "showlegend": True,
    }
    return _figure(traces, layout, height=300)


def frontier(
    way: Sequence[tuple[str, float, float]], spots: Sequence[tuple[str, float, float]], axis: str
) -> go.Figure:
    """Fixes by what improves (`axis`) and by accuracy, both in percent: points on the way from the original, joined,
    and every other fix by itself. The first point of the way is the original."""
    names, across, up = (list(column) for column in zip(*way, strict=True))
    line: dict[str, Any] = {
        "type": "scatter", "mode": "lines+markers", "name": "on the way", "x": across, "y": up, "text": names,
        "line": {"color": ACCENT, "width": 2}, "marker": {"size": 7, "color": ACCENT},
        "hovertemplate": "%{text}: %{x:.1f}, accuracy %{y:.1f} %<extra></extra>", "cliponaxis": False,
    }  # fmt: skip
    start = line | {
        "mode": "markers", "name": "the original", "x": across[:1], "y": up[:1], "text": names[:1],
        "marker": {"size": 12, "color": NEUTRAL, "symbol": "diamond"},
    }  # fmt: skip
    others = [
        line | {
            "mode": "markers", "name": name, "x": [x], "y": [y], "text": [name],
            "marker": {"size": 10, "color": color, "symbol": symbol},
        }
        for (name, x, y), (symbol, color) in zip(
            spots, ((symbol, color) for color in (LIMIT, FLAG, NEUTRAL) for symbol in SYMBOLS), strict=False
        )
    ]  # fmt: skip
    layout = {
        "xaxis": {"title": {"text": axis}},
        "yaxis": {"title": {"text": "accuracy, %"}},
        "legend": {"orientation": "h", "yanchor": "top", "y": -0.22, "x": 0},
        "showlegend": True,
    }
    return _figure([*([line] if len(way) > 1 else []), start, *others], layout, height=420)


SYMBOLS = ("circle", "square", "triangle-up", "cross", "star", "x", "hexagon", "pentagon")
"""Of fixes in `frontier`, so that they are told apart without colour."""


def spectrum(eigenvalues: Sequence[float], chosen: int) -> go.Figure:
    """The smallest eigenvalues in order; the number of groups is where the next one leaps."""
    places = list(range(1, len(eigenvalues) + 1))
    trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": places,
        "y": list(eigenvalues),
        "line": {"color": NEUTRAL, "width": 1.5},
        "marker": {"size": 9, "color": [ACCENT if place <= chosen else NEUTRAL for place in places]},
        "hovertemplate": "eigenvalue %{x}: %{y:.3f}<extra></extra>",
    }
    layout = {
        "xaxis": {"title": {"text": "point, in order"}, "dtick": 1},
        "yaxis": {"title": {"text": "eigenvalue"}, "rangemode": "tozero"},
        "showlegend": False,
    }
    return _figure([trace], layout, height=240, top=8)


def predicted_measured(
    labels: Sequence[str],
    predicted: Sequence[Estimate],
    measured: Sequence[Estimate],
    axis: str = "change of the bias, points",
) -> go.Figure:
    """What was predicted beside what came true: paired bars of changes in points, with whiskers where
    an estimate has a range."""
    traces = []
    for name, estimates, color in (("predicted", predicted, NEUTRAL), ("measured", measured, ACCENT)):
        for ranged in (False, True):  # two traces: plotly draws the ends of a whisker of no length
            part = [i for i, e in enumerate(estimates) if (e.low != e.high) == ranged]
            looks = {"name": name, "offsetgroup": name, "legendgroup": name, "marker": {"color": color}}
            trace = _bar_trace([labels[i] for i in part], [estimates[i] for i in part]) | looks
            trace["hovertemplate"] = f"%{{y}}, {name}: %{{x:+.2f}}<extra></extra>"
            traces.append(trace | {"showlegend": not ranged})
    layout = {
        "barmode": "group",
        "bargap": 0.3,
        "xaxis": {"title": {"text": axis}, "zeroline": True},
        "yaxis": _names_down(labels) | {"categoryorder": "array", "categoryarray": list(labels)},
        "legend": _LEGEND,
        "showlegend": True,
    }
    return _figure(traces, layout, height=80 + 62 * len(labels))


def waterfall(steps: Sequence[Step], *, axis: str, unit: str) -> go.Figure:
    """Where each fix ends, from where the first step, the original, stands: that is where each begins. `unit` follows
    a figure."""
    labels = [step.label for step in steps]
    ends = [100 * step.level for step in steps]
    starts = [0.0, *ends[:1] * (len(steps) - 1)]
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": labels,
        "base": starts,
        "x": [end - start for start, end in zip(starts, ends, strict=True)],
        "width": 0.56,
        "marker": {"color": [step.color for step in steps]},
        "customdata": [f"{end:.1f}{unit}" for end in ends],
        "hovertemplate": "%{y}: %{customdata}<extra></extra>",
    }
    farthest = [max(pair) for pair in zip(starts, ends, strict=True)]
    notes = [
        {"x": far, "y": label, "text": f"{end:.1f}{unit}", "xanchor": "left", "xshift": 6, "showarrow": False}
        | {"font": FONT}
        for far, label, end in zip(farthest, labels, ends, strict=True)
    ]
    line = {
        "type": "line",
        "x0": ends[0],
        "x1": ends[0],
        "xref": "x",
        "y0": 0.28,
        "y1": len(ends) - 0.72,
        "yref": "y",
    }
    links = [line | {"line": {"color": NEUTRAL, "width": 1, "dash": "dot"}}]
    layout = {
        "showlegend": False,
        "annotations": notes,
        "shapes": links,
        "xaxis": {"title": {"text": axis}, "range": [min(0.0, *ends) * 1.1, 1.22 * max(1.0, *ends)]},
        "yaxis": _names_down(labels),
    }
    return _figure([trace], layout, height=64 + 54 * len(steps))


def contributions(
    labels: Sequence[str], series: Sequence[tuple[str, Sequence[float]]], *, reach: tuple[float, float]
) -> go.Figure:
    """What each column adds to the log-odds of an answer: one bar coloured by its sign, or before and
    after. `reach` is the least and the largest value of all charts that are to be compared."""
    places, single = list(range(len(labels))), len(series) == 1
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": escape(name),
            "x": list(values),
            "y": places,
            "customdata": [escape(label) for label in labels],
            "marker": {"color": [ACCENT if v > 0 else FLAG for v in values] if single else color},
            "hovertemplate": f"%{{customdata}}, {escape(name)}: %{{x:+.2f}}<extra></extra>",
        }
        for (name, values), color in zip(series, (NEUTRAL, ACCENT), strict=False)
    ]
    ends = 1.08 * min(0.0, reach[0]), 1.08 * max(0.0, reach[1])
    layout = {
        "barmode": "group",
        "bargap": 0.35,
        "xaxis": {"title": {"text": "log-odds of the answer"}, "range": ends, "zeroline": True},
        "yaxis": {
            "autorange": "reversed",
            "tickmode": "array",
            "tickvals": places,
            "ticktext": [escape(label) for label in labels],
        },
        "legend": _LEGEND,
        "showlegend": not single,
    }
    return _figure(traces, layout, height=60 + (28 if single else 40) * len(labels), top=8 if single else 28)


def confusion(counts: Array, classes: Sequence[str], top: int) -> go.Figure:
    """How often each true class (down) got each answer (across); `top` fixes the colour scale."""
    trace = {
        "type": "heatmap",
        "z": counts.tolist(),
        "x": list(classes),
        "y": list(classes),
        "text": np.where(counts == 0, "", counts.astype(str)).tolist(),
        "texttemplate": "%{text}",
        "zmin": 0,
        "zmax": top,
        "colorscale": [[0, PALE], [1, STRONG]],
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
        "hovertemplate": "true %{y}, answer %{x}: %{z}<extra></extra>",
    }
    layout = {
        "xaxis": {"title": {"text": "answer"}, "type": "category", "showgrid": False},
        "yaxis": {"title": {"text": "true"}, "type": "category", "showgrid": False, "autorange": "reversed"},
    }
    return _figure([trace], layout, height=360, top=8)


def heat_table(shares: Array, across: Sequence[str], down: Sequence[str]) -> go.Figure:
    """Shares (n_down, n_across) in percent as coloured cells; NaN leaves a cell empty."""
    known = np.isfinite(shares)
    trace = {
        "type": "heatmap",
        "z": [
            [100 * v if k else None for v, k in zip(*row, strict=True)]
            for row in zip(shares.tolist(), known.tolist(), strict=True)
        ],
        "x": list(across),
        "y": list(down),
        "text": [
            [f"{100 * v:.0f}" if k else "" for v, k in zip(*row, strict=True)]
            for row in zip(shares.tolist(), known.tolist(), strict=True)
        ],
        "texttemplate": "%{text}",
        "zmin": 0,
        "zmax": 100,
        "colorscale": [[0, PALE], [1, STRONG]],
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
        "hovertemplate": "%{y}, %{x}: %{z:.0f} %<extra></extra>",
    }
    layout = {
        "xaxis": {"type": "category", "showgrid": False, "side": "top"},
        "yaxis": {"type": "category", "showgrid": False, **_names_down(down)},
    }
    return _figure([trace], layout, height=70 + 34 * len(down), top=8)


def _reach(ends: Sequence[float], *, signed: bool) -> list[float]:
    """Ends of the axis: shares reach 10 % at least, signed changes as far as they go on either side of 0."""
    low, high = min([0.0, *ends]), max([0.0, *ends])
    if not signed:
        return [0.0, 1.08 * max(10.0, high)]
    margin = 0.08 * (high - low) or 1.0  # on both sides: a whisker that ends at 0 has to be seen
    return [low - margin, high + margin]


def _names_down(labels: Sequence[str]) -> dict[str, Any]:
    """The axis of rows, from the top; long names go on in a second line and leave room on a narrow screen."""
    wrapped = ["<br>".join(wrap(label, LABEL_WIDTH)) or label for label in labels]
    return {
        "autorange": "reversed",
        "tickmode": "array",
        "tickvals": list(labels),
        "ticktext": wrapped,
    }


_LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": FONT}


def _bar_trace(labels: Sequence[str], estimates: Sequence[Estimate]) -> dict[str, Any]:
    values = [None if e.value is None else 100 * e.value for e in estimates]  # no bar where nothing is known
    whiskers = {
        "visible": any(e.low != e.high for e in estimates),  # an exact count has none
        "type": "data",
        "array": [100 * ((e.high or 0) - (e.value or 0)) for e in estimates],
        "arrayminus": [100 * ((e.value or 0) - (e.low or 0)) for e in estimates],
        "thickness": 2,
        "width": 5,
    }
    return {"type": "bar", "orientation": "h", "x": values, "y": list(labels), "error_x": whiskers}


def _points(name: str, points: Sequence[CurvePoint], marker: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "name": name,
        "mode": "markers",
        "marker": marker,
        "x": [p.bias for p in points],
        "y": [p.accuracy for p in points],
        "customdata": [p.label for p in points],
        "hovertemplate": "%{customdata}: %{x:.1f} across, accuracy %{y:.1f}<extra></extra>",
        "cliponaxis": False,  # a point at the end of an axis is as round as the others
    }


def _symbols(points: Sequence[CurvePoint]) -> list[str]:
    return ["circle" if p.admitted else "circle-open" for p in points]


def _figure(traces: list[dict[str, Any]], layout: dict[str, Any], *, height: int, top: int = 28) -> go.Figure:
    layout = {"margin": {"l": 8, "r": 16, "t": top, "b": 8}} | layout | {"height": height + top}
    for axis in ("xaxis", "yaxis"):
        layout[axis] = {"automargin": True, "tickfont": FONT} | layout[axis]
    return _checked(json.dumps({"data": traces, "layout": layout}))


@lru_cache(maxsize=128)
def _checked(spec: str) -> go.Figure:
    """The figure of a content. All visitors share it: Streamlit reads figures and changes none."""
    return go.Figure(json.loads(spec))
