"""Which people's answers changed: a few of them to look at, and what the change means for each."""

from __future__ import annotations

import numpy as np

from fmd_core.data import Array
from fmd_core.measure.comparison import Comparison

OUTCOMES = ("now right", "now wrong", "wrong both times")


def changed_examples(comparison: Comparison, labels: Array, most: int) -> Array:
    """Positions of at most `most` samples whose answer changed, those that lost a right answer last.

    Half are losses if there are that many, so that a few losses are not drowned by many gains.
    `labels` (n,) is the true class of each sample in the comparison.
    """
    changed = comparison.changed
    had_it_right = comparison.predicted_before[changed] == labels[changed]
    lost, others = changed[had_it_right], changed[~had_it_right]
    lost = _spread(lost, max(most // 2, most - len(others)))
    return np.concatenate([_spread(others, most - len(lost)), lost])


def _spread(positions: Array, most: int) -> Array:
    """At most `most` of the positions, evenly spread over them."""
    count = min(most, len(positions))
    return positions[np.arange(count) * len(positions) // max(count, 1)]


def outcome(truth: int, before: int, after: int) -> str:
    """What a changed answer means for its sample: one of OUTCOMES."""
    if after == truth:
        return OUTCOMES[0]
    return OUTCOMES[1] if before == truth else OUTCOMES[2]
