"""The form that brings pictures in: a zip or a folder, and the lists that belong to it, if their folders or names do
not tell what they show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app.opening import import_form, import_job, import_questions, layout_form, uploads
from app.view_models import import_brought as view
from app.widgets import components
from fmd_core.datasets.own import imports
from fmd_core.datasets.own.bringing import MOST_LISTS, Brought
from fmd_core.datasets.own.image_folder import FolderImport
from fmd_core.datasets.own.picture_matching import Matched
from fmd_core.datasets.own.sniffing import Correction, Sheet

SIZES = (32, 48, 64, 96, 128, 224)
LOST_OPEN = "Choose what to do about the rows without a picture."
NOTHING_FITS = "Bring the list that belongs to these pictures, or choose another column with file names."


@dataclass(frozen=True)
class _Pictures:
    """Where the pictures are, what they are called together and each."""

    archive: UploadedFile | None
    folder: Path | None
    name: str
    files: tuple[str, ...]


def pictures() -> None:
    """Pictures, with lists or without."""
    st.write(
        "Pictures (JPEG, PNG, WebP, BMP or TIFF) in a zip or a folder. What they show is told by a list (file name, "
        "what is to be predicted, what should not matter), by their folders, or by their names. A twin is the most "
        "alike real picture with the other attribute."
    )
    import_form.kept("images")
    left, right = st.columns(2)
    with left:
        found = _pictures()
    with right:
        lists = st.file_uploader(
            "Lists (optional)", key="pictures_list", accept_multiple_files=True,
            help="Several lists are put together by the name of the picture, such as CelebA's attributes and parts.",
        )[:MOST_LISTS]  # fmt: skip
    if found is None:
        if lists:
            st.info("Bring the pictures as well, packed in a zip or in a folder on this machine.")
        return
    sheets = []
    for given in lists:
        sheet, said = layout_form.read(given, is_shown=False)
        if sheet is None:
            return
        sheets.append((given, said, sheet))
    _form(found, sheets)


def _pictures() -> _Pictures | None:
    archive = st.file_uploader("Pictures, packed in a zip", key="pictures_zip", max_upload_size=512)
    if archive is not None:
        name = Path(uploads.shown_name(archive)).stem
        return _Pictures(archive, None, name, uploads.picture_names(archive))
    folders = imports.picture_folders()
    if not folders:
        return None
    chosen = st.selectbox(
        "or a folder on this machine", list(folders), index=None, key="pictures_folder", placeholder="none",
        help="Folders with pictures in FMD_DATA_DIR, and in FMD_HOME under pictures.",
    )  # fmt: skip
    if chosen is None:
        return None
    return _Pictures(None, folders[chosen], Path(chosen).name, view.names_in(folders[chosen]))


def _form(found: _Pictures, lists: list[tuple[UploadedFile, Correction, Sheet]]) -> None:
    place = "pictures_" + "_".join(
        [found.archive.file_id if found.archive else found.name, *(given.file_id for given, _, _ in lists)]
    )
    sheets = tuple(sheet for _, _, sheet in lists)
    folded = view.pictures(sheets, found.files, found.name, fold=True)
    fold = import_form.fold(folded.one_hot, place)
    brought = folded if fold else view.pictures(sheets, found.files, found.name, fold=False)
    layout_form.preview(brought.sheet)
    answers, is_open = _which_picture(brought, place)
    asked = import_questions.ask(brought.sheet, answers, place, never=answers.file)
    if import_form.open_button(replace(asked, open=LOST_OPEN if is_open else asked.open)):
        brought_lists = [(given, said) for given, said, _ in lists]
        import_job.begin(
            found.name if not lists else uploads.shown_name(lists[0][0]), brought_lists, found.archive, asked.answers,
            found.folder, fold=fold,
        )  # fmt: skip


def _which_picture(brought: Brought, place: str) -> tuple[FolderImport, bool]:
    """The column with the file names, the size, and what becomes of rows without a picture; and whether that is
    still to be said."""
    suggested = brought.answers
    assert isinstance(suggested, FolderImport)
    names = [column.name for column in brought.sheet.columns]
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        file = st.selectbox(
            "Column with the file names", names, index=names.index(suggested.file) if suggested.file else None,
            key=f"{place}_column",
        )  # fmt: skip
    with right:
        size = st.select_slider("Pixels a side that the model sees", SIZES, 64, key=f"{place}_size")
    answers = replace(suggested, file=file or "", size=size)
    found = view.matched(brought, answers.file, "agree")
    if found is None:
        return answers, False
    st.caption(components.plain(found.sentence))
    return _lost(brought, answers, found, place) if found.is_doubtful else (answers, False)


def _lost(brought: Brought, answers: FolderImport, found: Matched, place: str) -> tuple[FolderImport, bool]:
    """What becomes of rows without a picture: nothing is chosen for the reviewer."""
    by_name = view.matched(brought, answers.file, "ignored")
    assert by_name is not None
    ways = view.ways_for_lost(found, by_name)
    if not ways:
        st.warning(components.plain(f"{found.doubt()} {NOTHING_FITS}"))
        return answers, True
    with st.container(border=True):
        st.html("<strong>Rows without a picture</strong>")
        way = st.radio(
            components.plain(found.doubt()), list(ways), index=None, format_func=ways.__getitem__,
            key=f"{place}_lost_{answers.file}",
        )  # fmt: skip
        if way == "ignored":
            answers = replace(answers, folders="ignored")
            st.caption(components.plain(by_name.sentence))
            if by_name.is_doubtful:
                skip = st.checkbox("Leave the rows out that still have none", key=f"{place}_lost_still")
                return replace(answers, without_picture="skip" if skip else "ask"), not skip
            return answers, False
        return replace(answers, without_picture="skip" if way == "skip" else "ask"), way is None
