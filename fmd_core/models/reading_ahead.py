"""Reading the next samples while the last ones are worked on."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

P = TypeVar("P")
B = TypeVar("B")
MOST_READERS = 4


def reader_count() -> int:
    """Threads that read: pictures are decoded outside Python's lock, and one CPU is left to whoever works on them."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST_READERS, usable - 1))


def read_ahead(
    read: Callable[[P], B], parts: Iterable[P], readers: int | None = None
) -> Generator[B, None, None]:
    """read(part) of each part, in order: as many as there are readers are read while the last one is worked on. What
    `read` raises comes at its place; closing ends the readers."""
    count, rest = readers or reader_count(), iter(parts)
    with ThreadPoolExecutor(count, thread_name_prefix="reader") as pool:
        coming: deque[Future[B]] = deque(pool.submit(read, part) for part in islice(rest, count))
        try:
            while coming:
                found = coming.popleft().result()
                coming.extend(pool.submit(read, part) for part in islice(rest, 1))
                yield found
        finally:
            for one in coming:
                one.cancel()
