"""Softmax over the classes of many samples, and the likeliest: scipy and numpy are slow along a short axis."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from fmd_core.data import Array

COMPARED_BY_COLUMN = 64
"""Of as many classes numpy's search along the row is the quicker one."""
SUMMED_IN_ORDER = 8
"""Fewer numbers than these numpy adds one after the other along any axis, so that nothing of the result changes."""


def softmax_rows(logits: Array) -> Array:
    """Each row (n, K) as shares that sum to 1, to the bit what `scipy.special.softmax(logits, axis=1)` gives."""
    if logits.shape[1] >= SUMMED_IN_ORDER:
        return np.asarray(softmax(logits, axis=1))
    return np.asarray(softmax(np.ascontiguousarray(logits.T), axis=0).T)


def most_likely(probabilities: Array) -> Array:
    """The class with the largest of each row (n, K), the first of several: `probabilities.argmax(axis=1)`, (n,)."""
    if probabilities.shape[1] >= COMPARED_BY_COLUMN or not np.isfinite(probabilities).all():
        return np.asarray(probabilities.argmax(axis=1))
    columns = np.ascontiguousarray(probabilities.T)
    found, largest = np.zeros(len(probabilities), np.uint8), columns[0].copy()
    for k, column in enumerate(columns[1:], start=1):
        np.maximum(
            found, np.multiply(column > largest, k, dtype=np.uint8), out=found
        )  # later ones are higher
        np.maximum(largest, column, out=largest)
    return found.astype(np.intp)
