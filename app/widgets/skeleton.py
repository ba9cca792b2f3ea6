"""The outline of a page that is not there yet, so that nothing jumps when it comes: a picture, then lines."""

from __future__ import annotations

import streamlit as st

LINES = 4


def draw() -> None:
    """Where the page's picture and its lines will stand; nothing for who hears the page."""
    lines = "<i class='line'></i>" * LINES
    st.html(
        "<div class='fmd-skeleton' aria-hidden='true'><div><i class='half'></i><i class='half'></i></div>"
        f"{lines}</div>"
    )
