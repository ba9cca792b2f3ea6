"""A lock on an open file, which ends with its process: so others see whether its writer still lives."""

from __future__ import annotations


def take_lock(file: int, *, wait: bool = False) -> bool:
    """Lock an open file (its descriptor) until it is closed; False when another process or another opening of
    the file has the lock and we do not `wait`, and where the file system has no locks."""
    from filelock import lock_descriptor  # brings sqlite3 and asyncio along: not before it is needed

    try:
        return lock_descriptor(file, blocking=wait)
    except OSError:
        return False
