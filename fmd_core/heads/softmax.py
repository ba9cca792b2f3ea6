"""Softmax over the classes of many samples, which scipy does slowly along a short axis."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from fmd_core.data import Array

SUMMED_IN_ORDER = 8
"""Fewer numbers than these numpy adds one after the other along any axis, so that nothing of the result changes."""


def softmax_rows(logits: Array) -> Array:
    """Each row (n, K) as shares that sum to 1, to the bit what `scipy.special.softmax(logits, axis=1)` gives."""
    if logits.shape[1] >= SUMMED_IN_ORDER:
        return np.asarray(softmax(logits, axis=1))
    return np.asarray(softmax(np.ascontiguousarray(logits.T), axis=0).T)
