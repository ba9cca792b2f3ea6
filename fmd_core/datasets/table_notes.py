"""What a reader of a table should know before its audit, in a sentence each: numbers that no model can know, groups
that were put together, records of the test that stand outside it too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fmd_core import figures
from fmd_core.data import Array, AttributeDataset
from fmd_core.datasets.own.sniffing import first_ten, listed
from fmd_core.datasets.own.sniffing_columns import number_text
from fmd_core.datasets.table_encoding import MISSING, OTHER, Numbers, TableSource, is_one_number

if TYPE_CHECKING:
    import pandas as pd

FAR_OUTSIDE = 1.0  # in widths of training's range beyond its ends: no model was shown anything near


def number_notes(dataset: AttributeDataset, left_out: Sequence[str] = ()) -> list[str]:
    """What a model of a table cannot know of its numbers: columns that are alike in all training rows, so that none
    reads them (those in `left_out` were left out anyway), and people of the other parts far outside what training
    holds."""
    source = dataset.source
    if not isinstance(source, TableSource):
        return []
    train, notes, constant, far = dataset.split == "train", [], [], []
    for column in source.columns:
        if not isinstance(column, Numbers) or column.name in left_out:
            continue
        known = column.own[train & np.isfinite(column.own)].astype("float64")
        low, high = float(known.min()), float(known.max())
        if not column.is_input and is_one_number(known):
            constant.append(column.name)
        elif column.is_input:
            room = FAR_OUTSIDE * (high - low or abs(high))
            away = int((~train & ((column.own < low - room) | (column.own > high + room))).sum())
            if away:
                far.append(
                    f"'{column.name}' in {figures.count(away)} (training: {number_text(low)} to {number_text(high)})"
                )
    if constant:
        notes.append(
            f"Not read by a model trained here, since all training rows are alike: {listed(constant)}."
        )
    if far:
        notes.append(
            f"Numbers of people outside training that are far from all that a model learned from: {first_ten(far)}."
            " What a model says of them is a guess."
        )
    return notes


def attribute_notes(dataset: AttributeDataset, frame: pd.DataFrame) -> list[str]:
    """What a reader should know about the groups: rare ones put together, or the target in disguise.
    `frame` holds the protected columns of the n samples as they came."""
    notes = []
    n_classes = len(dataset.target.levels)
    for name, column in dataset.attributes.items():
        if OTHER in column.levels and set(frame[name].replace("", MISSING)) - set(column.levels):
            notes.append(f"Rare values of '{name}' are put together as '{OTHER}'.")
        cells = np.bincount(
            column.codes * n_classes + dataset.target.codes, minlength=len(column.levels) * n_classes
        ).reshape(-1, n_classes)
        if (np.count_nonzero(cells, axis=1) == 1).all():
            notes.append(
                f"'{name}' says the same as '{dataset.target.name}' in every row, so a model cannot be fair and "
                "right at once; is it the target in other words?"
            )
    return notes


def leak_note(frame: pd.DataFrame, split: Array, unit: str) -> list[str]:
    """A sentence if test records stand outside the test too, word for word; `frame` holds what counts."""
    import pandas as pd

    marks = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    test = split == "test"
    twice = int(np.isin(marks[test], marks[~test]).sum())
    if not twice:
        return []
    return [
        f"{twice:,} of {int(test.sum()):,} test {figures.many(unit)} ({twice / test.sum():.1%}) are equal to "
        f"{figures.with_article(unit)} in training or in the fix in every column: a leak, unless "
        "they are different ones. The test may look better than it is."
    ]
