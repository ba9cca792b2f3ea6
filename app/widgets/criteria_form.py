"""By what Find bias judges beyond the one limit: that of each kind, the good answer, and whom others are compared
with."""

from __future__ import annotations

import streamlit as st

import fmd_core as fmd
from app.session import memory, state
from app.view_models import criteria as view
from app.view_models import glossary
from app.widgets import components
from fmd_core.measure.verdict.values import Favourable

IN_A_ROW = 3


def draw(data: fmd.AttributeDataset, unasked: Favourable | None) -> None:
    """Everything folded away: who never opens it judges by the slider and by what the data say. `unasked` is the good
    answer where the reviewer names none."""
    with st.expander("Limits of each kind, the good answer, and whom others are compared with"):
        st.caption("An empty field stands where the slider stands.")
        _limits()
        _good_answer(data, unasked)
        _references(data)


def _limits() -> None:
    fields = st.columns(len(view.LIMITS) + 1, vertical_alignment="bottom")
    everywhere = f"{100 * state.threshold():g}"
    for place, (name, label) in zip(fields, view.LIMITS.items(), strict=False):
        with place:
            st.number_input(
                label, 0.0, 100.0, None, 1.0, "%g", key=state.limit_key(name), placeholder=everywhere,
                persist_state="session", help=glossary.tip("Limit"),
            )  # fmt: skip
    ratio = state.limit_key("ratio")
    if not memory.has(ratio):
        memory.put(ratio, state.RATIO)
    with fields[-1]:
        st.number_input(
            "Answers given, ratio", 0.0, 1.0, step=0.05, format="%g", key=ratio, persist_state="session",
            help=glossary.tip("Disparate impact"),
        )  # fmt: skip


def _good_answer(data: fmd.AttributeDataset, unasked: Favourable | None) -> None:
    choices = view.answers(data.target.levels, unasked)
    st.selectbox(
        "The good answer", list(choices), format_func=lambda level: components.plain(choices[level]),
        key="favourable", persist_state="session",
    )  # fmt: skip


def _references(data: fmd.AttributeDataset) -> None:
    names = list(data.attributes)
    for start in range(0, len(names), IN_A_ROW):
        for place, name in zip(st.columns(IN_A_ROW), names[start : start + IN_A_ROW], strict=False):
            with place:
                _reference(data, name)


def _reference(data: fmd.AttributeDataset, attribute: str) -> None:
    key, own = f"compared_{attribute}", data.references.get(attribute, "")
    memory.put(key, state.references().get(attribute, own))

    def keep() -> None:
        state.compare_with(attribute, str(memory.chosen(key)), own)

    st.selectbox(
        components.plain(f"Compared with, by {attribute}"), ["", *data.attribute(attribute).levels],
        format_func=lambda level: components.plain(level) if level else view.HIGHEST, key=key, on_change=keep,
    )  # fmt: skip
