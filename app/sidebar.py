"""What is under review, on every page."""

from html import escape

import streamlit as st

from app import cache, components, glossary, state
from app.variants import describe
from fmd_core.bias_functions import MEASURES

MEASURE_NAMES = {
    "counterfactual": "Twins answered differently",
    "demographic parity": "Groups answered differently",
    "equal opportunity": "Groups with equal truth answered differently",
}


def draw() -> None:
    """Data, model in force, the attribute to look at and what counts as bias."""
    data = cache.dataset(state.review())
    state.keep_within("attribute", tuple(data.attributes))
    in_force = f"In force: {components.model_in_force()}" if state.review().has_model else "No model yet"
    with st.sidebar:
        st.selectbox(
            "Attribute under review",
            list(data.attributes),
            format_func=str.capitalize,
            key="attribute",
            help=glossary.tip("Protected attribute"),
            persist_state="session",
        )
        st.selectbox(
            "What counts as bias",
            MEASURES,
            format_func=MEASURE_NAMES.__getitem__,
            key="measure",
            help=glossary.tip("Counterfactual bias", "Demographic parity", "Equal opportunity"),
            persist_state="session",
        )
        st.html(f"<div style='font-size:.87rem'>{escape(data.name)}<br>{in_force}</div>")
        if state.current():
            st.caption(components.plain(describe(state.current())))
