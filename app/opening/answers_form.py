"""What was said about the import under review, and the form that changes it without bringing the file in again."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from app import cache
from app.opening import verdict_questions
from app.session import access, state
from app.view_models import import_questions as view
from app.widgets import components, panels
from fmd_core.datasets.families import parse_reference, reference
from fmd_core.datasets.own import imports


def draw() -> None:
    """Nothing while no import is under review."""
    family, options = parse_reference(state.review().data)
    if family != "import":
        return
    answers, data = imports.answers_of(options["id"]), cache.dataset(state.review())
    facts = view.facts(data, answers)
    with st.container(border=True):
        st.subheader(components.plain(f"Under review: {data.name}"), anchor=False)
        st.table(
            panels.plain_cells(facts.table), border="horizontal", hide_index=True, hide_header=True, alt=facts.summary,
        )  # fmt: skip
        if access.may_change():
            with st.expander("Change who is compared, and what people are called"):
                _change(options["id"])


def _change(import_id: str) -> None:
    """Other answers that leave every row and the model as they are."""
    answers, data = imports.answers_of(import_id), cache.dataset(state.review())
    place, target = f"again_{import_id}", data.target
    groups = {name: column.levels for name, column in data.attributes.items()}
    good = verdict_questions.favourable(target.name, target.levels, place, answers.favourable)
    references = verdict_questions.compared_with(groups, place, answers.references)
    phrases = verdict_questions.called(groups, target.name, target.levels, place, answers.phrases)
    again = replace(answers, favourable=good, references=references, phrases=phrases)
    st.caption(
        "Your steps go along into a review of their own; the one before stays in “Your reviews” as it was. A decision "
        "is to be made anew where a figure may be another."
    )
    if st.button("Use these answers", key="answer_again", disabled=again == answers):
        told = view.changes(answers, again)
        with st.spinner("Opening the data as you said"):
            new = imports.answer_again(import_id, again)
            chosen = reference("import", id=new)
            try:
                cache.open_data(chosen)
            except BaseException:
                imports.delete_import(new)
                raise
        state.answer_again(chosen, told, keeps_decision=view.same_figures(answers, again))
        st.rerun()
