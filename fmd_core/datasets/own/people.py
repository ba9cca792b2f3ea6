"""People who stand in several rows: all their rows in one part, so that nobody is taught and tested at once."""

from __future__ import annotations

import numpy as np

from fmd_core.data import SPLITS, Array
from fmd_core.datasets.own.sniffing import count

_DRAWN = ("test", "validation", "external")


def codes_of(texts: Array) -> Array:
    """A number for each different text, (n,); empty cells are persons of their own."""
    found, codes = np.unique(texts.astype(str), return_inverse=True)
    empty = np.flatnonzero(texts == "")
    codes = codes.astype("int64")
    codes[empty] = len(found) + np.arange(len(empty))
    return codes


def keep_together(split: Array, persons: Array, seed: int) -> Array:
    """The parts `split` (n,) drawn again, in the same sizes as near as can be, so that no person, by the codes
    `persons` (n,), is in two."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(int(persons.max()) + 1)
    ends = np.cumsum(np.bincount(persons, minlength=len(order))[order])
    drawn, start = np.array(split), 0
    for part in _DRAWN:
        stop = start + float(np.mean(split == part)) * len(split)
        drawn[np.isin(persons, order[(ends > start) & (ends <= stop)])] = part
        start = int(ends[ends <= stop].max(initial=0))
    drawn[np.isin(persons, order[ends > start])] = "train"
    return drawn


def share_out_people(split: Array, given: Array, persons: Array, seed: int) -> tuple[Array, list[str]]:
    """`split` (n,) with the parts that were drawn out of the rows `given` as 'train' drawn again by person, and
    what there is to say of people whom the data themselves put into several parts."""
    split = split.copy()
    pool = np.flatnonzero(given == "train")
    if (split[pool] != "train").any():
        codes = np.unique(persons[pool], return_inverse=True)[1]
        split[pool] = keep_together(split[pool], codes, seed)
    pairs = np.unique(np.stack([persons, [SPLITS.index(part) for part in split]]), axis=1)
    several = int((np.unique(pairs[0], return_counts=True)[1] > 1).sum())
    if not several:
        return split, [f"All rows of one person are in one part: {_sizes(split)}."]
    return split, [
        f"{count(several, 'person')} in several parts, as the data share them out: the model may have learned them, "
        "and looks better than it is."
    ]


def _sizes(split: Array) -> str:
    return ", ".join(f"{name} {int((split == name).sum()):,}" for name in SPLITS)
