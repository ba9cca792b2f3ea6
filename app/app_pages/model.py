"""Choose the model: one that is here, one trained now, or a reviewer's own weights."""

import streamlit as st

from app import cache, components, model_forms, state

REVIEW = state.review()
data = cache.dataset(REVIEW)
components.header(
    f"Model · for {data.name}",
    model_forms.name_of(REVIEW),
    f"A model for this data answers {data.target.name}: {', '.join(data.target.levels[:10])}. "
    "Only its last layer is ever changed, and only in a copy.",
)
model_forms.choose(REVIEW)
way = st.segmented_control(
    "Another model", ("Train one here", "Open weights"), default="Train one here", required=True, key="model_way",
    persist_state="session",
)  # fmt: skip
if way == "Train one here":
    model_forms.train(REVIEW)
else:
    model_forms.open_weights(REVIEW)
if REVIEW.has_model:
    components.next_step("app_pages/find_bias.py", "Find the bias")
