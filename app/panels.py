"""Charts as a reviewer meets them: picture, one-sentence summary, and the same figures as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import charts, components, glossary

if TYPE_CHECKING:
    from app.view_models.evidence import Headline


def chart(figure: go.Figure, summary: str, table: pd.DataFrame, *, key: str) -> None:
    """A chart, its one-sentence summary, and the same figures as a table."""
    st.plotly_chart(figure, key=key, config=charts.CONFIG, alt=summary)
    st.caption(components.plain(summary))
    st.table(plain_cells(table), border="horizontal", hide_index=True, alt=summary)


def folded_table(table: Callable[[], pd.DataFrame], summary: str, *, key: str) -> None:
    """The same figures as a chart above it, made and sent when somebody opens it."""
    fold = st.expander("The same as a table", key=f"table_of_{key}", on_change="rerun")
    if fold.open:
        with fold:
            st.table(plain_cells(table()), border="horizontal", hide_index=True, alt=summary)


def plain_cells(table: pd.DataFrame) -> pd.DataFrame:
    """The same table with its texts as they are: Streamlit reads cells and headings as Markdown."""
    shown = table.map(lambda cell: components.plain(cell) if isinstance(cell, str) else cell)
    return shown.rename(columns=components.plain)


def bar_chart(
    view: charts.BarChart, *, key: str, axis: str, limit: float | None = None, signed: bool = False
) -> None:
    """Bars with whiskers, their summary and their table."""
    chart(charts.bars(view.bars, axis=axis, limit=limit, signed=signed), view.summary, view.table, key=key)


def cards(headlines: Sequence[Headline]) -> None:
    """Figures in a row: what each is, its value, and how it changed."""
    with st.container(key="cards"):
        for card in headlines:
            st.metric(
                components.plain(card.label), card.value, card.delta, delta_color=card.better_when, border=True,
                help=glossary.tip(*card.terms),
            )  # fmt: skip
