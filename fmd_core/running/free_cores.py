"""How many processors have nothing to do, for work that can be spread."""

from __future__ import annotations

import os


def free_cores() -> int:
    """Processors that this process may use less the load of the last minute, at least 1: work that is spread over more
    than are free waits for itself."""
    asked = getattr(os, "sched_getaffinity", None)
    mine = len(asked(0)) if asked else (os.cpu_count() or 1)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return max(1, round(mine - load))
