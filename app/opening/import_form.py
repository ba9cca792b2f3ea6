"""Forms that bring a reviewer's own data in: look at the file, say what is what, open it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import pandas as pd
import streamlit as st

from app.opening import data_forms, import_job, uploads
from app.record.review import Review
from app.session import state
from app.view_models import import_data
from app.widgets import components
from fmd_core.datasets.families import reference
from fmd_core.datasets.own import imports
from fmd_core.datasets.own.answers import Answers
from fmd_core.datasets.own.image_folder import suggest_folder
from fmd_core.datasets.own.sniffing import Sheet
from fmd_core.datasets.own.table import TableImport, suggest_table

A = TypeVar("A", bound=Answers)
NOTHING = "none: share out by chance"
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
    answers = _questions(sheet, suggest_table(sheet), place)
    answers = replace(answers, leave_out=_left_out(sheet, answers, place))
    if _open_button(sheet, answers):
        import_job.begin(given, None, answers)


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
    answers = replace(_questions(sheet, suggested, place, file), file=file or "", size=size)
    if archive is None and folder is None:
        st.info("Bring the pictures as well, packed in a zip or in a folder on this machine.")
    elif _open_button(sheet, answers):
        import_job.begin(given, archive, answers, None if folder is None else folders[folder])


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


def _questions(sheet: Sheet, suggested: A, place: str, never: str | None = None) -> A:
    """Target, its classes, what should not matter, and the split."""
    names = [column.name for column in sheet.columns if column.name != never]
    left, right = st.columns(2)
    with left:
        target = st.selectbox(
            "The model predicts", names, index=names.index(suggested.target) if suggested.target in names else None,
            key=f"{place}_target", placeholder="Choose the column",
        )  # fmt: skip
    with right:
        protected = st.multiselect(
            "Should not matter", [n for n in names if n != target],
            default=[n for n in suggested.protected if n in names and n != target], key=f"{place}_protected",
            placeholder="Choose columns",
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
    edited = _edit("Which value is which answer? Clear an answer to leave its rows out.", levels,
                   f"{place}_classes_{target}")  # fmt: skip
    return import_data.class_values(edited)


def _edit(
    question: str, rows: pd.DataFrame, key: str, titles: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """A small table whose last column the visitor fills in, with one of the values that have `titles` if given."""
    last = rows.columns[-1]
    column = titles and st.column_config.SelectboxColumn(
        last, options=list(titles), format_func=lambda part: titles[str(part)], required=True
    )
    st.caption(question)
    return st.data_editor(
        rows, hide_index=True, disabled=list(rows.columns[:-1]), key=key, width="content",
        column_config={last: column} if column else None,
    )  # fmt: skip


def _split(
    sheet: Sheet, suggested: Answers, names: list[str], place: str
) -> tuple[str, dict[str, import_data.Split]]:
    """The column that says who is in which part, if there is one, and which value means which part."""
    options = [None, *names]
    start = options.index(suggested.split_column) if suggested.split_column in names else 0
    chosen = st.selectbox(
        "Column that says who is for training and who for the test", options, index=start,
        format_func=lambda name: NOTHING if name is None else name, key=f"{place}_split",
        help="A part that no value names is drawn out of the training rows.",
    )  # fmt: skip
    if chosen is None:
        return "", {}
    rows = import_data.split_rows(sheet.column(chosen))
    if rows is None:
        return chosen, {}
    parts = _edit("Which value means which part?", rows, f"{place}_parts_{chosen}", import_data.PART_TITLES)
    return chosen, import_data.split_values(parts)


def _left_out(sheet: Sheet, answers: TableImport, place: str) -> tuple[str, ...]:
    used = {answers.target, answers.split_column}
    names = [column.name for column in sheet.columns if column.name not in used]
    default = [name for name in answers.leave_out if name in names]
    return tuple(
        st.multiselect("The model shall not read", names, default=default, key=f"{place}_left_out",
                       placeholder="Choose columns",
                       help="Numbers of people, names, weights: what says nothing about the answer.")
    )  # fmt: skip


def _open_button(sheet: Sheet, answers: Answers) -> bool:
    missing = import_data.missing(sheet, answers)
    if missing:
        st.info(components.plain(missing))
    return st.button(
        "Open this data",
        type="primary",
        icon=":material/arrow_forward:",
        disabled=bool(missing),
        key="import",
    )
