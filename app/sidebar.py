"""What is under review, on every page."""

from html import escape

import streamlit as st

from app import cache, components, state
from app.history import describe


def draw() -> None:
    """Data, model in force, and the attribute to look at."""
    data = cache.dataset(state.review())
    state.keep_within("attribute", tuple(data.attributes))
    in_force = f"In force: {components.model_in_force()}" if state.review().has_model else "No model yet"
    with st.sidebar:
        st.selectbox(
            "Attribute under review",
            list(data.attributes),
            format_func=str.capitalize,
            key="attribute",
            help="What should not matter to the answer.",
            persist_state="session",
        )
        st.html(f"<div style='font-size:.87rem'>{escape(data.name)}<br>{in_force}</div>")
        if state.current():
            st.caption(components.plain(describe(state.current())))
