"""Features on disk, by content: computed once, read as memory maps by every session.

An entry is a .npy file (n, d) float32 named by its key, with the SHA-256 of all that stands before it as
its last bytes. It is written beside its final name and moved there when it is complete, so that a reader
meets a whole entry or none. A process checks the digest when it first meets an entry and whenever the file
is another: half a file of zeros would make another bias, and nobody would see why.

What our demos' models make of their first samples comes with the demos, in entries of the same kind: a key is a
digest of all that decides the content, so that they count as long as model and data are the ones that we ship.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fmd_core.data import Array
from fmd_core.errors import DataError
from fmd_core.home import demo_folder, home_folder, is_disk_full
from fmd_core.running.file_lock import alone, take_lock
from fmd_core.running.whole_files import written_whole

LIMIT_BYTES = 2 * 2**30
KEY = re.compile(r"[0-9a-f]{16,128}")
DAY_SECONDS, MINUTE_SECONDS = 86_400.0, 60.0
DTYPE = np.dtype("<f4")
SHIPPED = "features"
"""The folder of a demo in which entries lie."""
DIGEST_BYTES = hashlib.sha256().digest_size
CHUNK_BYTES = 2**22
_CHECKED: dict[Path, tuple[int, int, int]] = {}
"""Entries whose digest was found right in this process, by what the disk says of the file."""
_SWEPT: set[Path] = set()
_LOCKS: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)
_LOCKS_GUARD = threading.Lock()


class FeatureStore:
    """A folder of feature arrays of at most `limit_bytes`: when it grows beyond, the entries that
    were used longest ago go. Safe to share between threads and between processes."""

    def __init__(self, folder: Path | None = None, limit_bytes: int = LIMIT_BYTES) -> None:
        self.folder = folder or home_folder() / "features"
        self.limit_bytes = limit_bytes

    def get_or_compute(
        self,
        key: str,
        n_rows: int,
        compute: Callable[[], Iterable[Array]],
        waiting: Callable[[], None] = lambda: None,
    ) -> Array:
        """The entry `key`, a read-only map (n_rows, d) float32 of its file; when there is none it is
        first written from the batches (m, d) that `compute` gives.

        `key` is a hex digest of all that decides the content. Whoever asks for the same key
        meanwhile waits for it, also in another process, and `waiting` is called again and again while that one
        computes; where the file system has no locks both compute, and either array is valid. Whatever
        `compute` or `waiting` raises passes through and leaves nothing behind. Raises DataError when the batches
        do not fit together or the disk does not take them.
        """
        if not KEY.fullmatch(key):
            raise ValueError(f"not a hex digest: {key!r}")
        path = self.folder / f"{key}.npy"
        if (
            self.folder not in _SWEPT
        ):  # what was killed in an earlier process need not wait for the next writing
            _SWEPT.add(self.folder)
            self._sweep()
        with _lock_of(path):
            found = _open(path, n_rows)
            if found is None:
                found = _shipped(path.name, n_rows)
            if found is None:
                found = self._computed(path, n_rows, compute, waiting)
        if found is None:
            raise DataError("Stored features were removed while they were in use; start this step again.")
        return found

    def _computed(
        self, path: Path, n_rows: int, compute: Callable[[], Iterable[Array]], waiting: Callable[[], None]
    ) -> Array | None:
        """An entry that was not there; one that another process has written by the time it is our turn is taken."""
        with _disk_in_words():
            self.folder.mkdir(parents=True, exist_ok=True)
        with alone(path.with_suffix(".lock"), waiting):
            found = _open(path, n_rows)
            if found is None:
                self._write(path, n_rows, compute)
                self._make_room(path)
                found = _open(path, n_rows)
        return found

    def _write(self, path: Path, n_rows: int, compute: Callable[[], Iterable[Array]]) -> None:
        """Compute an entry: whole under its name, or not at all."""
        with _disk_in_words():
            self._sweep()
        with written_whole(path, move=_disk_in_words) as part:
            with _disk_in_words():
                file = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o600)
            try:
                take_lock(file)
                _write_rows(file, compute(), n_rows)
            finally:
                os.close(file)

    def _make_room(self, newest: Path) -> None:
        """Drop what was used longest ago until the limit is kept; never the newest entry."""
        entries = []
        for path in self.folder.glob("*.npy"):
            with contextlib.suppress(OSError):  # another process may drop it first
                known = path.stat()
                entries.append((path == newest, known.st_mtime_ns, known.st_size, path))
        total = sum(entry[2] for entry in entries)
        for is_newest, _, size, path in sorted(entries):
            if total <= self.limit_bytes or is_newest:
                return
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            total -= size

    def _sweep(self) -> None:
        """Remove half-written entries that nobody writes any more, and locks that nobody holds."""
        for part in (*self.folder.glob("*.part"), *self.folder.glob("*.lock")):
            with contextlib.suppress(OSError):
                if _is_abandoned(part):
                    part.unlink(missing_ok=True)


def _lock_of(path: Path) -> threading.Lock:
    """One lock for each entry in this process, whichever store object asks."""
    with _LOCKS_GUARD:
        return _LOCKS[path.absolute()]


def _open(path: Path, n_rows: int) -> Array | None:
    """A whole entry, marked as used now; None when there is none. A damaged one is removed."""
    try:
        found = _mapped(path, n_rows)
    except OSError:
        return None
    if found is None:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        return None
    with contextlib.suppress(OSError):  # removed just now, or another user's: the map stays valid
        os.utime(path)
        _CHECKED[path] = _looks(path)
    return found


def _shipped(name: str, n_rows: int) -> Array | None:
    """An entry that comes with a demo, left as it is; None where there is none, or a damaged one."""
    with contextlib.suppress(OSError):
        for path in demo_folder().glob(f"*/{SHIPPED}/{name}"):
            found = _mapped(path, n_rows)
            if found is not None:
                _CHECKED[path] = _looks(path)
                return found
    return None


def _mapped(path: Path, n_rows: int) -> Array | None:
    """The map of an entry; None where it is not whole, or not as it was written. Raises OSError."""
    try:
        found = np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception:  # NumPy has many words for a damaged header
        return None
    return found if _is_whole(found, path, n_rows) and _is_as_written(path) else None


def _is_whole(found: np.memmap[Any, Any], path: Path, n_rows: int) -> bool:
    fits = found.ndim == 2 and len(found) == n_rows and found.dtype == DTYPE and found.flags.c_contiguous
    return fits and path.stat().st_size == found.offset + found.nbytes + DIGEST_BYTES


def _is_as_written(path: Path) -> bool:
    """Whether an entry's digest is that of what stands before it; asked once of each file in each process."""
    try:
        if _CHECKED.get(path) == _looks(path):
            return True
        left, digest = path.stat().st_size - DIGEST_BYTES, hashlib.sha256()
        with path.open("rb") as file:
            while left > 0 and (read := file.read(min(CHUNK_BYTES, left))):
                digest.update(read)
                left -= len(read)
            return left == 0 and file.read() == digest.digest()
    except OSError:
        return False


def _looks(path: Path) -> tuple[int, int, int]:
    known = path.stat()
    return known.st_ino, known.st_size, known.st_mtime_ns


def _write_rows(file: int, batches: Iterable[Array], n_rows: int) -> None:
    """Append a .npy of all batches, and its digest, to an open file and have it on the disk."""
    done, width, digest = 0, None, hashlib.sha256()
    for batch in batches:
        rows = np.ascontiguousarray(batch, dtype=DTYPE)
        if rows.ndim != 2 or rows.shape[1] == 0 or rows.shape[1] != (width or rows.shape[1]):
            raise DataError(
                f"The encoder gave features of shape {rows.shape} after {done} samples with "
                f"{width or 'no'} features each; every sample needs the same features."
            )
        if not np.isfinite(rows).all():
            raise DataError(
                f"The encoder gave values that are not numbers among samples {done + 1} to {done + len(rows)} of "
                f"{n_rows}; check the weights and the inputs."
            )
        done += len(rows)
        if done > n_rows:
            break
        with _disk_in_words():
            if width is None:
                width = rows.shape[1]
                _append(file, _header(n_rows, width), digest)
            _append(file, rows.reshape(-1).view(np.uint8).data, digest)
    if done != n_rows or width is None:
        raise DataError(
            f"The encoder gave features for {'more than ' if done > n_rows else ''}{min(done, n_rows)} "
            f"samples, but there are {n_rows}; check the model and the data."
        )
    with _disk_in_words():
        _append(file, memoryview(digest.digest()))
        os.fsync(file)  # as long as the lock says that its writer lives: a large file may take a minute


def _append(file: int, data: memoryview, digest: hashlib._Hash | None = None) -> None:
    """Write all of it, and add it to `digest`. Not through a memory map: on a full disk that kills the process
    (SIGBUS)."""
    if digest:
        digest.update(data)
    while data:
        data = data[os.write(file, data) :]


def _header(n_rows: int, width: int) -> memoryview:
    """What stands before the numbers in a .npy file."""
    header = io.BytesIO()
    shape = {"descr": DTYPE.str, "fortran_order": False, "shape": (n_rows, width)}
    np.lib.format.write_array_header_1_0(header, shape)
    return memoryview(header.getvalue())


@contextlib.contextmanager
def _disk_in_words() -> Iterator[None]:
    """Errors of the disk as sentences."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise DataError(
                "The disk is full, so the features could not be saved. Make room, then start this step again."
            ) from error
        raise DataError(
            "The features could not be saved in FMD Studio's folder "
            f"({error.strerror or 'unknown reason'}). Check that it can be written to, then start this step again."
        ) from error


def _is_abandoned(part: Path) -> bool:
    """Whether a half-written entry, or a lock, is a day old, or its writer died. The writer holds a lock that
    ends with its process; a number in the name would mean nothing to another container."""
    age = time.time() - part.stat().st_mtime
    if age > DAY_SECONDS:
        return True
    if age < MINUTE_SECONDS:  # the writer may be about to take its lock
        return False
    file = os.open(part, os.O_RDONLY)
    try:
        return take_lock(file)
    finally:
        os.close(file)
