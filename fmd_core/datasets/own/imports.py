"""A reviewer's own data, kept on this machine: the files as they came and the answers about them.

An import lies in a folder of its own under `home_folder()/imports`, named by a random id, and is
opened again from there: `table.<suffix>` with the rows, `pictures/` unpacked for images,
`answers.json` with what the columns mean. The answers are written last, once everything was
looked at (`first_look`), so that a half-made import is never listed or opened; one that is deleted
is moved out of sight first, so that a kill leaves nothing that could be opened.
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
from fmd_core.datasets.own.archives import SUFFIXES, list_images, open_zip
from fmd_core.datasets.own.bringing import Reading, bring_pictures, bring_table
from fmd_core.datasets.own.image_folder import FolderImport, open_image_folder
from fmd_core.datasets.own.sheet_checks import without_header_rows
from fmd_core.datasets.own.sniffing import Sheet, read_table
from fmd_core.datasets.own.table import TableImport, open_table
from fmd_core.datasets.own.texts import TextImport, open_texts
from fmd_core.errors import DataError
from fmd_core.home import data_folder, home_folder, room_needed
from fmd_core.running.whole_files import written_whole

ANSWERS, PICTURES, SKIPPED, ELSEWHERE = "answers.json", "pictures", "skipped.json", "elsewhere.txt"
LONGEST_NAME = 80  # characters
READING = "reading.json"
LOOKED_AT = 50  # files of a folder, to see whether it holds pictures
ABANDONED_SECONDS = 24 * 3600.0
_ID = re.compile(r"[0-9a-f]{32}")
_DELETED = "deleted-"  # how the folder of a deleted import is called until all of it is gone


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
    table: Path | None,
    archive: Path | None,
    progress: Callable[[float], None] = ignore_progress,
    *,
    pictures: Path | None = None,
    reading: Reading | None = None,
) -> Path:
    """A new folder with a copy of `table`, or of all lists of a `reading`, and the unpacked pictures of `archive`, or
    the way to the folder `pictures` where they lie; not yet answered."""
    sweep()
    folder = _new_folder()
    try:
        with room_needed(DataError):
            if table is not None:
                shutil.copyfile(table, folder / f"table{table.suffix.lower()[:10]}")
            if reading is not None:
                (folder / READING).write_text(_copied(reading, folder).to_json())
            if pictures is not None:
                (folder / ELSEWHERE).write_text(str(pictures.resolve()))
            elif archive is not None:
                unpacked = open_zip(archive, folder / PICTURES, progress)
                (folder / SKIPPED).write_text(json.dumps(unpacked.notes))
    except BaseException:  # also a cancel: leave nothing half done
        _remove(folder)
        raise
    return folder


def _copied(reading: Reading, folder: Path) -> Reading:
    """The reading of copies in `folder` under names of our own."""
    lists = []
    for number, one in enumerate(reading.lists):
        suffix = re.sub(r"[^a-z0-9.]", "", one.path.suffix.lower()[:10])
        copy = folder / f"table{f'_{number}' if number else ''}{suffix}"
        shutil.copyfile(one.path, copy)
        lists.append(replace(one, path=copy))
    return replace(reading, lists=tuple(lists))


def _new_folder() -> Path:
    _root().mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = _root() / secrets.token_hex(16)
    folder.mkdir(mode=0o700)  # nobody else on this machine can look into it, whatever the files' modes
    return folder


def first_look(
    folder: Path, name: str, answers: Answers, progress: Callable[[float], None] = ignore_progress
) -> AttributeDataset:
    """Open what `begin_import` made before it is finished, so that an import is listed only once every row and
    picture was checked. Raises DataError for answers that do not fit."""
    return replace(_form(_kind_of(answers)).open(folder, answers, progress), name=name[:LONGEST_NAME])


def begun_sheet(folder: Path) -> Sheet:
    """The table of what `begin_import` made, as `sheet_of` gives it later."""
    return _sheet(folder)


def give_up(folder: Path) -> None:
    """Remove what `begin_import` made."""
    _remove(folder)


def finish_import(folder: Path, name: str, answers: Answers) -> str:
    """Write down what the columns mean; returns the id under which it can be opened."""
    kind = _kind_of(answers)
    with room_needed(DataError), written_whole(folder / ANSWERS) as part:
        part.write_text(json.dumps({"name": name[:LONGEST_NAME], "kind": kind, "answers": answers.to_dict()}))
    return folder.name


def _kind_of(answers: Answers) -> str:
    kind = next((form.name for form in FORMS.values() if form.answers is type(answers)), "")
    if not kind:
        raise DataError(
            f"Answers of the type {type(answers).__name__} belong to no form of import: {', '.join(FORMS)}."
        )
    return kind


def sheet_of(import_id: str) -> Sheet:
    """The table of an import as it is read."""
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
    dataset = open_image_folder(_pictures_of(folder), _sheet(folder), answers, progress)
    return replace(dataset, notes=(*_skipped(folder), *dataset.notes))


def _pictures_of(folder: Path) -> Path:
    elsewhere = folder / ELSEWHERE
    return Path(elsewhere.read_text()) if elsewhere.is_file() else folder / PICTURES


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
    folder = begin_again(import_id)
    try:
        return finish_import(folder, _saved(_folder(import_id))["name"], answers)
    except BaseException:
        _remove(folder)
        raise


def begin_again(import_id: str) -> Path:
    """A new folder with the files of an import, not yet answered, as `begin_import` makes one."""
    old = _folder(import_id)
    folder = _new_folder()
    try:
        with room_needed(DataError):
            shutil.copytree(old, folder, copy_function=_link, ignore=lambda *_: [ANSWERS], dirs_exist_ok=True)
    except BaseException:
        _remove(folder)
        raise
    return folder


def _link(there: str, here: str) -> None:
    try:
        os.link(there, here)
    except OSError:  # another disk, or one without links
        shutil.copyfile(there, here)


def delete_import(import_id: str) -> None:
    """Remove an import and all its files."""
    gone = _out_of_sight(_folder(import_id))
    shutil.rmtree(gone)


def _remove(folder: Path) -> None:
    """Remove a folder of ours, as far as the disk lets us; what stays is out of sight, and swept later."""
    with contextlib.suppress(OSError):
        shutil.rmtree(_out_of_sight(folder), ignore_errors=True)


def _out_of_sight(folder: Path) -> Path:
    """Take an import off the list in one step: from now on a kill leaves nothing that can be opened."""
    gone = folder.with_name(f"{_DELETED}{folder.name}-{secrets.token_hex(4)}")
    folder.rename(gone)
    return gone


def sweep() -> None:
    """Remove what kills left: imports that were being deleted, and those that were never finished and that nobody
    can be finishing any more."""
    for folder in _root().iterdir() if _root().is_dir() else ():
        with contextlib.suppress(OSError):  # another process may remove it first
            is_old = time.time() - folder.stat().st_mtime > ABANDONED_SECONDS
            never_finished = _ID.fullmatch(folder.name) and is_old and not (folder / ANSWERS).exists()
            if folder.name.startswith(_DELETED) or never_finished:
                shutil.rmtree(folder, ignore_errors=True)


def _root() -> Path:
    return home_folder() / "imports"


def _folder(import_id: str) -> Path:
    folder = _root() / import_id if _ID.fullmatch(import_id) else None
    if folder is None or not (folder / ANSWERS).is_file():
        raise DataError("This import is not on this machine, or was deleted; import the data again.")
    return folder


def _sheet(folder: Path) -> Sheet:
    """The table of an import: by its reading, or the one table of an import of before there were any."""
    if (folder / READING).is_file():
        reading = Reading.from_json((folder / READING).read_text(), folder)
        sheets = [one.read() for one in reading.lists]
        if (folder / PICTURES).is_dir() or (folder / ELSEWHERE).is_file():
            names = tuple(list_images(_pictures_of(folder)))
            return bring_pictures(sheets, names, reading.name, fold=reading.fold).sheet
        if len(sheets) == 1:
            return bring_table(sheets[0], fold=reading.fold).sheet
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
