"""Where things lie on this machine: two folders, each by a setting."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def data_folder() -> Path:
    """Public data that does not ship with us: the setting FMD_DATA_DIR, else shared/data beside
    the repository when that exists, else `home_folder()/data`. It may not exist yet."""
    if os.environ.get("FMD_DATA_DIR"):  # empty is not set: else it would be the current folder
        return Path(os.environ["FMD_DATA_DIR"])
    beside = REPOSITORY.parent / "shared" / "data"
    return beside if beside.is_dir() else home_folder() / "data"


def home_folder() -> Path:
    """What the dashboard makes and keeps: the setting FMD_HOME, else ~/.fmd-studio. Made when missing."""
    folder = Path(os.environ.get("FMD_HOME") or Path.home() / ".fmd-studio")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
