"""Forms that bring a reviewer's own data in: look at the file, say what is what, open it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from app.opening import data_forms, import_job, import_questions, text_questions, uploads
from app.record.review import Review
from app.session import state
from app.view_models import import_data
from app.widgets import components
from fmd_core.datasets.families import reference
from fmd_core.datasets.own import imports
from fmd_core.datasets.own.answers import Answers
from fmd_core.datasets.own.image_folder import suggest_folder
from fmd_core.datasets.own.sniffing import Sheet
from fmd_core.datasets.own.table import suggest_table

TABLES = ["csv", "txt", "tsv", "parquet"]


def table() -> None:
    """A table of people, one a row."""
    st.write(
        "A table with one person a row, as CSV or Parquet. A twin is the same row with one entry changed, "
        "and with it what would give the change away."
    )
    _kept("table")
    given = st.file_uploader("Table", type=TABLES, key="table_file")
    if given is None:
        return
    sheet, place = uploads.read_sheet(given), f"table_{given.file_id}"
    _preview(sheet)
    if prose := [column.name for column in sheet.columns if column.prose]:
        st.info(
            components.plain(
                f"'{prose[0]}' holds sentences, which a table's model does not read: see Your texts."
            )
        )
    asked = import_questions.ask(sheet, suggest_table(sheet), place)
    if _open_button(asked):
        import_job.begin(given, None, asked.answers)


def pictures() -> None:
    """Pictures with a list."""
    st.write(
        "Pictures (JPEG, PNG or WebP) in a zip or a folder, and a list of them as CSV or Parquet: file name, what is "
        "to be predicted, and what should not matter. A twin is the most alike real picture with the other attribute."
    )
    _kept("images")
    left, right = st.columns(2)
    with left:
        archive = st.file_uploader("Pictures", type=["zip"], key="pictures_zip", max_upload_size=512)
        folders = imports.picture_folders()
        folder = None
        if folders and archive is None:
            folder = st.selectbox(
                "or a folder on this machine", list(folders), index=None, key="pictures_folder",
                placeholder="none", help="Folders with pictures in FMD_DATA_DIR, and in FMD_HOME under pictures.",
            )  # fmt: skip
    with right:
        given = st.file_uploader("List", type=TABLES, key="pictures_list")
    if given is None:
        return
    sheet, place = uploads.read_sheet(given), f"pictures_{given.file_id}"
    _preview(sheet)
    suggested = suggest_folder(sheet)
    names = [column.name for column in sheet.columns]
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        file = st.selectbox(
            "Column with the file names", names, index=names.index(suggested.file) if suggested.file else None,
            key=f"{place}_column",
        )  # fmt: skip
    with right:
        size = st.select_slider(
            "Pixels a side that the model sees", (32, 48, 64, 96, 128, 224), 64, key=f"{place}_size"
        )
    asked = import_questions.ask(sheet, replace(suggested, file=file or "", size=size), place, never=file)
    if archive is None and folder is None:
        st.info("Bring the pictures as well, packed in a zip or in a folder on this machine.")
    elif _open_button(asked):
        import_job.begin(given, archive, asked.answers, None if folder is None else folders[folder])


def texts() -> None:
    """A table of texts with an answer each."""
    st.write(
        "Texts with an answer each, such as comments that were rated, as CSV or Parquet. A twin is the same text with "
        "a term swapped, by lists that you can edit, or the sentence of the same template about another group. English "
        "only."
    )
    _kept("texts")
    given = st.file_uploader("Texts", type=TABLES, key="texts_file")
    if given is None:
        return
    sheet, place = uploads.read_sheet(given), f"texts_{given.file_id}"
    _preview(sheet)
    answers = text_questions.ask(sheet, place)
    asked = import_questions.ask(sheet, answers, place, never=answers.text or None)
    if _open_button(asked):
        import_job.begin(given, None, asked.answers)


def _kept(kind: str) -> None:
    """Imports of this kind that are on this machine already, to open or to delete."""
    kept = import_data.kept_names(imports.kept_imports(), kind)
    if not kept:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Imported before", list(kept), format_func=kept.__getitem__, key=f"kept_{kind}", width=360
        )
        if st.button("Open it", key=f"open_kept_{kind}"):
            data_forms.open_data(reference("import", id=chosen))
        with st.popover("Delete it"):
            st.write(components.plain(f"Delete {kept[chosen]} and all its files from this machine?"))
            if st.button("Delete for good", key=f"delete_{kind}"):
                _delete(chosen)


def _delete(chosen: str) -> None:
    """Delete an import; if it is under review, the first demo is from now on."""
    imports.delete_import(chosen)
    if state.review().data == reference("import", id=chosen):
        state.open_review(Review())
    st.rerun()


def _preview(sheet: Sheet) -> None:
    st.caption(
        components.plain(f"{sheet.name}: {len(sheet):,} rows, {len(sheet.columns)} columns, {sheet.format}.")
    )
    st.dataframe(sheet.frame.head(8), hide_index=True, alt="The first rows of the file")
    for note in sheet.notes:
        st.caption(components.plain(note))


def _open_button(asked: import_questions.Asked[Answers]) -> bool:
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
