"""What all charts share: colours, sizes, axes, and one way to a checked figure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go

from fmd_core.intervals import Estimate

ACCENT, FLAG, NEUTRAL, LIMIT = "#4F6FDB", "#D9730D", "#8A94A8", "#C2456B"
PALE, STRONG = "rgba(79,111,219,0.05)", "rgba(79,111,219,0.55)"  # accent, for cells with text in them
CONFIG = {"displayModeBar": False, "responsive": True}
FONT = {"size": 13}
LINE_HEIGHT = 18  # pixels of a line of a label
LABEL_WIDTH = 22  # characters; a chart at 320 px leaves no room for more
LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": FONT}


def names_down(labels: Sequence[str]) -> dict[str, Any]:
    """The axis of rows, from the top; long names go on in a second line and leave room on a narrow screen."""
    wrapped = ["<br>".join(wrap(label, LABEL_WIDTH)) or label for label in labels]
    return {
        "autorange": "reversed",
        "tickmode": "array",
        "tickvals": list(labels),
        "ticktext": wrapped,
    }


def bar_trace(labels: Sequence[str], estimates: Sequence[Estimate]) -> dict[str, Any]:
    """Bars in percent down a chart, with whiskers where an estimate has a range."""
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


def figure(traces: list[dict[str, Any]], layout: dict[str, Any], *, height: int, top: int = 28) -> go.Figure:
    """Traces and a layout with both axes as a figure; `height` is that below the `top` margin, in pixels."""
    layout = {"margin": {"l": 8, "r": 16, "t": top, "b": 8}} | layout | {"height": height + top}
    for axis in ("xaxis", "yaxis"):
        layout[axis] = {"automargin": True, "tickfont": FONT} | layout[axis]
    return _checked(json.dumps({"data": traces, "layout": layout}))


@lru_cache(maxsize=128)
def _checked(spec: str) -> go.Figure:
    """The figure of a content. All visitors share it: Streamlit reads figures and changes none."""
    return go.Figure(json.loads(spec))
