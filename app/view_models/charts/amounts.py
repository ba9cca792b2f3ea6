"""Amounts without an interval as bars: where each fix ends, what each column adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import plotly.graph_objects as go

from app.view_models.charts.drawing import ACCENT, FLAG, FONT, LEGEND, NEUTRAL, figure, names_down


@dataclass(frozen=True)
class Step:
    """One step of a waterfall: a share, where it ends."""

    label: str
    level: float
    color: str


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
        "yaxis": names_down(labels),
    }
    return figure([trace], layout, height=64 + 54 * len(steps))


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
        "legend": LEGEND,
        "showlegend": not single,
    }
    return figure(traces, layout, height=60 + (28 if single else 40) * len(labels), top=8 if single else 28)
