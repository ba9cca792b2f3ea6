"""What a page says that needs a model, where another system's answers are under review."""

from __future__ import annotations

import streamlit as st

from app.widgets import components

WHY = (
    "Without its model there are no twins, nobody who taught it and nothing to unlearn. Train or open a model for "
    "these data on the Model page to go on."
)


def draw(page: str) -> None:
    """Why there is nothing on the page, and the way on."""
    components.header(page, "Another system answers here.", WHY)
    components.next_step("app_pages/model.py", "Train or open a model")


def way_on() -> None:
    """The same below what can be said without a model."""
    st.info(f"Another system answers here. {WHY}")
    if st.button(
        "Train or open a model", key="to_model", icon=":material/arrow_forward:", icon_position="right"
    ):
        st.switch_page("app_pages/model.py")
