"""Load the heavy libraries and the demo once, in the background, after the server is up."""

from __future__ import annotations

import gc
import logging
import threading
import time

_done = threading.Event()
_PAINT_FIRST_SECONDS = 1.5  # imports hold Python's lock; give a waiting browser its first page


def start() -> None:
    """Begin loading in a daemon thread."""
    threading.Thread(target=_load, name="warmup", daemon=True).start()


def is_done() -> bool:
    """Whether everything is loaded, or loading failed: then a page meets the error itself."""
    return _done.is_set()


def _load() -> None:
    time.sleep(_PAINT_FIRST_SECONDS)
    try:
        import torch  # noqa: F401

        from app import cache
        from fmd_core.group_metrics import import_aif360

        import_aif360()
        cache.warm()
        # Streamlit collects garbage after every rerun; frozen, the libraries' half a million
        # objects are not walked again (measured: 378 ms a rerun become 0).
        gc.collect()
        gc.freeze()
    except Exception:
        logging.getLogger(__name__).exception("warm-up failed")
    finally:
        _done.set()
