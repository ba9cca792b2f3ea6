"""How well people of one class and one attribute level are served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from fmd_core.data import Array, AttributeDataset, FeatureSet
from fmd_core.intervals import MIN_PEOPLE, Estimate, rate_difference, rate_estimate, wilson_interval
from fmd_core.measure.verdict.answered import rate_of
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


def worst_lag(groups: Sequence[ServedGroup], right: Array) -> Estimate:
    """How much less often the worst of the groups that are large enough is right than everybody else, with a 95 %
    interval by Newcombe's method that is widened for looking at all of them (Bonferroni); `groups` come worst first,
    and `right` (n,) is of all people."""
    known = [group.accuracy for group in groups if group.accuracy.value is not None]
    n = known[0].n if known else 0
    others = len(right) - n
    if min(n, others) < MIN_PEOPLE:
        return Estimate.unknown(
            max((group.accuracy.n for group in groups), default=0) if not known else min(n, others)
        )
    share = known[0].value or 0.0
    rest = (float(right.sum()) - share * n) / others
    z = float(ndtri(1 - 0.025 / len(known)))
    (rest_low, rest_high), (low, high) = wilson_interval(rest, others, z), wilson_interval(share, n, z)
    ends = (rest, float(rest_low), float(rest_high)), (share, float(low), float(high))
    return Estimate(*rate_difference(*ends), n)


def people_of(dataset: AttributeDataset, rows: Array, groups: Array, n_groups: int) -> Array:
    """How many people stand behind the `rows` (n,) of each of `n_groups`, (n_groups,) float; `groups` (n,) says whose
    each row is. Rows of one person count once; of unequal weights it is the effective number (Kish 1965)."""
    if dataset.persons is None and dataset.weights is None:
        return np.bincount(groups, minlength=n_groups).astype("float64")
    persons = np.arange(len(rows)) if dataset.persons is None else dataset.persons[rows]
    weight = np.ones(len(rows)) if dataset.weights is None else dataset.weights[rows]
    of_person, place = np.unique(np.column_stack([groups, persons]), axis=0, return_inverse=True)
    each = np.bincount(place.ravel(), weight, len(of_person))
    n, total, square = (
        np.bincount(of_person[:, 0], values, n_groups) for values in (np.ones_like(each), each, each**2)
    )
    effective = np.divide(total**2, square, out=np.zeros(n_groups), where=square > 0)
    found: Array = np.minimum(n, np.round(effective, 6))  # ten tenths are one
    return found


def served_groups(
    dataset: AttributeDataset,
    attribute: str,
    features: FeatureSet,
    right: Array,
    least: int = MIN_PEOPLE,
    *,
    is_weighed: bool = False,
) -> tuple[ServedGroup, ...]:
    """Accuracy of every class and attribute level that occurs among the people, the worst first and those with fewer
    than `least` people last; `right` (n,) says whose answer is right. Each row counts once; where it `is_weighed`, as
    in the verdict: by the weights of the data, and rows of one person as one."""
    column, target = dataset.attribute(attribute), dataset.target
    codes = column.codes[features.rows]
    found, n_levels = [], len(column.levels)
    there = np.flatnonzero(np.bincount(features.labels * n_levels + codes))
    for label, level in zip(*np.divmod(there, n_levels), strict=True):
        members = (features.labels == label) & (codes == level)
        if is_weighed:
            accuracy = _weighed(dataset, features.rows[members], right[members], least)
        else:
            accuracy = rate_estimate(right[members].sum(), int(members.sum()), least)
        of = Member(target.name, target.levels[label]), Member(attribute, column.levels[level])
        found.append(ServedGroup(of[0].level, of[1].level, accuracy, group_name(dataset, of)))
    return tuple(sorted(found, key=lambda g: (g.accuracy.value is None, g.accuracy.value or 0.0)))


def _weighed(dataset: AttributeDataset, rows: Array, right: Array, least: int) -> Estimate:
    """How often the answers to some people's `rows` (m,) are `right` (m,), counted as the verdict counts them."""
    rate = rate_of(right, rows, dataset.weights, dataset.persons)
    if rate is None or min(rate.n, round(rate.effective, 6)) < least:
        return Estimate.unknown(0 if rate is None else rate.n)
    return Estimate(rate.value, rate.low, rate.high, rate.n)
