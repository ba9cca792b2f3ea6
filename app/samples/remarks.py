"""What the reviewer says of one training sample: a mark, a note, or that it should not have been learned from."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from app import cache
from app.record.journal import LONGEST_NOTE
from app.session import memory, state


def draw(row: int) -> None:
    """Mark, note and exclude the sample in `row`."""
    said, excluded = state.remark(row), row in state.history().now.excluded
    review = state.review()
    one = cache.dataset(review).unit
    with st.container(horizontal=True):
        st.button(
            "Take the mark off" if said.marked else "Mark",
            icon=":material/bookmark_remove:" if said.marked else ":material/bookmark:",
            key="mark",
            on_click=state.say,
            args=(row, replace(said, marked=not said.marked), one),
        )
        if st.button(
            "Let it count again" if excluded else "Exclude",
            icon=":material/undo:" if excluded else ":material/block:",
            key="exclude",
            help=f"For a {one} that the model should not have learned from. Below the gallery you see what fitting "
            "again without the excluded ones does, and can apply it.",
        ):
            (state.include if excluded else state.exclude)([row], one)
            st.rerun()  # the whole page: undo stands in the sidebar
    key = f"note_{review.data}_{review.model}_{row}"
    st.text_input(
        "Note", said.note, max_chars=LONGEST_NOTE, key=key, placeholder=f"Stands in the report beside this {one}",
        on_change=lambda: state.say(row, replace(state.remark(row), note=str(memory.value(key, ""))), one),
    )  # fmt: skip
