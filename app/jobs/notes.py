"""Notes of long work under way, for the day that the server is killed: one file for each job that waits
or runs, deleted at its end.

Whose writer died is told by a lock that ends with its process, so several servers may share a folder.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from fmd_core.home import home_folder
from fmd_core.running.file_lock import is_locked, take_lock

LOG = logging.getLogger("fmd.jobs")
MOST_KEPT = 50  # of those that died
MOST_BYTES = 1_000_000  # of one note; a key may name every pair that was left out


@dataclass(frozen=True)
class JobNote:
    """What is known of a job that was under way."""

    id: str
    key: str
    title: str
    begun: str  # ISO 8601, UTC


class JobNotes:
    """The notes in a folder, `home_folder()/jobs` unless told otherwise. Any thread may use it.

    An id is also a file's name: whoever asks for one has checked it (`jobs.JOB_ID`).
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._given = folder

    def write(self, job_id: str, key: str, title: str) -> int | None:
        """Note a job; returns the open file whose lock says that it lives, for `erase`.

        None, and a line in the server's log, when the disk takes no note: the work itself can be done.
        """
        told = json.dumps(asdict(JobNote(job_id, key, title, datetime.now(UTC).isoformat())))
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(self._path(job_id), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except OSError as error:
            LOG.warning("a job is not noted: %s", error.strerror)
            return None
        try:
            take_lock(file, wait=True)
            os.write(file, told.encode())  # torn by a kill or a full disk, it is no JSON and not believed
        except OSError as error:
            LOG.warning("a job is not noted: %s", error.strerror)
        self._drop_oldest()
        return file

    def erase(self, job_id: str, file: int | None) -> None:
        """Forget a job that ended."""
        if file is not None:
            os.close(file)  # first: Windows deletes no open file
            with contextlib.suppress(OSError):
                self._path(job_id).unlink(missing_ok=True)

    def left(self, job_id: str) -> JobNote | None:
        """The note of a job whose server is gone. None for a job that lives, and for one without a note."""
        return self._read(job_id, take_lock)

    def elsewhere(self, job_id: str) -> JobNote | None:
        """The note of a job that lives; of those that this process has not begun, another one does it."""
        return self._read(job_id, is_locked)

    def _read(self, job_id: str, is_wanted: Callable[[int], bool]) -> JobNote | None:
        not_a_note = OSError, ValueError, TypeError, RecursionError
        with contextlib.suppress(*not_a_note), self._path(job_id).open("rb") as file:
            if is_wanted(file.fileno()):
                told = JobNote(**json.loads(file.read(MOST_BYTES)))
                datetime.fromisoformat(told.begun)
                return told if told.id == job_id and all(map(_is_text, asdict(told).values())) else None
        return None

    def _drop_oldest(self) -> None:
        """Keep the latest notes of jobs that died."""
        with contextlib.suppress(OSError):
            notes = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
            for path in notes[:-MOST_KEPT]:
                with path.open("rb") as file:
                    dead = take_lock(file.fileno())
                if dead:
                    path.unlink(missing_ok=True)

    @property
    def _folder(self) -> Path:
        return self._given or home_folder() / "jobs"

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.json"


def _is_text(value: object) -> bool:
    return isinstance(value, str)
