"""Forms that bring a reviewer's own data in: look at the file, say what is what, open it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.opening import data_forms, import_job, import_questions, layout_form, text_questions, uploads
from app.record.review import Review
from app.session import state
from app.view_models import import_brought as view
from app.view_models import import_data
from app.widgets import components
from fmd_core.datasets.families import reference
from fmd_core.datasets.own import imports
from fmd_core.datasets.own.answers import Answers
from fmd_core.datasets.own.one_hot import OneHot


def table() -> None:
    """A table of people, one a row."""
    st.write(
        "A table with one person a row: CSV or text, Excel, Parquet, ARFF or JSON. A twin is the same row with one "
        "entry changed, and with it what would give the change away."
    )
    kept("table")
    given = st.file_uploader("Table", key="table_file")
    if given is None:
        return
    sheet, said = layout_form.read(given)
    if sheet is None:
        return
    place = f"table_{given.file_id}"
    if prose := [column.name for column in sheet.columns if column.prose]:
        st.info(
            components.plain(
                f"'{prose[0]}' holds sentences, which a table's model does not read: see Your texts."
            )
        )
    brought = view.table(sheet, fold=True)
    folded = fold(brought.one_hot, place)
    brought = brought if folded else view.table(sheet, fold=False)
    asked = import_questions.ask(brought.sheet, brought.answers, place)
    if open_button(asked):
        import_job.begin(uploads.shown_name(given), [(given, said)], None, asked.answers, fold=folded)


def texts() -> None:
    """A table of texts with an answer each."""
    st.write(
        "Texts with an answer each, such as comments that were rated, as a table. A twin is the same text with a term "
        "swapped, by lists that you can edit, or the sentence of the same template about another group. English only."
    )
    kept("texts")
    given = st.file_uploader("Texts", key="texts_file")
    if given is None:
        return
    sheet, said = layout_form.read(given)
    if sheet is None:
        return
    place = f"texts_{given.file_id}"
    answers = text_questions.ask(sheet, place)
    asked = import_questions.ask(sheet, answers, place, never=answers.text or None)
    if open_button(asked):
        import_job.begin(uploads.shown_name(given), [(given, said)], None, asked.answers)


def kept(kind: str) -> None:
    """Imports of this kind that are on this machine already, to open or to delete."""
    before = import_data.kept_names(imports.kept_imports(), kind)
    if not before:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Imported before", list(before), format_func=before.__getitem__, key=f"kept_{kind}", width=360
        )
        if st.button("Open it", key=f"open_kept_{kind}"):
            data_forms.open_data(reference("import", id=chosen))
        with st.popover("Delete it"):
            st.write(components.plain(f"Delete {before[chosen]} and all its files from this machine?"))
            if st.button("Delete for good", key=f"delete_{kind}"):
                _delete(chosen)


def _delete(chosen: str) -> None:
    """Delete an import; if it is under review, the first demo is from now on."""
    imports.delete_import(chosen)
    if state.review().data == reference("import", id=chosen):
        state.open_review(Review())
    st.rerun()


def fold(found: Sequence[OneHot], place: str) -> bool:
    """Whether answers that are spread over several columns become one column each; True where there are none."""
    if not found:
        return True
    told = " ".join(one.sentence for one in found)
    return st.checkbox(components.plain(told), value=True, key=f"{place}_fold")


def open_button(asked: import_questions.Asked[Answers]) -> bool:
    """The button that opens the data, with what is still to be said before it can be pressed."""
    missing = import_data.missing(asked.sheet, asked.answers) or asked.open
    if missing:
        st.info(components.plain(missing))
    return st.button(
        "Open this data",
        type="primary",
        icon=":material/arrow_forward:",
        disabled=bool(missing),
        key="import",
    )
