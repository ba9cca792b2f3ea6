"""The import of a reviewer's own data as a job, and what it found: skipped rows, columns that give away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app.jobs import job_panel
from app.jobs.job import Job, Progress
from app.jobs.registry import REGISTRY
from app.opening import data_forms, import_questions, uploads
from app.session import state
from app.view_models import import_data, import_doubts
from app.view_models.import_data import Cure, Imported
from app.view_models.import_doubts import Way
from app.widgets import components
from fmd_core import DataError
from fmd_core.datasets.families import reference
from fmd_core.datasets.own import imports
from fmd_core.datasets.own.answers import Answers
from fmd_core.datasets.own.bringing import ListFile, Reading
from fmd_core.datasets.own.sniffing import Correction
from fmd_core.datasets.own.table import TableImport

PLACE = "import"
PATIENCE_SECONDS = 20.0  # before the page follows a job instead of waiting for it


def begin(
    name: str,
    lists: Sequence[tuple[UploadedFile, Correction]],
    archive: UploadedFile | None,
    answers: Answers,
    pictures: Path | None = None,
    *,
    fold: bool = True,
) -> None:
    """Copy the files, then check and open them as a job; the page below follows it."""
    given = [file for file, _ in lists]
    said = [asdict(correction) for _, correction in lists]
    key = f"import {uploads.content_key(*given, archive, answers.to_dict(), said, fold)} {pictures or ''}"

    def start(paths: tuple[Path | None, ...]) -> Job:
        packed, *tables = paths
        files = zip(map(_there, tables), lists, strict=True)
        stem = Path(name).stem
        reading = Reading(
            tuple(ListFile(path, uploads.shown_name(file), how) for path, (file, how) in files), stem, fold
        )

        def work(progress: Progress) -> Imported:
            try:
                progress(0, "Copying the list" if packed is None else "Unpacking the pictures")
                folder = imports.begin_import(
                    None, packed, progress.part(0, 0.4), pictures=pictures, reading=reading
                )
            finally:
                uploads.give_back(packed, *tables)
            return _opened(folder, stem, answers, progress.part(0.4, 1))

        return job_panel.start_job(key, f"Importing {name}", work, import_data.Incoming(name))

    with st.spinner("Copying the files"):
        job = uploads.lend(key, (archive, *given), start)
    job_panel.follow(job)
    state.show_job(PLACE, job.id)
    st.rerun()


def _there(path: Path | None) -> Path:
    assert path is not None
    return path


def _opened(folder: Path, name: str, answers: Answers, progress: Progress) -> Imported:
    """Open what was brought in and look at what it holds; only then is it an import. What cannot be opened is not
    kept."""
    try:
        progress(0, "Checking every row")
        data = imports.first_look(folder, name, answers, progress)
        progress(1, "Looking for what tells the answer")
        sheet = imports.begun_sheet(folder)
        found = import_data.describe_import(folder.name, name, answers, data, sheet)
        imports.finish_import(folder, name, answers)
        return found
    except BaseException:
        imports.give_up(folder)
        raise


def under_way() -> Job | None:
    """This visitor's import, while it waits or runs and they wait for it."""
    job = _job()
    return job if job is not None and job.live and not state.has_left(job.id) else None


def _job() -> Job | None:
    job = REGISTRY.find(state.shown_job(PLACE)) or REGISTRY.find(st.query_params.get("job", ""))
    return job if job is not None and isinstance(job.about, import_data.Incoming) else None


def follow() -> None:
    """The panel of this visitor's import, or what came of it; also after a refresh, by the address."""
    job = _job()
    if job is None:
        return
    if isinstance(job.result, Imported):
        _outcome(job.result)
    else:
        job_panel.draw(job.id)


def _outcome(found: Imported) -> None:
    """What came in, what did not and why, what gives an attribute away, and the way on."""
    with st.container(border=True):
        st.subheader(components.plain(f"What came in from {found.name}"), anchor=False)
        st.write(components.plain(found.summary))
        if found.notes:
            st.html("<strong>What was left out or changed</strong>")
            st.markdown("\n".join(f"- {components.plain(note)}" for note in found.notes))
        ways, cures = _choose_ways(found), _choose_cures(found)
        is_answered = isinstance(found.answers, TableImport) and found.answers.answered
        way_on = "Find the bias" if is_answered else "Choose a model"
        chosen = (*ways.values(), *cures.values())
        changed = any(choice not in ("keep", None) for choice in chosen)
        if not st.button(
            "Change this and go on" if changed else way_on, disabled=None in chosen, type="primary",
            icon=":material/arrow_forward:", icon_position="right", key="imported",
        ):  # fmt: skip
            return
        if changed:
            with st.spinner("Opening the data as you said"):
                again = _changed(found, ways, cures)
            if again is None or not again.is_settled:  # without one column another may tell the answer
                st.rerun()
            found = again
        state.show_job(PLACE, "")
        data_forms.open_data(reference("import", id=found.id))


def _choose_ways(found: Imported) -> dict[str, Way | None]:
    """A choice for everything suspicious, None where it is still to be made."""
    if not found.doubts:
        return {}
    st.html("<strong>What is suspicious about these data</strong>")
    st.write("Each changes what a verdict says, so nothing is chosen for you.")
    return import_questions.choose_ways(found.doubts, found.id)


def _choose_cures(found: Imported) -> dict[tuple[str, str], Cure | None]:
    """A choice for each column that gives an attribute away, None where it is still to be made: each moves what
    twins can show, so that none is made for the reviewer."""
    chosen: dict[tuple[str, str], Cure | None] = {}
    if found.giveaways:
        st.html("<strong>What gives an attribute away</strong>")
        st.write(
            "A twin differs in one entry. A column that says the same in other words would still tell the model "
            "who the person was, and the bias would look smaller than it is. Say what to do with each; the first "
            "way is the one we advise."
        )
    for giveaway in found.giveaways:
        cures = import_data.cures(giveaway)
        shown = {cure: components.plain(words) for cure, words in cures.items()}
        picked = st.radio(
            components.plain(import_data.giveaway_words(giveaway)), list(cures), index=None,
            format_func=shown.__getitem__,
            key=f"cure_{found.id}_{giveaway.attribute}_{giveaway.column}",
        )  # fmt: skip
        chosen[giveaway.attribute, giveaway.column] = picked
    return chosen


def _changed(
    found: Imported, ways: Mapping[str, Way | None], cures: Mapping[tuple[str, str], Cure | None]
) -> Imported | None:
    """The same files under other answers, as a job of its own, so that a refresh finds what is asked next; None
    where that takes so long that the page follows it. A new import: what was opened under the old id stays true."""
    if not isinstance(found.answers, TableImport):
        raise DataError("Only the columns of a table can be left out; import the data again.")
    answers = import_doubts.resolved(found.answers, found.doubts, ways)
    answers = import_data.cured(answers, found.giveaways, cures)

    def work(progress: Progress) -> Imported:
        again = _opened(imports.begin_again(found.id), found.name, answers, progress).without(found)
        imports.delete_import(found.id)
        return again

    key = f"import {uploads.content_key(found.id, answers.to_dict())}"
    job = job_panel.start_job(
        key, f"Opening {found.name} as you said", work, import_data.Incoming(found.name)
    )
    job.wait(PATIENCE_SECONDS)
    if job.error:
        raise DataError(job.error)
    state.show_job(PLACE, job.id)
    return job.result if isinstance(job.result, Imported) else None
