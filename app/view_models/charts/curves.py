"""Lines and points: the trade-off, what happens along the way, training, eigenvalues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from app.view_models.charts.drawing import ACCENT, FLAG, LEGEND, LIMIT, NEUTRAL, figure

CURVE_HEIGHT, CURVE_MARGIN = 240, {"l": 70, "r": 16, "t": 14, "b": 50}  # pixels


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
    return Scene(figure(traces, layout, height=CURVE_HEIGHT, top=0), x, y)


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
        "legend": LEGEND,
        "showlegend": True,
    }
    return figure(traces, layout, height=260)


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
        "legend": LEGEND,
        "showlegend": True,
    }
    return figure(traces, layout, height=300)


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
    return figure([*([line] if len(way) > 1 else []), start, *others], layout, height=420)


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
    return figure([trace], layout, height=240, top=8)


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
