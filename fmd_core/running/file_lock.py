"""A lock on an open file, which ends with its process: so others see whether its writer still lives."""

from __future__ import annotations

import sys

HAS_LOCKS = sys.platform != "win32"


def take_lock(file: int, *, wait: bool = False) -> bool:
    """Lock an open file (its descriptor) until it is closed; False when another process or another opening of
    the file has the lock and we do not `wait`, and on a system without such locks (HAS_LOCKS)."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True
