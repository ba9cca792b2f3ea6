"""What a verdict has to be told about people, asked on import and whenever it is to be changed: the good answer,
whom others are compared with, what people are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from app.view_models import import_questions as view
from app.widgets import components


def edit(
    question: str,
    rows: pd.DataFrame,
    key: str,
    titles: Mapping[str, str] | None = None,
    help: str | None = None,
) -> pd.DataFrame:
    """A small table whose last column the visitor fills in, with one of the values that have `titles` if given."""
    last = rows.columns[-1]
    column = titles and st.column_config.SelectboxColumn(
        last, options=list(titles), format_func=lambda part: titles[str(part)], required=True
    )
    st.caption(question, help=help)
    return st.data_editor(
        rows, hide_index=True, disabled=list(rows.columns[:-1]), key=key, width="content",
        column_config={last: column} if column else None, alt=question,
    )  # fmt: skip


def favourable(target: str, levels: Sequence[str], place: str, said: str | None = "") -> str | None:
    """The good one of two answers; None where nobody is better off with either, '' where it is not said (yet)."""
    asked = view.favoured(target, levels)
    if asked is None:
        return ""
    start = asked.suggested if said == "" or said not in asked.options else asked.options.index(said)
    titles = [components.plain(title) for title in asked.titles]
    chosen = st.radio(
        "Which answer is the good one for the person?", range(len(titles)), index=start,
        format_func=titles.__getitem__, horizontal=True, key=f"{place}_favourable_{target}_{'_'.join(levels)}",
    )  # fmt: skip
    if said == "":
        st.caption(components.plain(asked.reason))
    return "" if chosen is None else asked.options[chosen]


def compared_with(
    groups: Mapping[str, Sequence[str]], place: str, said: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Whom the other groups of each attribute are compared with; nothing for an attribute where the measure chooses."""
    found = {}
    columns = st.columns(min(len(groups), 3) or 1)
    for place_of, (name, levels) in enumerate(groups.items()):
        options = [None, *levels]
        start = (said or {}).get(name)
        with columns[place_of % len(columns)]:
            chosen = st.selectbox(
                components.plain(f"{name}: compared with"), options,
                index=options.index(start) if start in options else 0,
                format_func=lambda level: view.NO_REFERENCE if level is None else level,
                key=f"{place}_reference_{name}_{'_'.join(levels)}",
            )  # fmt: skip
        if chosen is not None:
            found[name] = chosen
    return found


def called(
    groups: Mapping[str, Sequence[str]],
    target: str,
    classes: Sequence[str],
    place: str,
    said: view.Phrases | None = None,
) -> dict[str, dict[str, str]]:
    """What the people of each group are called."""
    rows = view.phrase_rows(groups, target, classes, said)
    key = "_".join((place, "called", *rows[view.COLUMN], *rows[view.LEVEL]))
    return view.phrase_values(
        edit(
            "What people are called in sentences; where nothing stands here they are called by column and value.",
            rows, key,
            help="A name, such as: women. Or what is said of whoever else the sentence is about, who stand as …: "
            "black …, or … over 60.",
        )
    )  # fmt: skip
