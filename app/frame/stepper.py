"""The way through a review, on top of every page: five steps, what is done ticked, and what lies beside the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from app.session import memory, state

SEEN = "steps_seen"


@dataclass(frozen=True)
class Step:
    """One step of a review: its name and the pages that belong to it, the one to begin with first."""

    name: str
    pages: tuple[StreamlitPage, ...]


def draw(steps: Sequence[Step], more: Sequence[StreamlitPage], page: StreamlitPage) -> None:
    """All steps and what lies beside them, with the one that `page` belongs to in bold."""
    now = next((step for step in steps if page in step.pages), None)
    with st.container(horizontal=True, vertical_alignment="center", key="stepper", gap="small"):
        for number, step in enumerate(steps, 1):
            with st.container(width="content", key="step_now" if step is now else f"step_{number}"):
                icon = "check_circle" if _is_done(step.name) and step is not now else f"counter_{number}"
                st.page_link(step.pages[0], label=step.name, icon=f":material/{icon}:")
        with st.popover("More", type="tertiary"):
            for other in more:
                st.page_link(other)
    if now is not None:
        memory.put(SEEN, memory.value(SEEN, frozenset()) | {now.name})
        if len(now.pages) > 1:
            with st.container(horizontal=True, key="beside", gap="small"):
                for own in now.pages:
                    st.page_link(own)


def _is_done(name: str) -> bool:
    """Whether a step was taken: a report is written once something was decided, a fix once it is in force."""
    if name == "Data & model":
        return state.review().has_model or state.review().is_of_another_system
    if name == "Fix":
        return bool(state.history().steps)
    if name == "Report":
        return state.journal().decision is not None
    return name in memory.value(SEEN, frozenset())
