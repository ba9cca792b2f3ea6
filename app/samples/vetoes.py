"""Pairs that are no fair comparison: the reviewer leaves them out, and everything downstream follows."""

from __future__ import annotations

import streamlit as st

from app.record.review import Review
from app.session import state
from app.view_models.twins import Twin
from app.widgets import components
from fmd_core.data import Split


def leave_out(attribute: str, split: Split, twin: Twin) -> None:
    """Leave a pair out; reruns the whole page."""
    if st.button(
        "Leave this pair out",
        icon=":material/block:",
        help="For a pair that is no fair comparison. It leaves every figure, fix and guard at once; the history says "
        "so. A fix that is in force stays as it was made.",
    ):
        state.veto(attribute, twin.row, split)
        st.rerun()


def left_out(review: Review, attribute: str) -> None:
    """The pairs that were left out, and a way to take each back."""
    rows = review.vetoed(attribute)
    if not rows:
        return
    with st.expander(f"Left out by {components.plain(attribute)}: {len(rows)}"):
        for row in rows:
            if st.button(f"Take pair {row} back", key=f"take_back_{attribute}_{row}"):
                state.take_back(attribute, row)
                st.rerun()
