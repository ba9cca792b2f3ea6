"""Pictures that stand in a set more than once: the same file, or one that looks the same (saved again, scaled)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fmd_core import figures
from fmd_core.data import Array

SAME_LOOK = 5.0
"""Mean difference of 16 x 16 pixels, of 255. Of 200 faces, saved again as JPEG of quality 50, of half or of one and a
half times the size, none differed by more than 2.7; no two faces by less than 16."""
_PLAIN = 4.0  # spread of the pixels, of 255: below it there is nothing to tell pictures apart by
_BITS_OFF = 8  # of the 64 of a difference hash; up to 3, one of its four parts is surely equal
_MOST_PAIRS = 4_000_000  # compared at once; where more look alike, as drawings do, a hash says nothing


def copy_notes(digests: Sequence[str], thumbs: Array, split: Array) -> list[str]:
    """What there is to say of repeated pictures: `digests` (n,) of their files, `thumbs` (n, 16, 16, 3) of how they
    look, `split` (n,) their parts. Pictures of the test that the model may have learned are a leak."""
    marks, test, notes = np.unique(np.array(digests), return_inverse=True)[1], split == "test", []
    again = len(marks) - len(np.unique(marks))
    if again:
        notes.append(
            f"{figures.counted(again, 'picture')} the same as another, byte for byte, under another name."
        )
    leaked = np.isin(marks, marks[~test]) & test
    n_test = figures.count(int(test.sum()))
    if leaked.any():
        notes.append(
            f"{figures.count(int(leaked.sum()))} of {n_test} test pictures stand outside the test as well: a leak. "
            "The test looks better than it is; take them out."
        )
    alike = _look_the_same(thumbs, test) & ~leaked
    if alike.any():
        notes.append(
            f"{figures.count(int(alike.sum()))} of {n_test} test pictures look the same as one outside the test: "
            "probably copies that were saved again. Then the test looks better than it is; take them out."
        )
    return notes


def difference_hash(thumbs: Array) -> Array:
    """Which of two neighbours is brighter, (n,) uint64 of `thumbs` (n, 16, 16, 3) uint8: the 64 bits of dHash."""
    grey = thumbs.astype("float32").mean(axis=-1)
    small = grey.reshape(len(grey), 8, 2, 16).mean(axis=2)  # 8 rows
    columns = np.linspace(0, 15, 9).round().astype(int)
    bits = np.diff(small[:, :, columns], axis=2) > 0
    return np.packbits(bits.reshape(len(grey), 64), axis=1).view("uint64")[:, 0]


def _look_the_same(thumbs: Array, test: Array) -> Array:
    """Whether a picture of the test looks like one outside it, (n,) bool."""
    found = np.zeros(len(thumbs), bool)
    if not len(thumbs):
        return found
    hashes = difference_hash(thumbs)
    flat = thumbs.reshape(len(thumbs), -1).astype("int16")
    plain = flat.std(axis=1) < _PLAIN
    for part in hashes.view("uint16").reshape(len(hashes), 4).T:
        order = np.argsort(part, kind="stable")
        starts = np.flatnonzero(np.diff(part[order], prepend=-1))
        for rows in np.split(order, starts[1:]):
            inside, outside = rows[test[rows] & ~found[rows] & ~plain[rows]], rows[~test[rows]]
            if not len(inside) or not len(outside) or len(inside) * len(outside) > _MOST_PAIRS:
                continue
            near = np.bitwise_count(hashes[inside, None] ^ hashes[outside]) <= _BITS_OFF
            for one, other in zip(*np.nonzero(near), strict=True):
                row = inside[one]
                found[row] = found[row] or np.abs(flat[row] - flat[outside[other]]).mean() <= SAME_LOOK
    return found
