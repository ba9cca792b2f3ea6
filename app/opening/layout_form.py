"""How an uploaded table is laid out: the first rows as they are read, and every part to be corrected."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app.opening import uploads
from app.session import memory
from app.view_models import import_brought as view
from app.widgets import components
from fmd_core import DataError
from fmd_core.datasets.own.sniffing import Correction, Sheet

SHOWN_ROWS = 5


def read(given: UploadedFile, *, is_shown: bool = True) -> tuple[Sheet | None, Correction]:
    """The table as it is read now, with its first rows if it `is_shown`, None where it cannot be read so; and what
    was said of its layout below them."""
    place = f"layout_{given.file_id}"
    said, sheet, problem = _said(place), None, None
    try:
        sheet = uploads.read_sheet(given, said)
    except DataError as error:
        problem = error
    if sheet is not None and is_shown:
        preview(sheet)
    elif problem is not None:
        components.show_problem(problem)
    form = uploads.format_of(given)
    if form in view.LAID_OUT:
        of = "it" if is_shown else components.plain(uploads.shown_name(given))
        with st.expander(f"Is {of} read wrongly? Say how it is laid out", expanded=said != Correction()):
            _corrections(given, form, place, view.found_layout(sheet))
    return sheet, said


def preview(sheet: Sheet) -> None:
    """The size of a table, its first rows, and what was passed over or changed."""
    st.caption(
        components.plain(f"{sheet.name}: {len(sheet):,} rows, {len(sheet.columns)} columns, {sheet.format}.")
    )
    st.dataframe(sheet.frame.head(SHOWN_ROWS), hide_index=True, alt="The first rows of the file")
    for note in sheet.notes:
        st.caption(components.plain(note))


def _said(place: str) -> Correction:
    """What was said so far, before the widgets are drawn below the rows that follow from it."""
    chosen = {name: memory.value(f"{place}_{name}", None) for name in view.CORRECTED}
    return view.correction(chosen)


def _corrections(given: UploadedFile, form: str, place: str, found: view.FoundLayout) -> None:
    columns = iter(st.columns(4, vertical_alignment="bottom"))
    if form == "text":
        _choose(
            next(columns), "Cells are separated by", view.SEPARATORS, found.separator, f"{place}_delimiter"
        )
        _choose(next(columns), "Encoding", view.ENCODING_TITLES, found.encoding, f"{place}_encoding")
    else:
        pages = {page: page for page in uploads.pages_of(given)}
        _choose(next(columns), "Page", pages, found.page, f"{place}_page")
    _choose(next(columns), "First row", view.HEADERS, found.header, f"{place}_header")
    _choose(next(columns), "Decimal mark", view.DECIMALS, "", f"{place}_decimal")
    st.number_input(
        "Rows above the table", 0, view.MOST_SKIPPED, value=None,
        placeholder=f"as found: {found.skip}" if found.skip else "as found",
        key=f"{place}_skip", width=220, help="Titles or a second header above the names of the columns.",
    )  # fmt: skip


def _choose(where: object, label: str, titles: dict[str, str], found: str, key: str) -> None:
    with where:  # type: ignore[attr-defined]
        st.selectbox(
            label, list(titles), index=None, format_func=lambda value: components.plain(titles[value]), key=key,
            placeholder=f"as found: {found}" if found else "as found",
        )  # fmt: skip
