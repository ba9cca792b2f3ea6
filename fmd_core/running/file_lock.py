"""A lock on an open file, which ends with its process: so others see whether its writer still lives."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PAUSE_SECONDS = 0.1  # between two looks at a lock that another has


def take_lock(file: int, *, wait: bool = False) -> bool:
    """Lock an open file (its descriptor) until it is closed; False when another process or another opening of
    the file has the lock and we do not `wait`, and where the file system has no locks."""
    from filelock import lock_descriptor  # brings sqlite3 and asyncio along: not before it is needed

    try:
        return lock_descriptor(file, blocking=wait)
    except OSError:
        return False


def is_locked(file: int) -> bool:
    """Whether somebody else has the lock of an open file; False where the file system has no locks."""
    from filelock import lock_descriptor

    try:
        return not lock_descriptor(file, blocking=False)
    except OSError:
        return False


@contextlib.contextmanager
def alone(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Be the only one of all processes that holds the file `path`, which is there for that long.

    `waiting` is called ten times a second while another one holds it; what it raises passes through. A process that is
    killed holds nothing. Where the disk takes no such file, or knows no locks, nobody waits: whoever relies on it must
    come to no harm when two do the same work.
    """
    file = _held(path, waiting)
    try:
        yield
    finally:
        if file is not None:
            with contextlib.suppress(OSError):
                path.unlink(
                    missing_ok=True
                )  # while it is held: whoever waits for it looks whether it is still there
            os.close(file)


def _held(path: Path, waiting: Callable[[], None]) -> int | None:
    from filelock import lock_descriptor

    while True:
        try:
            file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError:
            return None
        taken = False
        try:
            taken = lock_descriptor(file, blocking=False)
            if taken and _is_there(path, file):
                return file
        except OSError:
            os.close(file)
            return None
        os.close(file)
        if not taken:
            waiting()
            time.sleep(PAUSE_SECONDS)


def _is_there(path: Path, file: int) -> bool:
    """Whether an open file still has its name; its last holder has taken it off."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False
