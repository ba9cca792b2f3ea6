"""How long work takes on this machine, as busy as it is now."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median


def usual_seconds(work: Callable[[], object], tries: int) -> float:
    """Seconds by the middle one of a few `tries`, as others use the machine as well; one before them, which wakes the
    libraries up, does not count."""
    work()
    spent = []
    for _ in range(tries):
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return median(spent)
