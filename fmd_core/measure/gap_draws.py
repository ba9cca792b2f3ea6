"""The gap between two groups of people in resamples of them: what is drawn, and the gaps that come of it."""

from __future__ import annotations

import numpy as np

from fmd_core.data import Array, AttributeDataset, FeatureSet
from fmd_core.errors import DataError
from fmd_core.heads.answering import Answering
from fmd_core.intervals import Estimate
from fmd_core.measure.bias_functions import GroupGap, Measure
from fmd_core.measure.counting import Counting, few_people


def gap_or_why(
    dataset: AttributeDataset, features: FeatureSet, attribute: str, measure: Measure
) -> GroupGap | Estimate:
    """The gap between the groups of an attribute, or an estimate that says why there is none."""
    try:
        gap = GroupGap.of(dataset, features, attribute, measure)
    except DataError as error:  # nobody of one group: this attribute has no figure, the others may have
        return Estimate.refused(str(error))
    few = [few_people(dataset, gap.features.rows[side.any(axis=1)]) for side in gap.sides]
    return min((told for told in few if told is not None), key=lambda told: told.n, default=gap)


def gap_people(dataset: AttributeDataset, gap: GroupGap) -> int:
    """How many people count on either side."""
    usual, others = gap.sides
    return dataset.n_people(gap.features.rows[(usual | others).any(axis=1)])


def gap_table(head: Answering, gap: GroupGap, dataset: AttributeDataset | None = None) -> Array:
    """Whose means make the signed gap, (n, 4): how many of each person's answers count on the usual and on the other
    side, and their probabilities on either. By the data, where they are given, as much as rows count there, and those
    of one person together."""
    given = head.probabilities(gap.features.features)
    sizes = [side.sum(axis=1) for side in gap.sides]
    sums = [(given * side).sum(axis=1) for side in gap.sides]
    table = np.stack([*sizes, *sums], axis=1).astype("float64")
    counting = None if dataset is None else Counting.of(dataset, gap.features.rows)
    return table if counting is None else counting.summed(table)


def gap_measured(head: Answering, gap: GroupGap, dataset: AttributeDataset) -> float:
    """The signed gap itself, of rows that count as the data say."""
    if Counting.of(dataset, gap.features.rows) is None:
        return gap.signed(head)
    return float(gap_drawn(gap_table(head, gap, dataset).mean(axis=0)[None])[0])


def gap_drawn(draws: Array) -> Array:
    """The signed gap, (m,), from m means of a `gap_table`, (m, 4)."""
    size = np.maximum(draws[:, :2], np.finfo("float64").tiny)  # a group that a resample misses says 0
    shares = draws[:, 2:] / size
    gap: Array = shares[:, 0] - shares[:, 1]
    return gap
