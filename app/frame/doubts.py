"""What is wrong with the review at hand: steps that stand in no log, data or a model that are no longer the same."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import cache
from app.session import access, state
from app.widgets import components
from fmd_core import figures

CHANGED = {
    "data": "The data are not those that this review was begun with: its files were changed since. What was decided "
    "and noted here was said of the data as they were. Put the files back, or start a new review.",
    "model": "The model is not the one that this review was begun with: its numbers were changed since. What was "
    "decided and noted here was said of the model as it was. Put its file back, or start a new review.",
}


def draw(place: DeltaGenerator) -> None:
    """Warnings at `place`, above the page; nothing where all is well. Nothing is opened for it."""
    state.know_contents(cache.known_contents(state.review()))
    with place:
        for what in state.changed_since_begun():
            st.warning(CHANGED[what])
        if steps := state.unsaved():
            _unsaved(steps)
    if steps:
        with st.sidebar:  # whoever took the step may have scrolled far down
            st.warning(f"{figures.counted(steps, 'step')} not saved: see the top of the page.")


def _unsaved(steps: int) -> None:
    are, they, them = ("step", "It is", "it") if steps == 1 else (f"{steps} steps", "They are", "them")
    last = f"The last {are} could not be saved: {state.not_kept()}"
    here = f"{they} in force in this tab only, and in no log until a step can be saved: closing the tab loses {them}."
    st.warning(components.plain(f"{last} {here}"))
    if access.may_change():
        st.button("Save again", icon=":material/save:", on_click=state.save_again, key="save_again")
