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
from dataclasses import replace
from functools import partial
from pathlib import Path

from streamlit.runtime.uploaded_file_manager import UploadedFile

from app.jobs.registry import REGISTRY, Job
from fmd_core import DataError
from fmd_core.datasets.own.sheet_checks import without_header_rows
from fmd_core.datasets.own.sniffing import Sheet, read_table
from fmd_core.home import home_folder
from fmd_core.text import clean_text

SUFFIXES = (
    ".csv",
    ".txt",
    ".tsv",
    ".parquet",
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
_sheets: OrderedDict[str, Sheet] = OrderedDict()
_lock = threading.Lock()


def read_sheet(given: UploadedFile) -> Sheet:
    """An uploaded table, read once. Raises DataError for what is none."""
    with _lock:
        if given.file_id in _sheets:
            _sheets.move_to_end(given.file_id)
            return _sheets[given.file_id]
    name = shown_name(given)
    with on_disk(given) as path:
        try:
            sheet = without_header_rows(replace(read_table(path), name=name))
        except DataError as error:
            raise DataError(str(error).replace(path.name, name)) from error
    with _lock:
        _sheets[given.file_id] = sheet
        while len(_sheets) > MOST_SHEETS:
            _sheets.popitem(last=False)
    return sheet


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
