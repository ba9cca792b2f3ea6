"""Files that a visitor uploads: looked at in place, or lent to a job that outlives the page."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from streamlit.runtime.uploaded_file_manager import UploadedFile

from app.jobs.job import Job
from app.jobs.registry import REGISTRY
from fmd_core import DataError
from fmd_core.datasets.own.archives import names_in_zip
from fmd_core.datasets.own.bringing import ListFile
from fmd_core.datasets.own.sniffing import AS_FOUND, Correction, Sheet
from fmd_core.datasets.own.sniffing_formats import Format, find_format
from fmd_core.datasets.own.sniffing_workbook import page_names
from fmd_core.home import home_folder
from fmd_core.text import clean_text

SUFFIXES = (
    ".csv",
    ".txt",
    ".tsv",
    ".data",
    ".parquet",
    ".xlsx",
    ".arff",
    ".json",
    ".jsonl",
    ".zip",
    ".onnx",
    ".safetensors",
    ".pt",
    ".pth",
    ".bin",
    ".mlmodel",
)
MOST_SHEETS = 4  # parsed tables that are remembered, so that an answer does not read the file again
LONGEST_STAY = 24 * 3600.0  # seconds; an older folder was left behind by a server that was killed
MOST_ARCHIVES = 4
_sheets: OrderedDict[tuple[str, Correction], Sheet] = OrderedDict()
_seen: OrderedDict[tuple[str, str], Any] = OrderedDict()  # what else was found in a file, by what it is
_lock = threading.Lock()
T = TypeVar("T")


def read_sheet(given: UploadedFile, said: Correction = AS_FOUND) -> Sheet:
    """An uploaded table laid out as `said`, read once. Raises DataError for what is none."""
    key = (given.file_id, said)
    with _lock:
        if key in _sheets:
            _sheets.move_to_end(key)
            return _sheets[key]
    with on_disk(given) as path:
        sheet = ListFile(path, shown_name(given), said).read()
    with _lock:
        _sheets[key] = sheet
        while len(_sheets) > MOST_SHEETS:
            _sheets.popitem(last=False)
    return sheet


def picture_names(given: UploadedFile) -> tuple[str, ...]:
    """The pictures in an uploaded zip, by its list of contents. Raises DataError for what is none."""
    return _once(given, "pictures", names_in_zip)


def format_of(given: UploadedFile) -> Format:
    """What an uploaded table is by its content; "Parquet", which has one layout, for what is no table."""
    return _once(given, "format", _format)


def pages_of(given: UploadedFile) -> tuple[str, ...]:
    """The pages of an uploaded workbook."""
    return _once(given, "pages", page_names)


def _format(path: Path) -> Format:
    try:
        return find_format(path)
    except DataError:
        return "Parquet"  # no table at all, which nobody can lay out


def _once(given: UploadedFile, what: str, find: Callable[[Path], T]) -> T:
    """What `find` finds in an upload, remembered."""
    key = (given.file_id, what)
    with _lock:
        if key in _seen:
            return cast(T, _seen[key])
    with on_disk(given) as path:
        try:
            found = find(path)
        except DataError as error:
            raise DataError(str(error).replace(path.name, shown_name(given))) from error
    with _lock:
        _seen[key] = found
        while len(_seen) > 4 * MOST_ARCHIVES:
            _seen.popitem(last=False)
    return found


def shown_name(given: UploadedFile) -> str:
    """The name that a visitor gave a file, short enough for a page."""
    return clean_text(Path(given.name).name)[-60:]


def content_key(*parts: object) -> str:
    """A key for a job: the same uploads with the same answers are the same work."""
    names = [part.file_id if isinstance(part, UploadedFile) else part for part in parts]
    return json.dumps(names, default=str)


@contextmanager
def on_disk(given: UploadedFile) -> Iterator[Path]:
    """The upload as a private file under a name of our own, deleted afterwards."""
    folder = Path(tempfile.mkdtemp(dir=_uploads()))
    try:
        yield _copy(given, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def lend(
    key: str, files: tuple[UploadedFile | None, ...], start: Callable[[tuple[Path | None, ...]], Job]
) -> Job:
    """Start a job on private copies of uploads, which stay until it has ended. While a job of this
    `key` lives, that one is returned and nothing is copied."""
    for job in REGISTRY.recent():
        if job.key == key and job.live and not job.stopping:
            return job
    _tidy()
    folder = Path(tempfile.mkdtemp(dir=_uploads()))
    try:
        job = start(tuple(_copy(given, folder) if given else None for given in files))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    job.when_over(partial(shutil.rmtree, folder, ignore_errors=True))
    return job


def give_back(*paths: Path | None) -> None:
    """Delete lent copies before the job's end, as soon as it needs them no more."""
    for path in filter(None, paths):
        shutil.rmtree(path.parent, ignore_errors=True)


def _tidy() -> None:
    """Delete what was left behind by a server that was killed."""
    for folder in _uploads().iterdir():
        with suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > LONGEST_STAY:
                shutil.rmtree(folder, ignore_errors=True)


def _copy(given: UploadedFile, folder: Path) -> Path:
    suffix = Path(given.name).suffix.lower()
    stem = f"upload{len(list(folder.iterdir()))}"
    path = folder / f"{stem}{suffix if suffix in SUFFIXES else ''}"
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
        given.seek(0)
        shutil.copyfileobj(given, out)
    given.seek(0)
    return path


def _uploads() -> Path:
    folder = home_folder() / "uploads"
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)  # also one that an older version made
    return folder
