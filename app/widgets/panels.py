"""Charts as a reviewer meets them: picture, one-sentence summary, and the same figures as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app.view_models import charts, glossary
from app.widgets import components, figure_tools
from fmd_core import figures

if TYPE_CHECKING:
    from app.view_models.before_after import Headline

COUNTS = ("n", "Count", "of")  # columns that count people


def chart(figure: go.Figure, summary: str, table: pd.DataFrame, *, key: str) -> None:
    """A chart, its one-sentence summary, and the same figures as a table."""
    picture(figure, summary, key=key)
    table_of(table, summary)


def table_of(table: pd.DataFrame, summary: str) -> None:
    """The figures of a chart as a table; the chart's summary is its own."""
    st.table(plain_cells(table), border="horizontal", hide_index=True, alt=summary)


def picture(figure: go.Figure, summary: str, *, key: str) -> None:
    """A chart and its one-sentence summary, with the buttons that take it away."""
    st.plotly_chart(figure, key=key, config=charts.CONFIG, alt=summary)
    figure_tools.caption(summary, key, key.replace("_", " ").capitalize())


def folded_table(table: Callable[[], pd.DataFrame], summary: str, *, key: str) -> None:
    """The same figures as a chart above it, made and sent when somebody opens it."""
    fold = st.expander("The same as a table", key=f"table_of_{key}", on_change="rerun")
    if fold.open:
        with fold:
            table_of(table(), summary)


def plain_cells(table: pd.DataFrame) -> pd.DataFrame:
    """The same table with its texts as they are: Streamlit reads cells and headings as Markdown."""
    shown = table.map(lambda cell: components.plain(cell) if isinstance(cell, str) else cell)
    long = [name for name in COUNTS if name in shown and shown[name].max() >= 1_000]  # else they stay numbers
    return shown.assign(**{name: shown[name].map(figures.count) for name in long}).rename(
        columns=components.plain
    )


def bar_chart(
    view: charts.BarChart,
    *,
    key: str,
    axis: str,
    limit: float | None = None,
    signed: bool = False,
    named: str = "limit",
) -> None:
    """Bars with whiskers, their summary and their table."""
    figure = charts.bars(view.bars, axis=axis, limit=limit, signed=signed, named=named)
    chart(figure, view.summary, view.table, key=key)


def _arrow(card: Headline) -> Literal["up", "down", "off"]:
    """Streamlit knows a fall by a hyphen only, and ours have a true minus sign."""
    if card.value == "?":  # the delta is the reason
        return "off"
    return "up" if card.rose else "down"


def cards(headlines: Sequence[Headline]) -> None:
    """Figures in a row: what each is, its value, and how it changed."""
    with st.container(key="cards"):
        for card in headlines:
            st.metric(
                components.plain(card.label), figures.unbroken(card.value), figures.unbroken(card.delta), border=True,
                delta_color=card.judgement, delta_arrow=_arrow(card), height="stretch", help=glossary.tip(*card.terms),
            )  # fmt: skip
