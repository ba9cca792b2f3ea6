"""Choose the model: one that is here, one trained now, or a reviewer's own weights."""

import streamlit as st

from app import cache
from app.jobs import job_words
from app.opening import class_order_form, model_forms, weights_form
from app.session import state
from app.widgets import components

model_forms.adopt_named_job()
REVIEW = state.review()
data = cache.dataset(REVIEW)
WAYS = {"train": "Train one here", "open": "Open a model file"}
ANSWERS = f"A model for this data answers {data.target.name}: {', '.join(data.target.levels[:10])}. "
UNCHANGED = (
    "It is never changed itself: unlearning changes the last layer, or deeper ones where you ask for it, in a copy, "
    "and training against an attribute makes a new network from a copy of it."
)


making, known = model_forms.under_way(REVIEW), False
if making is None:
    said, right, name = model_forms.found(REVIEW)
    named = f"Model · {name}, for {data.name}" if name else f"Model · for {data.name}"
    known = bool(right)
    if known and state.current():
        right += f" That is the original; Find and Compare tell of {components.model_in_force()}, which is in force."
    components.header(named, said, right or f"{ANSWERS}{UNCHANGED}")
else:
    components.header(
        f"Model · for {data.name}", *job_words.heading(making, "The model is opened once it is there.")
    )
    model_forms.follow(REVIEW)
if data.notes:
    with st.expander("What was left out of the data, or changed"):
        st.markdown("\n".join(f"- {components.plain(note)}" for note in data.notes))
model_forms.choose(REVIEW)
if REVIEW.is_of_another_system:
    components.next_step("app_pages/find_bias.py", "Find the bias")
    st.subheader("A model for these data", anchor=False)
else:
    model_forms.another_system(REVIEW)
if REVIEW.has_model:
    model_forms.facts(REVIEW)
    if known:
        st.caption(components.plain(UNCHANGED))
    class_order_form.draw(REVIEW)
    components.next_step("app_pages/find_bias.py", "Find the bias")
    weights_form.passport(REVIEW)
    st.subheader("Another model", anchor=False)
way = st.segmented_control(
    "Where the model comes from", list(WAYS), format_func=WAYS.__getitem__, default="train", required=True,
    key="model_way", persist_state="session", label_visibility="collapsed",
)  # fmt: skip
if way == "train":
    model_forms.train(REVIEW, with_plan=making is None)
else:
    weights_form.draw(REVIEW)
if making is None:
    model_forms.follow(REVIEW)
