"""The reviews that are kept, on the first page."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from app.opening import permalink
from app.session import keeping, state
from app.widgets import components
from fmd_core import FMDError


def draw() -> None:
    """A row for each, the last changed first; nothing while there is none."""
    try:
        found = keeping.listed()
    except FMDError as problem:  # the demos and all else work without a database
        components.show_problem(problem)
        return
    if not found:
        return
    st.header("Your reviews", anchor=False)
    st.caption(
        "Every step is kept as you take it. Whoever is let in and has the address of a review can open it."
    )
    for listed in found:
        _row(listed)
    if state.place():
        st.button("Start a new review of the model at hand", on_click=state.start_anew, icon=":material/add:")


def _row(listed: keeping.Listed) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        steps = f"{listed.steps} step{'s' if listed.steps != 1 else ''}"
        words = f"**{components.plain(listed.title)}**  \n{components.plain(listed.in_force)}, {steps}"
        st.markdown(words, width="stretch")
        st.caption(f"changed {ago(listed.changed)}", width="content")
        if st.button(
            "Go on", key=f"go_on_{listed.id}", icon=":material/arrow_forward:", icon_position="right"
        ):
            permalink.go_on_with(listed.id)
            st.switch_page("app_pages/find_bias.py")
        with st.popover("Delete"):
            st.write("Deleted for good, with its history and log.")
            if st.button("Delete this review", key=f"delete_{listed.id}"):
                keeping.delete(listed.id)
                st.rerun()


def ago(then: datetime) -> str:
    """How long ago, in the largest unit that fits: '3 minutes ago'."""
    seconds = max(0, int((datetime.now(UTC) - then.astimezone(UTC)).total_seconds()))
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if n := seconds // size:
            return f"{n} {unit}{'s' if n > 1 else ''} ago"
    return "just now"
