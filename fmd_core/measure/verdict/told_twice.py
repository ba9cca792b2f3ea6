"""Attributes that a second column tells as well, which a twin keeps: their twins show less than the whole bias."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from fmd_core.data import AttributeDataset, Column
from fmd_core.datasets.table_checks import giveaways
from fmd_core.datasets.table_encoding import TableSource

TELLS = 0.2  # of the rows in which another column tells an attribute: twins show too little


def told_twice(dataset: AttributeDataset) -> set[str]:
    """Attributes that another column, which a twin keeps, tells in most rows."""
    if not isinstance(dataset.source, TableSource):
        return set()
    told = {giveaway.attribute for giveaway in giveaways(dataset) if giveaway.coverage >= TELLS}
    places = {column.name: place for place, column in enumerate(dataset.source.columns) if column.input_names}
    for one, other in permutations([name for name in dataset.attributes if name in places], 2):
        kept = places[other] not in dataset.source.changes[one].places
        if kept and _tells(dataset.attribute(other), dataset.attribute(one)):
            told.add(one)  # age and its band
    return told


def _tells(column: Column, attribute: Column) -> bool:
    """Whether guessing an attribute by another one is wrong at most half as often as without."""
    cells = np.zeros((len(column.levels), len(attribute.levels)))
    np.add.at(cells, (column.codes, attribute.codes), 1)
    blind = cells.sum(axis=0).max()
    return bool(cells.sum() - cells.max(axis=1).sum() <= (cells.sum() - blind) / 2)
