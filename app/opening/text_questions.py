"""Questions about texts that are brought in: which column, whom they are about, which are of one template."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from app.view_models import text_twins
from app.widgets import components, marked_text
from fmd_core import DataError
from fmd_core.datasets.own.sniffing import Sheet
from fmd_core.datasets.own.texts import TextImport, suggest_texts, write_terms
from fmd_core.datasets.texts.terms import LISTS, TermList, shipped_terms

NO_COLUMN = "none"


def ask(sheet: Sheet, place: str) -> TextImport:
    """The answers to begin with, and those that only texts have as the reviewer gives them."""
    suggested, names = suggest_texts(sheet), [column.name for column in sheet.columns]
    left, right = st.columns(2)
    with left:
        text = st.selectbox(
            "Column with the texts", names, index=names.index(suggested.text) if suggested.text else None,
            key=f"{place}_text", placeholder="Choose the column",
        )  # fmt: skip
    with right:
        chosen = st.multiselect(
            "Whom texts are about, by term lists", LISTS, default=["gender"], key=f"{place}_lists",
            format_func=str.capitalize, placeholder="none: only columns of the file",
        )  # fmt: skip
    lists = {name: _edited(name, place) for name in chosen}
    if text:
        for name, terms in lists.items():
            _preview(sheet, text, name, terms)
    with st.expander("Sentences made from templates"):
        others = [NO_COLUMN, *(name for name in names if name != text)]
        template = st.selectbox("Column that names the template", others, key=f"{place}_template")
        case = st.selectbox("Column that says what kind of text it is", others, key=f"{place}_case")
    written = {name: write_terms(terms) for name, terms in lists.items()}
    return replace(
        suggested, text=text or "", lists=written,
        template="" if template == NO_COLUMN else template, case="" if case == NO_COLUMN else case,
    )  # fmt: skip


def _edited(name: str, place: str) -> TermList:
    """A term list as the reviewer leaves it."""
    terms = shipped_terms(name)
    with st.expander(f"Terms of the list {components.plain(name)}"):
        st.caption("Each row is a set of terms that stand for one another. Change, add or delete rows.")
        frame = pd.DataFrame(terms.rows, columns=list(terms.levels))
        edited = st.data_editor(
            frame, num_rows="dynamic", hide_index=True, key=f"{place}_terms_{name}", alt=f"Terms of {name}"
        )
    rows = [tuple(str(cell).strip() for cell in row) for row in edited.fillna("").itertuples(index=False)]
    whole = tuple(row for row in rows if all(row))
    if not whole:
        raise DataError(f"The term list '{name}' has no complete row; fill one in.")
    return TermList(terms.levels, whole)


def _preview(sheet: Sheet, text: str, name: str, terms: TermList) -> None:
    view = text_twins.preview([str(one) for one in sheet.texts(text)], terms)
    st.caption(components.plain(f"{name.capitalize()}: {view.summary}"))
    if view.pairs:
        with st.expander(f"Twins by {components.plain(name)}, as they would be"):
            for own, twin in view.pairs:
                st.html(f"{marked_text.STYLE}{marked_text.marked(*own)}<br>{marked_text.marked(*twin)}")
