"""Forms that bring a reviewer's own data in: look at the file, say what is what, open it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import streamlit as st

from app import components, data_forms, job_panel, state, uploads
from app.view_models import import_data
from fmd_core.datasets import imports, reference
from fmd_core.datasets.answers import Answers
from fmd_core.datasets.image_folder import FolderImport, suggest_folder
from fmd_core.datasets.sniffing import Sheet, read_table
from fmd_core.datasets.table import TableImport, suggest_table
from fmd_core.jobs import Progress

A = TypeVar("A", bound=Answers)
NOTHING = "none: share out at random"


def table() -> None:
    """A table of people, one a row."""
    st.write(
        "A table with one person a row, as CSV or Parquet. A twin is the same row with one entry changed."
    )
    _kept("table")
    given = st.file_uploader("Table", type=["csv", "txt", "tsv", "parquet"], key="table_file")
    if given is None:
        return
    with uploads.on_disk(given) as path:
        sheet = read_table(path)
        _preview(sheet)
        answers = _questions(sheet, suggest_table(sheet), "table")
        answers = replace(answers, leave_out=_left_out(sheet, answers))
        if _open_button(answers):
            _begin(given.name, path, None, answers)
    _follow()


def pictures() -> None:
    """Pictures with a list."""
    st.write(
        "Pictures packed in a zip (JPEG, PNG or WebP), and a list of them as CSV or Parquet: file name, what is to be "
        "predicted, and what should not matter. A twin is the most alike real picture with the other attribute."
    )
    _kept("images")
    left, right = st.columns(2)
    with left:
        archive = st.file_uploader("Pictures", type=["zip"], key="pictures_zip", max_upload_size=2000)
    with right:
        given = st.file_uploader("List", type=["csv", "txt", "tsv", "parquet"], key="pictures_list")
    if given is None or archive is None:
        return
    with uploads.on_disk(given) as path:
        sheet = read_table(path)
        _preview(sheet)
        suggested = suggest_folder(sheet)
        names = [column.name for column in sheet.columns]
        file = st.selectbox(
            "Column with the file names", names, index=names.index(suggested.file) if suggested.file else None,
            key="pictures_column",
        )  # fmt: skip
        size = st.select_slider(
            "Pixels a side that the model sees", (32, 48, 64, 96, 128, 224), 64, key="pictures_size"
        )
        answers = replace(_questions(sheet, suggested, "pictures"), file=file or "", size=size)
        if _open_button(answers):
            with uploads.on_disk(archive) as packed:
                _begin(given.name, path, packed, answers)
    _follow()


def _kept(kind: str) -> None:
    """Imports of this kind that are on this machine already."""
    kept = {found.id: found.name for found in imports.kept_imports() if found.kind == kind}
    if not kept:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox("Imported before", list(kept), format_func=kept.__getitem__, key=f"kept_{kind}")
        if st.button("Open it", key=f"open_kept_{kind}"):
            data_forms.open_data(reference("import", id=chosen))
        if st.button("Delete it", key=f"delete_{kind}"):
            imports.delete_import(chosen)
            st.rerun()


def _preview(sheet: Sheet) -> None:
    st.caption(
        components.plain(f"{sheet.name}: {len(sheet):,} rows, {len(sheet.columns)} columns, {sheet.format}.")
    )
    st.dataframe(sheet.frame.head(8), hide_index=True, alt="The first rows of the file")
    for note in sheet.notes:
        st.caption(components.plain(note))


def _questions(sheet: Sheet, suggested: A, place: str) -> A:
    """Target, its classes, what should not matter, and the split."""
    names = [column.name for column in sheet.columns]
    left, right = st.columns(2)
    with left:
        target = st.selectbox(
            "The model predicts", names, index=names.index(suggested.target) if suggested.target else None,
            key=f"{place}_target", placeholder="Choose the column",
        )  # fmt: skip
    with right:
        protected = st.multiselect(
            "Should not matter", [n for n in names if n != target],
            default=[n for n in suggested.protected if n != target], key=f"{place}_protected",
        )  # fmt: skip
    groupings = {name: _grouping(sheet, name, place) for name in protected}
    classes = _classes(sheet, target, place) if target else {}
    column, values = _split(sheet, suggested, [n for n in names if n not in (target, *protected)], place)
    return replace(
        suggested,
        target=target or "",
        protected=groupings,
        classes=classes,
        split_column=column,
        split_values=values,
    )


def _grouping(sheet: Sheet, name: str, place: str) -> import_data.Grouping:
    """How a column of many numbers makes groups of people."""
    options = import_data.groupings(sheet.column(name))
    if len(options) == 1:
        return options[0]
    return st.radio(
        components.plain(f"Groups by {name}"), options, format_func=import_data.GROUPING_TITLES.__getitem__,
        horizontal=True, key=f"{place}_groups_{name}",
    )  # fmt: skip


def _classes(sheet: Sheet, target: str, place: str) -> dict[str, str]:
    """Which value is which class; a value with an empty class is left out."""
    levels = import_data.class_rows(sheet.column(target))
    if levels is None:
        return {}
    st.caption("Which value is which answer? Clear an answer to leave its rows out.")
    edited = st.data_editor(
        levels, hide_index=True, disabled=["Value", "Rows"], key=f"{place}_classes_{target}", width="content"
    )
    return {value: name for value, name in zip(edited["Value"], edited["Answer"], strict=True) if name}


def _split(
    sheet: Sheet, suggested: Answers, names: list[str], place: str
) -> tuple[str, dict[str, import_data.Split]]:
    """The column that says who is in which part, if there is one."""
    options = [NOTHING, *names]
    start = options.index(suggested.split_column) if suggested.split_column in options else 0
    chosen = st.selectbox(
        "Column that says train, validation or test", options, index=start, key=f"{place}_split"
    )
    if chosen == NOTHING:
        return "", {}
    return chosen, import_data.split_values(sheet.column(chosen))


def _left_out(sheet: Sheet, answers: TableImport) -> tuple[str, ...]:
    used = {answers.target, answers.split_column}
    names = [column.name for column in sheet.columns if column.name not in used]
    default = [name for name in answers.leave_out if name in names]
    return tuple(
        st.multiselect("The model shall not read", names, default=default, key="table_left_out",
                       help="Numbers of people, names, weights: what says nothing about the answer.")
    )  # fmt: skip


def _open_button(answers: Answers) -> bool:
    missing = import_data.missing(answers)
    if missing:
        st.info(missing)
    return st.button(
        "Open this data",
        type="primary",
        icon=":material/arrow_forward:",
        disabled=bool(missing),
        key="import",
    )


def _begin(name: str, table_path: Path, archive: Path | None, answers: TableImport | FolderImport) -> None:
    """Copy the files in while they are here, then check and open them as a job."""
    with st.spinner("Copying the files"):
        folder = imports.begin_import(table_path, archive)

    def work(progress: Progress) -> str:
        imported = imports.finish_import(folder, Path(name).stem, answers)
        try:
            imports.open_import(imported, progress)
        except BaseException:
            imports.delete_import(imported)  # what cannot be opened is not kept
            raise
        return imported

    job = job_panel.start_job(f"import {folder.name}", f"Importing {name}", work)
    state.show_job("import", job.id)
    st.rerun()


def _follow() -> None:
    """The panel of the import; the data are opened as soon as they are there."""
    running = state.shown_job("import")
    job = job_panel.draw(running) if running else None
    if job is not None and job.state == "finished" and isinstance(job.result, str):
        state.show_job("import", "")
        data_forms.open_data(reference("import", id=job.result))
