"""Decoded pictures, kept in memory while a network learns from them: every epoch reads the same ones."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from fmd_core.data import Array
from fmd_core.running.cache_limit import budget

SHARE = 0.5  # of what all results together may hold


class KeptPictures:
    """Reads samples as `read` does, and each picture once, as many as fit into a share of FMD_CACHE_MB. What is no
    picture is read anew: it lies in memory already. Threads may read at the same time."""

    def __init__(self, read: Callable[[Array], Array], rows: Array, limit_bytes: int | None = None) -> None:
        """`rows` (n,) are all that will be read."""
        self._read, self._rows, self._lock = read, np.unique(rows), threading.Lock()
        self._limit = round(SHARE * budget()) if limit_bytes is None else limit_bytes
        self._held = np.zeros((0, 0, 0, 3), "uint8")
        self._known = np.zeros(len(self._rows), bool)

    def __call__(self, rows: Array) -> Array:
        """Inputs of `rows` (m,), in their order."""
        places = np.searchsorted(self._rows, rows)
        known = self._known[places]
        if not known.any():
            return self._kept(places, self._read(rows))
        found = np.empty((len(rows), *self._held.shape[1:]), self._held.dtype)
        found[known] = self._held[places[known]]
        if not known.all():
            found[~known] = self._kept(places[~known], self._read(rows[~known]))
        return found

    def _kept(self, places: Array, read: Array) -> Array:
        """What was just read, after as much of it was kept as there is room for."""
        if not isinstance(read, np.ndarray) or read.dtype != np.uint8 or read.ndim != 4 or not len(read):
            return read
        with self._lock:
            if not self._held.shape[1]:  # the first ones say how large they are
                room = min(len(self._rows), self._limit // read[0].nbytes)
                self._held = np.empty((room, *read.shape[1:]), "uint8")  # taken page by page, as it is filled
        if self._held.shape[1:] != read.shape[1:]:
            return read
        fits = places < len(self._held)
        self._held[places[fits]] = read[fits]
        self._known[places[fits]] = True  # after the pictures: another thread may look
        return read
