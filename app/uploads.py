"""Files that a visitor uploads, on disk for as long as they are looked at."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamlit.runtime.uploaded_file_manager import UploadedFile

from fmd_core.home import home_folder

SUFFIXES = (".csv", ".txt", ".tsv", ".parquet", ".zip", ".safetensors", ".pt", ".pth", ".bin")


@contextmanager
def on_disk(given: UploadedFile) -> Iterator[Path]:
    """The upload as a private file under a name of our own, deleted afterwards."""
    folder = Path(tempfile.mkdtemp(dir=_uploads()))
    try:
        suffix = Path(given.name).suffix.lower()
        path = folder / f"upload{suffix if suffix in SUFFIXES else ''}"
        with path.open("wb") as out:
            shutil.copyfileobj(given, out)
        given.seek(0)
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _uploads() -> Path:
    folder = home_folder() / "uploads"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
