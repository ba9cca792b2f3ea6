"""A few pairs that stand for all of them, to be looked at."""

from __future__ import annotations

import numpy as np

from fmd_core.data import Array
from fmd_core.twins.pairs import CounterfactualPairs

TRIES, SEED = 200, 0


def cast(pairs: CounterfactualPairs, flips: Array, most: int) -> CounterfactualPairs:
    """At most `most` pairs, of every class as many: of 200 draws with a fixed seed the one whose shares of flips are
    closest to those of all pairs.

    Parameters
    ----------
    flips : (h, m) bool, whether each of h heads gives the two sides of each of the m pairs different answers.
    """
    everybody = flips.mean(axis=1)
    rng = np.random.default_rng(SEED)
    of_class = [np.flatnonzero(pairs.labels == label) for label in np.unique(pairs.labels)]
    each = np.full(len(of_class), most // len(of_class))
    each[: most - each.sum()] += 1
    best, chosen = np.inf, np.arange(0)
    for _ in range(TRIES):
        drawn = np.concatenate([rng.permutation(own)[:n] for own, n in zip(of_class, each, strict=True)])
        off = float(np.abs(flips[:, drawn].mean(axis=1) - everybody).sum())
        if off < best:
            best, chosen = off, drawn
    return pairs.subset(chosen)


def seen_again(pairs: CounterfactualPairs, among: CounterfactualPairs) -> CounterfactualPairs:
    """Those of `among` that are `pairs`, in their order: the same people by the same levels, with the features of
    `among`. Raises KeyError where one is missing."""
    places = {key: place for place, key in enumerate(_keys(among))}
    return among.subset(np.array([places[key] for key in _keys(pairs)], dtype=int))


def _keys(pairs: CounterfactualPairs) -> list[tuple[int, ...]]:
    columns = (pairs.rows, pairs.favoured.rows, pairs.other.rows, pairs.favoured_codes, pairs.other_codes)
    return [tuple(map(int, row)) for row in zip(*columns, strict=True)]
