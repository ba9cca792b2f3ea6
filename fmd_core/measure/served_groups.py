"""How well people of one class and one attribute level are served."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fmd_core.data import Array, AttributeDataset, FeatureSet
from fmd_core.intervals import Estimate, rate_estimate
from fmd_core.measure.verdict.sentences import group_name
from fmd_core.measure.verdict.values import Member
from fmd_core.showing import Row, figure_columns, figure_in_points, one_line


@dataclass(frozen=True)
class ServedGroup:
    """How well people of one class and one attribute level are served."""

    label: str
    level: str
    accuracy: Estimate
    called: str = ""
    """The same people in the data's own words, 'blond men'; '' where nobody said."""

    @property
    def who(self) -> str:
        """Whom it is about, as a sentence calls them."""
        return self.called or f"{self.label}, {self.level}"

    def __repr__(self) -> str:
        return one_line(self, f"{self.label}, {self.level}: {figure_in_points(self.accuracy)}")

    def as_row(self) -> Row:
        """Columns of `AttributeBias.to_frame`."""
        return {"target_class": self.label, "level": self.level} | figure_columns(
            "accuracy", self.accuracy, n="n"
        )


def served_groups(
    dataset: AttributeDataset, attribute: str, features: FeatureSet, right: Array
) -> tuple[ServedGroup, ...]:
    """Accuracy of every class and attribute level that occurs among the people, the worst first and those with too
    few people last; `right` (n,) says whose answer is right."""
    column, target = dataset.attribute(attribute), dataset.target
    codes = column.codes[features.rows]
    found, n_levels = [], len(column.levels)
    there = np.flatnonzero(np.bincount(features.labels * n_levels + codes))
    for label, level in zip(*np.divmod(there, n_levels), strict=True):
        members = (features.labels == label) & (codes == level)
        accuracy = rate_estimate(right[members].sum(), int(members.sum()))
        of = Member(target.name, target.levels[label]), Member(attribute, column.levels[level])
        found.append(ServedGroup(of[0].level, of[1].level, accuracy, group_name(dataset, of)))
    return tuple(sorted(found, key=lambda g: (g.accuracy.value is None, g.accuracy.value or 0.0)))
