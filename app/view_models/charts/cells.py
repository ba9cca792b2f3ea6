"""Counts and shares as coloured cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.view_models.charts.drawing import PALE, STRONG, figure, names_down
from fmd_core.data import Array


def confusion(counts: Array, classes: Sequence[str], top: int) -> go.Figure:
    """How often each true class (down) got each answer (across); `top` fixes the colour scale."""
    words = np.where(counts == 0, "", counts.astype(str)).tolist()
    trace = _cells(counts.tolist(), words, classes, classes, top)
    trace["hovertemplate"] = "true %{y}, answer %{x}: %{z}<extra></extra>"
    layout = {
        "xaxis": {"title": {"text": "answer"}, "type": "category", "showgrid": False},
        "yaxis": {"title": {"text": "true"}, "type": "category", "showgrid": False, "autorange": "reversed"},
    }
    return figure([trace], layout, height=360, top=8)


def heat_table(shares: Array, across: Sequence[str], down: Sequence[str]) -> go.Figure:
    """Shares (n_down, n_across) in percent as coloured cells; NaN leaves a cell empty."""
    percents = [[100 * share if np.isfinite(share) else None for share in row] for row in shares.tolist()]
    words = [["" if percent is None else f"{percent:.0f}" for percent in row] for row in percents]
    trace = _cells(percents, words, across, down, 100)
    trace["hovertemplate"] = "%{y}, %{x}: %{z:.0f} %<extra></extra>"
    layout = {
        "xaxis": {"type": "category", "showgrid": False, "side": "top"},
        "yaxis": {"type": "category", "showgrid": False, **names_down(down)},
    }
    return figure([trace], layout, height=70 + 34 * len(down), top=8)


def _cells(
    values: list[list[Any]], words: list[list[str]], across: Sequence[str], down: Sequence[str], top: int
) -> dict[str, Any]:
    """Cells from 0 to `top` with their words in them."""
    return {
        "type": "heatmap",
        "z": values,
        "x": list(across),
        "y": list(down),
        "text": words,
        "texttemplate": "%{text}",
        "zmin": 0,
        "zmax": top,
        "colorscale": [[0, PALE], [1, STRONG]],
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
    }
