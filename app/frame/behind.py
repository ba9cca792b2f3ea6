"""A tab that is behind: another one went on with the same review, so this one must load it again first."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.session import memory, state
from app.widgets import components
from fmd_core import FMDError


def draw(place: DeltaGenerator) -> None:
    """Why the last step was not taken, and the way on, at `place`; nothing while no other tab was faster."""
    memory.put("told_behind", state.behind())
    if not state.behind():
        return
    with place:
        st.error(components.plain(f"Your last step was not taken. {state.behind()}"))
        st.caption("What you have typed stays on the page.")
        if st.button("Load it again", icon=":material/refresh:", type="primary", key="load_again"):
            try:
                state.load_again()
            except FMDError as error:
                components.show_problem(error)
            else:
                st.rerun()
