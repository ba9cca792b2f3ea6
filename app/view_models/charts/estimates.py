"""Estimates with 95 % whiskers as bars: one each, before and after, predicted and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from app.view_models.charts.drawing import (
    ACCENT,
    FLAG,
    FONT,
    LABEL_WIDTH,
    LEGEND,
    LIMIT,
    LINE_HEIGHT,
    NEUTRAL,
    bar_trace,
    figure,
    names_down,
)
from fmd_core.intervals import Estimate


@dataclass(frozen=True)
class Bar:
    """One horizontal bar: an estimate with a label and a colour."""

    label: str
    estimate: Estimate
    color: str = NEUTRAL
    limit: float | None = None  # of this row, a share


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
    trace = bar_trace([row.label for row in known], [row.estimate for row in known])
    trace |= {"marker": {"color": [row.color for row in known]}, "width": 0.56}
    trace["hovertemplate"] = "%{y}: %{x:.1f}<extra></extra>"
    layout: dict[str, Any] = {
        "showlegend": False,
        "xaxis": {"title": {"text": axis}, "range": _reach(ends, signed=signed), "zeroline": signed},
        "yaxis": names_down([row.label for row in known]),
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
    return figure(traces, layout, height=60 + row_height * max(1, len(known)), top=8 if limit is None else 28)


def _limit_marks(rows: Sequence[Bar]) -> dict[str, Any]:
    """A mark across each bar where its own limit lies."""
    return {
        "type": "scatter", "mode": "markers", "showlegend": False, "cliponaxis": False,
        "x": [100 * (row.limit or 0) for row in rows], "y": [row.label for row in rows],
        "marker": {"symbol": "line-ns", "size": 32, "color": LIMIT, "line": {"width": 3, "color": LIMIT}},
        "hovertemplate": "limit %{x:g}<extra></extra>",
    }  # fmt: skip


def readings(
    labels: Sequence[str], before: Sequence[Estimate], after: Sequence[Estimate], chances: Sequence[float]
) -> go.Figure:
    """What fresh readers still tell, paired bars in percent, with a mark where guessing lies."""
    traces = [
        bar_trace(labels, estimates)
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
        "yaxis": names_down(labels),
        "legend": LEGEND,
        "showlegend": True,
    }
    return figure(traces, layout, height=80 + 62 * len(labels))


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
            trace = bar_trace([labels[i] for i in part], [estimates[i] for i in part]) | looks
            trace["hovertemplate"] = f"%{{y}}, {name}: %{{x:+.2f}}<extra></extra>"
            traces.append(trace | {"showlegend": not ranged})
    layout = {
        "barmode": "group",
        "bargap": 0.3,
        "xaxis": {"title": {"text": axis}, "zeroline": True},
        "yaxis": names_down(labels) | {"categoryorder": "array", "categoryarray": list(labels)},
        "legend": LEGEND,
        "showlegend": True,
    }
    return figure(traces, layout, height=80 + 62 * len(labels))


def _reach(ends: Sequence[float], *, signed: bool) -> list[float]:
    """Ends of the axis: shares reach 10 % at least, signed changes as far as they go on either side of 0."""
    low, high = min([0.0, *ends]), max([0.0, *ends])
    if not signed:
        return [0.0, 1.08 * max(10.0, high)]
    margin = 0.08 * (high - low) or 1.0  # on both sides: a whisker that ends at 0 has to be seen
    return [low - margin, high + margin]
