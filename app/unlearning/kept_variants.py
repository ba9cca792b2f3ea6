"""The variants that were kept: a name, how each was made, and the way back to it."""

from __future__ import annotations

import streamlit as st

from app.record.history import LONGEST_NAME, Kept, tidy_name
from app.record.variants import describe
from app.session import memory, state
from app.unlearning import history_panel
from app.view_models import unlearn
from app.widgets import components


def draw() -> None:
    """A row for each; nothing while there is none."""
    past = state.history()
    if not past.kept:
        return
    st.header("Variants that you kept", anchor=False)
    st.caption(
        "Put one in force to go on from it; undo takes that back. Every variant is made afresh from the original "
        "model, which is never changed."
    )
    for position, kept in enumerate(past.kept):
        _row(position, kept, in_force=kept.variant == past.current)


def _row(position: int, kept: Kept, *, in_force: bool) -> None:
    with st.container(border=True):
        left, middle, right = st.columns([3, 5, 3], vertical_alignment="center")
        with left:
            key = f"name_{position}_{kept.name}"  # another name is another field
            name = st.text_input(
                f"Name of variant {position + 1}", kept.name, max_chars=LONGEST_NAME, key=key,
                label_visibility="collapsed",
                on_change=lambda: state.rename(kept.variant, str(memory.value(key, ""))),
            )  # fmt: skip
        with middle:
            refused = unlearn.refused(state.history().refusal(kept.variant))
            st.write(components.plain(f"{describe(kept.variant)}{refused}"))
        with right, st.container(horizontal=True, horizontal_alignment="right", wrap=False):
            label = "In force" if in_force else "Put in force"
            if st.button(label, disabled=in_force, key=f"force_{position}", width=125):
                history_panel.apply(kept.variant)
                st.rerun()
            if st.button("Let go", disabled=in_force, key=f"let_go_{position}", width=85):
                state.let_go(kept.variant)
                st.rerun()
        if tidy_name(name) != kept.name:
            st.warning(
                components.plain(
                    f"“{tidy_name(name)}” is no name, is taken or means something else; it is still called "
                    f"{kept.name}."
                )
            )
