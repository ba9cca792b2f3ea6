"""Load the heavy libraries and the demo once, in the background, after the server is up."""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

_done = threading.Event()
_measured = threading.Event()
_first_page = threading.Event()
_ending = threading.Event()
# Imports hold Python's lock: the first visitor's page goes first, and when nobody comes we begin.
NOBODY_CAME_SECONDS = 4.0
PAINT_SECONDS = 0.3
LONGEST_WAIT_SECONDS = 2.0  # for a page that is being drawn; then the loading goes on beside it
_drawing = 0  # pages at this moment
_pages = threading.Condition()


def start() -> None:
    """Begin loading in a daemon thread."""
    os.environ.setdefault(
        "OMP_NUM_THREADS", "1"
    )  # torch asks when it is loaded, which a page may do before us
    threading.Thread(target=_load, name="warmup", daemon=True).start()


def end() -> None:
    """The server ends: what is not loaded yet is not missed."""
    _ending.set()


@contextmanager
def drawing() -> Iterator[None]:
    """While a page is drawn, what is loaded in the background gives way to it."""
    _count(+1)
    try:
        yield
    finally:
        _count(-1)
        _first_page.set()  # it was sent to a browser, which now fetches and paints it


@contextmanager
def _not_drawing() -> Iterator[None]:
    _count(-1)
    try:
        yield
    finally:
        _count(+1)


def _count(pages: int) -> None:
    global _drawing
    with _pages:
        _drawing += pages
        _pages.notify_all()


def give_way(_share: float) -> None:
    """Wait until no page is being drawn; the progress callback of everything that is loaded here."""
    with _pages:
        _pages.wait_for(lambda: _drawing <= 0, LONGEST_WAIT_SECONDS)


def wait() -> None:
    """Until everything is loaded, or loading failed; a page that waits for it is not one to give way to."""
    with _not_drawing():
        _done.wait()


def is_done() -> bool:
    """Whether everything is loaded, or loading failed: then a page meets the error itself."""
    return _done.is_set()


def is_measured() -> bool:
    """Whether the demo's accuracy costs nothing, or loading failed."""
    return _measured.is_set() or _done.is_set()


def _load() -> None:
    try:
        _tell_scipy()
        somebody_came = _first_page.wait(NOBODY_CAME_SECONDS)
        _sweep()
        from app import cache
        from app.record.review import Review

        demo = Review()
        cache.features(demo, "test", give_way)  # they come with the demo: no network is asked
        _measured.set()
        if somebody_came:
            time.sleep(PAINT_SECONDS)
        give_way(0.0)  # the page that shows it
        from app.widgets import panels  # noqa: F401  plotly and pandas
        from fmd_core.measure.group_metrics import import_aif360

        import_aif360()
        # One thread per product: ours are small, threads that wait for each other are slow
        # (measured 4-10 times on a busy machine), and visitors share the processors fairly.
        # Only libraries that are loaded by now can be told.
        threadpool_limits(1)
        _freeze()
        cache.warm(demo, give_way)
        _done.set()
        import torch  # seconds, for which nobody has to wait so far

        torch.set_num_threads(1)
        threadpool_limits(1)
        cache.warm_scores(demo, give_way)
        import captum.attr  # noqa: F401  a second, when somebody first asks where the model looks

        cache.warm(Review("synthetic_faces"), give_way)
        from app.session import keeping

        keeping.store().listing("")  # opens the database, before somebody's first step waits for it
        _freeze()
    except Exception:
        if not _ending.is_set():  # a process that ends starts no more threads
            logging.getLogger(__name__).exception("warm-up failed")
    finally:
        _done.set()


def _tell_scipy() -> None:
    """Let scipy find out that our numbers are not torch's while torch is not there.

    It asks that of every class of numbers that it meets for the first time, and remembers the answer. Asked while
    another thread is in the middle of loading torch it raises an AttributeError (scipy 1.17), which ended a job.
    """
    import numpy as np
    from scipy.special import logsumexp

    array = np.zeros(1)
    for numbers in (array, array.view(np.memmap), array[0], 0.0, 0, [0.0]):
        logsumexp(numbers)


def _sweep() -> None:
    """Remove what a server that was killed left of private files: nobody need begin an import for that."""
    from fmd_core.datasets.own import imports

    try:
        imports.sweep()
    except OSError as problem:  # a disk that cannot be written to is said where it is needed
        logging.getLogger(__name__).warning("could not tidy up the imports: %s", problem)


def _freeze() -> None:
    """Take all that was loaded so far out of garbage collection.

    Now and then Python collects everything that lives, while all pages wait; frozen, the libraries'
    390,000 objects are not walked again (measured: 170 ms a collection become 0). The collections that
    Streamlit does after every rerun are switched off in .streamlit/config.toml.
    """
    gc.collect()
    gc.freeze()
