"""The reviewer's notes and decision on the Report page: a draft until it is saved, kept per review.

What is typed stays in the session from the moment a field is left, on every page and when the review is loaded
again; it becomes the decision of the review only by the button.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import streamlit as st

import fmd_core as fmd
from app.record.review import Review
from app.session import memory, state
from app.view_models.report import VERDICTS, decision_in_force
from app.widgets import components
from fmd_core.report.evidence import LONGEST_NOTES

UNDECIDED = "undecided"  # on the screen; a radio button that holds None is drawn as not chosen
NOT_SAVED = (
    "Not saved yet: the files hold what was saved last. Press “Save to the report” to put in what you typed."
)


def draw(review: Review, head: str) -> fmd.Decision:
    """What is saved about the `head` in force, by fingerprint; the page runs again when a draft begins or ends."""
    place = f"{review.data}_{review.model}"  # each review keeps what was typed
    _begin(place)
    was_draft = is_draft(review)

    @components.fragment
    def fields() -> None:
        with st.container(border=True):
            _fields(place)
            pressed = st.button("Save to the report", icon=":material/save:", key=f"save_{place}")
        if pressed:
            made = _typed(place)
            state.decide(replace(made, date=made.date if made.verdict else None), head)
            st.rerun()
        if is_draft(review) != was_draft:
            st.rerun()  # the files say whether they are up to date

    fields()
    decision, sentence = decision_in_force(state.decision(), head)
    st.caption(components.plain(sentence))
    return decision


def is_draft(review: Review) -> bool:
    """Whether something is typed that was not saved."""
    place = f"{review.data}_{review.model}"
    saved, typed = _saved(), _typed(place)
    if saved.verdict is None:  # the date of no decision is today's, typed by nobody
        saved, typed = replace(saved, date=None), replace(typed, date=None)
    return typed != saved


def _saved() -> fmd.Decision:
    found = state.decision()
    return found[0] if found else fmd.Decision()


def _begin(place: str) -> None:
    """Fill the fields with what was saved. One that was typed in since keeps that, also when the review was loaded
    again and another tab had saved meanwhile."""
    saved, shown = _saved(), memory.value(f"decision_shown_{place}", None)
    for name in ("verdict", "reviewer", "date", "notes", "intended_use"):
        key = f"{name}_{place}"
        is_untouched = isinstance(shown, fmd.Decision) and memory.value(key, None) == _field(shown, name)
        if not memory.has(key) or (is_untouched and shown != saved):
            memory.put(key, _field(saved, name))
    memory.put(f"decision_shown_{place}", saved)


def _field(saved: fmd.Decision, name: str) -> object:
    """What a field holds of what was saved; the date of no decision is today."""
    if saved.verdict is None and name in ("verdict", "date"):
        return UNDECIDED if name == "verdict" else date.today()
    return getattr(saved, name)


def _typed(place: str) -> fmd.Decision:
    def text(name: str) -> str:
        return components.straight(str(memory.value(f"{name}_{place}", "") or "")).strip()

    verdict, day = memory.value(f"verdict_{place}", UNDECIDED), memory.value(f"date_{place}", None)
    return fmd.Decision(
        None if verdict == UNDECIDED else verdict,
        text("reviewer"), day if isinstance(day, date) else None, text("notes"), text("intended_use"),
    )  # fmt: skip


def _fields(place: str) -> None:
    names = {verdict or UNDECIDED: name for verdict, name in VERDICTS.items()}
    st.radio(
        "Decision", names, format_func=names.__getitem__, horizontal=True, key=f"verdict_{place}",
        persist_state="session",
    )  # fmt: skip
    left, right = st.columns([3, 2])
    with left:
        st.text_input("Reviewer", max_chars=120, key=f"reviewer_{place}", persist_state="session")
    with right:
        st.date_input("Date", format="YYYY-MM-DD", key=f"date_{place}", persist_state="session")
    st.text_area(
        "Notes", max_chars=LONGEST_NOTES, height=160, key=f"notes_{place}", persist_state="session",
        placeholder="What you looked at, what you doubt, under which conditions the decision holds.",
    )  # fmt: skip
    st.text_area(
        "Intended use (optional)", max_chars=LONGEST_NOTES, height=80, key=f"intended_use_{place}",
        placeholder="For what, by whom and on whom the model is to be used.", persist_state="session",
    )  # fmt: skip
