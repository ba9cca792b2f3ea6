"""Values to plotly figures. Text and whiskers take the colour of the page's text (see
components.STYLE), so that they follow light and dark; the few colours set here suit both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fmd_core.data import Array
from fmd_core.intervals import Estimate

ACCENT, FLAG, NEUTRAL, LIMIT = "#4F6FDB", "#D9730D", "#8A94A8", "#C2456B"
CONFIG = {"displayModeBar": False, "responsive": True}
TICKS = {"tickfont": {"size": 13}}


@dataclass(frozen=True)
class Bar:
    """One horizontal bar: an estimate with a label and a colour."""

    label: str
    estimate: Estimate
    color: str = NEUTRAL


@dataclass(frozen=True)
class BarChart:
    """Bars with the sentence that sums them up and the same figures as a table."""

    bars: tuple[Bar, ...]
    summary: str
    table: pd.DataFrame


def bars(rows: Sequence[Bar], *, axis: str, limit: float | None = None, signed: bool = False) -> go.Figure:
    """Estimates in percent as horizontal bars with 95 % whiskers; `limit` draws a dashed line."""
    known = [row for row in rows if row.estimate.value is not None]
    values = [100 * (row.estimate.value or 0) for row in known]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=[row.label for row in known],
            orientation="h",
            marker={"color": [row.color for row in known]},
            width=0.56,
            error_x={
                "type": "data",
                "array": [100 * (row.estimate.high or 0) - v for row, v in zip(known, values, strict=True)],
                "arrayminus": [
                    v - 100 * (row.estimate.low or 0) for row, v in zip(known, values, strict=True)
                ],
                "thickness": 2,
                "width": 5,
            },
            hovertemplate="%{y}: %{x:.1f}<extra></extra>",
        )
    )
    if limit is not None:
        figure.add_vline(x=100 * limit, line={"color": LIMIT, "dash": "dash", "width": 1.5})
        figure.add_annotation(
            x=100 * limit, y=1, yref="paper", yanchor="bottom", showarrow=False,
            text=f"limit {100 * limit:g}", font={"size": 13},
        )  # fmt: skip
    low = min([0.0, *(100 * (row.estimate.low or 0) for row in known)]) if signed else 0
    high = max([10.0, *(100 * (row.estimate.high or 0) for row in known)])
    figure.update_xaxes(title=axis, range=[low * 1.08, high * 1.08], zeroline=signed)
    figure.update_yaxes(autorange="reversed")
    return _finish(figure, height=60 + 46 * max(1, len(known)), top=8 if limit is None else 28)


@dataclass(frozen=True)
class CurvePoint:
    """One strength on the bias-accuracy curve, both in percent."""

    bias: float
    accuracy: float
    label: str
    admitted: bool


def trade_off(
    full: Sequence[CurvePoint], blends: Sequence[CurvePoint], suggested: CurvePoint, chosen: CurvePoint
) -> go.Figure:
    """Bias to the right, accuracy up: the better, the nearer to the upper left corner."""
    figure = go.Figure()
    figure.add_scatter(
        **_xy(blends), mode="markers", name="part of the way",
        marker={"size": 6, "color": NEUTRAL, "opacity": 0.6, "symbol": _symbols(blends)},
    )  # fmt: skip
    figure.add_scatter(
        **_xy(full), mode="lines+markers", name="strengths (hollow: refused)", line={"color": ACCENT, "width": 2},
        marker={"size": 10, "color": ACCENT, "symbol": _symbols(full)},
    )  # fmt: skip
    figure.add_scatter(
        **_xy([suggested]), mode="markers+text", name="our suggestion", text=["our suggestion"],
        textposition="middle right", marker={"size": 17, "color": FLAG, "symbol": "star"},
    )  # fmt: skip
    figure.add_scatter(
        **_xy([chosen]), mode="markers", name="your choice",
        marker={"size": 22, "color": "rgba(0,0,0,0)", "line": {"width": 3, "color": LIMIT}},
    )  # fmt: skip
    figure.update_xaxes(title="bias, points", rangemode="tozero")
    figure.update_yaxes(title="accuracy, %")
    figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": 13}},
    )
    return _finish(figure, height=370)


def before_after(labels: Sequence[str], before: Sequence[Estimate], after: Sequence[Estimate]) -> go.Figure:
    """Paired bars with whiskers, in percent."""
    figure = go.Figure()
    for name, estimates, color in (("before", before, NEUTRAL), ("after", after, ACCENT)):
        values = np.array([100 * (e.value or 0) for e in estimates])
        figure.add_bar(
            name=name, y=list(labels), x=values, orientation="h", marker={"color": color},
            error_x={
                "type": "data", "thickness": 2, "width": 4,
                "array": [100 * (e.high or 0) - v for e, v in zip(estimates, values, strict=True)],
                "arrayminus": [v - 100 * (e.low or 0) for e, v in zip(estimates, values, strict=True)],
            },
            hovertemplate=f"%{{y}}, {name}: %{{x:.1f}}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        barmode="group", bargap=0.3, showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": 13}},
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title="percent; bias in points", range=[0, 105])
    return _finish(figure, height=80 + 62 * len(labels))


def confusion(counts: Array, classes: Sequence[str], top: int) -> go.Figure:
    """How often each true class (down) got each answer (across); `top` fixes the colour scale."""
    shown = np.where(counts == 0, "", counts.astype(str))
    figure = go.Figure(
        go.Heatmap(
            z=counts, x=list(classes), y=list(classes), text=shown, texttemplate="%{text}", zmin=0, zmax=top,
            colorscale=[[0, "rgba(79,111,219,0.05)"], [1, "rgba(79,111,219,0.55)"]], showscale=False, xgap=2, ygap=2,
            hovertemplate="true %{y}, answer %{x}: %{z}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title="answer", type="category", side="bottom", showgrid=False)
    figure.update_yaxes(title="true", type="category", autorange="reversed", showgrid=False)
    return _finish(figure, height=360, top=8)


def _xy(points: Sequence[CurvePoint]) -> dict[str, Any]:
    return {
        "x": [p.bias for p in points],
        "y": [p.accuracy for p in points],
        "customdata": [p.label for p in points],
        "hovertemplate": "%{customdata}: bias %{x:.1f}, accuracy %{y:.1f}<extra></extra>",
    }


def _symbols(points: Sequence[CurvePoint]) -> list[str]:
    return ["circle" if p.admitted else "circle-open" for p in points]


def _finish(figure: go.Figure, *, height: int, top: int = 28) -> go.Figure:
    figure.update_layout(height=height + top, margin={"l": 8, "r": 16, "t": top, "b": 8})
    figure.update_xaxes(automargin=True, **TICKS)
    figure.update_yaxes(automargin=True, **TICKS)
    return figure
