"""Where things lie on this machine: two folders, each by a setting; and a disk that is full, in words."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fmd_core.errors import FMDError, HomeError

PACKAGE = Path(__file__).resolve().parent
REPOSITORY = PACKAGE.parent  # of a checkout; where packages are installed otherwise


def data_folder() -> Path:
    """Public data that does not ship with us: the setting FMD_DATA_DIR, else shared/data beside
    the repository when that exists, else `home_folder()/data`. It may not exist yet."""
    if os.environ.get("FMD_DATA_DIR"):  # empty is not set: else it would be the current folder
        return Path(os.environ["FMD_DATA_DIR"])
    beside = REPOSITORY.parent / "shared" / "data"
    return beside if beside.is_dir() else home_folder() / "data"


def home_folder() -> Path:
    """What the dashboard makes and keeps: the setting FMD_HOME, else ~/.fmd-studio. Made when missing.

    Raises HomeError where it cannot be a folder."""
    given = os.environ.get("FMD_HOME")
    folder = Path(given or Path.home() / ".fmd-studio")
    if folder.is_dir():  # it is asked for dozens of times a rerun, and making what is there is dear
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "it is a file" if folder.is_file() else error.strerror or "the disk refuses it"
        raise HomeError(
            f"FMD_HOME is '{given or '~/.fmd-studio'}', which cannot be FMD Studio's folder ({why}): name a folder "
            "that can be written to."
        ) from error
    return folder


def demo_folder() -> Path:
    """The bundled demos: inside the installed package, else sample_data of the checkout."""
    packed = PACKAGE / "_bundled"
    return packed if packed.is_dir() else REPOSITORY / "sample_data"


def dashboard_folder() -> Path | None:
    """The folder from which the dashboard runs (app/server.py, .streamlit/ and assets/ lie in it): inside
    the installed package, else the checkout; None where there is neither."""
    places = (PACKAGE / "_dashboard", REPOSITORY)
    return next((place for place in places if (place / "app" / "server.py").is_file()), None)


def is_disk_full(error: BaseException) -> bool:
    """Whether something could not be written for want of room; safetensors says so in its text only."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "(os error 28)" in str(error)


@contextmanager
def room_needed(kind: type[FMDError]) -> Iterator[None]:
    """A full disk becomes an error of `kind`, in words; everything else passes through."""
    try:
        yield
    except Exception as error:
        if not is_disk_full(error):
            raise
        raise kind("The disk is full, so nothing was kept. Make room, then start this step again.") from error
