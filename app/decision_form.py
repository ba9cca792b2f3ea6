"""The reviewer's notes and decision: a form on the Report page, kept per review."""

from __future__ import annotations

from datetime import date

import streamlit as st

import fmd_core as fmd
from app import components, state
from app.review import Review
from app.view_models.report import VERDICTS, decision_in_force
from fmd_core.report_evidence import LONGEST_NOTES


def draw(review: Review, head: str) -> fmd.Decision:
    """What to put into the report about the `head` in force, by fingerprint."""
    saved = state.decision()
    shown = saved[0] if saved else fmd.Decision()
    place = f"{review.data}_{review.model}"  # each review keeps what was typed
    with st.form(f"decision_{place}", enter_to_submit=False):
        verdict = st.radio(
            "Decision", VERDICTS, index=list(VERDICTS).index(shown.verdict), format_func=VERDICTS.__getitem__,
            horizontal=True, key=f"verdict_{place}",
        )  # fmt: skip
        left, right = st.columns([3, 2])
        with left:
            name = st.text_input("Reviewer", shown.reviewer, max_chars=120, key=f"reviewer_{place}")
        with right:
            day = st.date_input("Date", shown.date or date.today(), format="YYYY-MM-DD", key=f"date_{place}")
        notes = st.text_area(
            "Notes", shown.notes, max_chars=LONGEST_NOTES, height=160, key=f"notes_{place}",
            placeholder="What you looked at, what you doubt, under which conditions the decision holds.",
        )  # fmt: skip
        use = st.text_area(
            "Intended use (optional)", shown.intended_use, max_chars=LONGEST_NOTES, height=80, key=f"use_{place}",
            placeholder="For what, by whom and on whom the model is to be used.",
        )  # fmt: skip
        if st.form_submit_button("Save to the report", icon=":material/save:"):
            when = day if verdict and isinstance(day, date) else None
            state.decide(fmd.Decision(verdict, name.strip(), when, notes.strip(), use.strip()), head)
    decision, sentence = decision_in_force(state.decision(), head)
    st.caption(components.plain(sentence))
    return decision
