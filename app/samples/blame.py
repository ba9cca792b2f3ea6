"""What training samples are asked about: a choice of the Harmful page."""

from __future__ import annotations

import streamlit as st

from app import cache
from app.record.review import Aim, Review
from app.session import memory, state
from app.view_models import blame, glossary

KEY = "harmful_for"


def choose() -> None:
    """Harmful for what? Another answer is another ranking, so the whole page is drawn again."""
    named = blame.options(state.measure())
    memory.keep_within(KEY, tuple(named))
    st.selectbox(
        "Harmful for what?",
        tuple(named),
        format_func=named.__getitem__,
        key=KEY,
        persist_state="session",
        help=glossary.tip("Harmful sample", "Loss of a group"),
    )


def sentence(review: Review, asked: Aim) -> str:
    """Who is meant, and by whom samples are scored."""
    group = cache.worst_served(review, asked.attribute) if asked.measure == "worst group" else None
    data = cache.dataset(review)
    n = blame.people_behind(data, cache.taught(review, asked))
    return blame.sentence(data, asked, n, group, cache.who_choose(review))
