"""A reviewer's own data, kept on this machine: the files as they came and the answers about them.

An import lies in a folder of its own under `home_folder()/imports`, named by a random id, and is
opened again from there: `table.<suffix>` with the rows, `pictures/` unpacked for images,
`answers.json` with what the columns mean. The answers are written last, so that a half-made
import is never opened.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fmd_core.data import AttributeDataset, ignore_progress
from fmd_core.datasets.own.answers import Answers
from fmd_core.datasets.own.archives import SUFFIXES, open_zip
from fmd_core.datasets.own.image_folder import FolderImport, open_image_folder
from fmd_core.datasets.own.sheet_checks import without_header_rows
from fmd_core.datasets.own.sniffing import Sheet, read_table
from fmd_core.datasets.own.table import TableImport, open_table
from fmd_core.datasets.own.texts import TextImport, open_texts
from fmd_core.errors import DataError
from fmd_core.home import data_folder, home_folder, room_needed
from fmd_core.running.whole_files import written_whole

ANSWERS, PICTURES, SKIPPED, ELSEWHERE = "answers.json", "pictures", "skipped.json", "elsewhere.txt"
LOOKED_AT = 50  # files of a folder, to see whether it holds pictures
ABANDONED_SECONDS = 24 * 3600.0
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Kept:
    """An import on this machine."""

    id: str
    name: str
    kind: str  # the name of an `ImportForm`


@dataclass(frozen=True)
class ImportForm:
    """A way to bring data in. `name` stands in the files, so it stays what it is."""

    name: str
    answers: type[Answers]
    open: Callable[[Path, Any, Callable[[float], None]], AttributeDataset]
    """The data of a folder that `begin_import` made, by the answers about them."""


def picture_folders() -> dict[str, Path]:
    """Folders on this machine that hold pictures, by a short name: those in the public data and in
    `home_folder()/pictures`, two levels deep. Nobody can name any other folder."""
    found = {}
    for base in (data_folder(), home_folder() / "pictures"):
        for folder in sorted(f for depth in ("*", "*/*") for f in base.glob(depth) if f.is_dir()):
            names = itertools.islice((f.suffix.lower() for f in folder.iterdir()), LOOKED_AT)
            if not folder.is_symlink() and any(suffix in SUFFIXES for suffix in names):
                found[folder.relative_to(base).as_posix()] = folder
    return found


def begin_import(
    table: Path,
    archive: Path | None,
    progress: Callable[[float], None] = ignore_progress,
    *,
    pictures: Path | None = None,
) -> Path:
    """A new folder with a copy of `table` and the unpacked pictures of `archive`, or the way to the
    folder `pictures` where they lie; not yet answered."""
    _sweep()
    folder = _new_folder()
    try:
        with room_needed(DataError):
            shutil.copyfile(table, folder / f"table{table.suffix.lower()[:10]}")
            if pictures is not None:
                (folder / ELSEWHERE).write_text(str(pictures.resolve()))
            elif archive is not None:
                unpacked = open_zip(archive, folder / PICTURES, progress)
                (folder / SKIPPED).write_text(json.dumps(unpacked.notes))
    except BaseException:  # also a cancel: leave nothing half done
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _new_folder() -> Path:
    _root().mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = _root() / secrets.token_hex(16)
    folder.mkdir(mode=0o700)  # nobody else on this machine can look into it, whatever the files' modes
    return folder


def finish_import(folder: Path, name: str, answers: Answers) -> str:
    """Write down what the columns mean; returns the id under which it can be opened."""
    kind = next((form.name for form in FORMS.values() if form.answers is type(answers)), "")
    if not kind:
        raise DataError(
            f"Answers of the type {type(answers).__name__} belong to no form of import: {', '.join(FORMS)}."
        )
    with room_needed(DataError), written_whole(folder / ANSWERS) as part:
        part.write_text(json.dumps({"name": name[:80], "kind": kind, "answers": answers.to_dict()}))
    return folder.name


def sheet_of(import_id: str) -> Sheet:
    """The table of an import as it came, but for headers that stand in it again."""
    return _sheet(_folder(import_id))


def open_import(import_id: str, progress: Callable[[float], None] = ignore_progress) -> AttributeDataset:
    """Open what `finish_import` kept. Raises DataError for an unknown or damaged import."""
    folder = _folder(import_id)
    saved = _saved(folder)
    form = _form(saved["kind"])
    return replace(form.open(folder, form.answers.from_dict(saved["answers"]), progress), name=saved["name"])


def _form(kind: str) -> ImportForm:
    if kind not in FORMS:
        raise DataError(
            f"This import is of the form {kind[:40]!r}, which is not known here: {', '.join(FORMS)}."
        )
    return FORMS[kind]


def _open_table(folder: Path, answers: TableImport, _: Callable[[float], None]) -> AttributeDataset:
    return open_table(_sheet(folder), answers)


def _open_texts(folder: Path, answers: TextImport, _: Callable[[float], None]) -> AttributeDataset:
    return open_texts(_sheet(folder), answers)


def _open_pictures(
    folder: Path, answers: FolderImport, progress: Callable[[float], None]
) -> AttributeDataset:
    elsewhere = folder / ELSEWHERE
    images = Path(elsewhere.read_text()) if elsewhere.is_file() else folder / PICTURES
    dataset = open_image_folder(images, _sheet(folder), answers, progress)
    return replace(dataset, notes=(*_skipped(folder), *dataset.notes))


FORMS: dict[str, ImportForm] = {
    form.name: form
    for form in (
        ImportForm("table", TableImport, _open_table),
        ImportForm("images", FolderImport, _open_pictures),
        ImportForm("texts", TextImport, _open_texts),
    )
}
"""Every way to bring data in, by name; another kind of data is another line."""


def kept_imports() -> tuple[Kept, ...]:
    """Every finished import, latest first; one whose answers are damaged is left out."""
    found = []
    if _root().is_dir():
        for folder in sorted(_root().iterdir(), key=lambda f: f.stat().st_mtime, reverse=True):
            if _ID.fullmatch(folder.name) and (folder / ANSWERS).is_file():
                with contextlib.suppress(DataError):
                    saved = _saved(folder)
                    found.append(Kept(folder.name, saved["name"], saved["kind"]))
    return tuple(found)


def answers_of(import_id: str) -> Answers:
    """What was said about an import. Raises DataError for an unknown or damaged one."""
    saved = _saved(_folder(import_id))
    return _form(saved["kind"]).answers.from_dict(saved["answers"])


def answer_again(import_id: str, answers: Answers) -> str:
    """The same files under other answers, as an import of its own: what was opened under the old id stays as it
    is. The files are linked where the disk can, so that pictures take no room twice. Returns the new id."""
    old = _folder(import_id)
    folder = _new_folder()
    try:
        with room_needed(DataError):
            shutil.copytree(old, folder, copy_function=_link, ignore=lambda *_: [ANSWERS], dirs_exist_ok=True)
        return finish_import(folder, _saved(old)["name"], answers)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _link(there: str, here: str) -> None:
    try:
        os.link(there, here)
    except OSError:  # another disk, or one without links
        shutil.copyfile(there, here)


def delete_import(import_id: str) -> None:
    """Remove an import and all its files."""
    shutil.rmtree(_folder(import_id))


def _sweep() -> None:
    """Remove imports that were never finished and that nobody can be finishing any more."""
    if _root().is_dir():
        for folder in _root().iterdir():
            abandoned = (
                not (folder / ANSWERS).exists() and time.time() - folder.stat().st_mtime > ABANDONED_SECONDS
            )
            if _ID.fullmatch(folder.name) and abandoned:
                shutil.rmtree(folder, ignore_errors=True)


def _root() -> Path:
    return home_folder() / "imports"


def _folder(import_id: str) -> Path:
    folder = _root() / import_id if _ID.fullmatch(import_id) else None
    if folder is None or not (folder / ANSWERS).is_file():
        raise DataError("This import is not on this machine, or was deleted; import the data again.")
    return folder


def _sheet(folder: Path) -> Sheet:
    found = sorted(folder.glob("table*"))
    if not found:
        raise DataError("The table of this import is missing; import the data again.")
    return without_header_rows(read_table(found[0]))


def _skipped(folder: Path) -> list[str]:
    """What of the archive was left out, in words."""
    try:
        notes = json.loads((folder / SKIPPED).read_text())
    except FileNotFoundError:
        return []  # nothing was unpacked: the pictures lie elsewhere
    except (OSError, ValueError, RecursionError):
        notes = None
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise DataError("The saved notes of this import are damaged; import the data again.")
    return notes


def _saved(folder: Path) -> dict[str, Any]:
    try:
        saved = json.loads((folder / ANSWERS).read_text())
        return {"name": str(saved["name"]), "kind": str(saved["kind"]), "answers": dict(saved["answers"])}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError("The saved answers of this import are damaged; import the data again.") from error
