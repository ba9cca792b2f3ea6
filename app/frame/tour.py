"""A tour of two minutes that plays a whole review on the first demo: next, back, and leave at any time.

It moves only what a visitor could move: pages, and the slider to our suggestion. Nothing is applied.
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from app.record.review import Review
from app.session import memory, state

AT = "tour"  # which stop the visitor is at; nothing while there is no tour


@dataclass(frozen=True)
class Stop:
    """One stop: the page it is on and what is said there."""

    page: str
    title: str
    words: str
    suggests: bool = False  # whether the slider goes to our suggestion


STOPS = (
    Stop(
        "find_bias",
        "What is wrong",
        "This model was trained to read digits. The picture shows one digit drawn twice: only the ink differs, and so "
        "does the answer. The dots say how many in a hundred fare like that; the list has everything else that was "
        "found, the most serious first.",
    ),
    Stop(
        "twins",
        "Look at the twins",
        "Each pair is one digit in two inks. A model that reads would say the same to both. Choose a pair to see where "
        "the model looks.",
    ),
    Stop(
        "harmful",
        "Who taught it that",
        "These are the training digits that taught it, the most harmful first: digits in the ink that nearly all of "
        "their class wore. Each has a score, and you can check any score by fitting the model again without it.",
    ),
    Stop(
        "unlearn",
        "Before the fix",
        "Twenty-four twins that stand for all. An orange frame: two answers to one digit. The offers on the left say "
        "what each would do, who gains and who pays.",
    ),
    Stop(
        "unlearn",
        "After the fix",
        "The slider went to our suggestion. Most frames are gone; the chart beside says who pays. Move it yourself: "
        "what is on screen is what would be applied. Nothing has been applied yet.",
        suggests=True,
    ),
    Stop(
        "report",
        "Take it away",
        "The report is for somebody who was not in the room: what was found, what was done, who gained and who lost, "
        "and what was decided. That is the whole review. Your own data and models are one step to the left.",
    ),
)


def begin() -> None:
    """Start at the first stop, on the first demo."""
    state.open_review(Review())
    _go(0)


def draw() -> None:
    """What is said at this stop, and the way on; nothing while there is no tour."""
    at = memory.value(AT, None)
    if at is None:
        return
    stop = STOPS[at]
    with st.container(key="tour"):
        st.markdown(f"**{stop.title}** :small[:gray[{at + 1} of {len(STOPS)}]]")
        st.markdown(stop.words)
        with st.container(horizontal=True):
            if at + 1 < len(STOPS) and st.button("Next", type="primary", key="tour_next"):
                _go(at + 1)
            if at and st.button("Back", key="tour_back"):
                _go(at - 1)
            last = at + 1 == len(STOPS)
            if st.button("End the tour" if last else "Leave", key="tour_leave"):
                memory.forget(AT)
                st.rerun()


def _go(at: int) -> None:
    """Go to a stop: the page, and the slider where it is wanted."""
    memory.put(AT, at)
    stop = STOPS[at]
    if stop.page == "unlearn":
        state.let_slider("best" if stop.suggests else "original")
    st.switch_page(f"app_pages/{stop.page}.py")
