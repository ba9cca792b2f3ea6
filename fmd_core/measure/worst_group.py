"""How far whoever is served worst lags behind everybody else, of all groups of a class and a level of an attribute.

    B(theta) = max over groups g of  mean P(y | x) of everybody else - mean P(y | x) of g

Those who choose a fix measure it; who the worst group is may change on the way. Held-out people are asked about one
group, which those who choose have named, so that nobody picks the group by the people who judge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from fmd_core.data import Array, AttributeDataset, FeatureSet, group_codes
from fmd_core.errors import DataError
from fmd_core.figures import count
from fmd_core.heads.answering import Answering
from fmd_core.heads.protocol import Head
from fmd_core.intervals import Estimate, bootstrap_means, estimate_from_draws
from fmd_core.measure.bias_functions import BiasFunction, predictions
from fmd_core.measure.changes import Change
from fmd_core.measure.comparison import Comparison
from fmd_core.measure.counting import Counting, too_few
from fmd_core.measure.group_loss import FEWEST_GROUPS, nobody_large
from fmd_core.measure.served_groups import ServedGroup, people_of
from fmd_core.showing import one_line


@dataclass(frozen=True, eq=False)
class WorstGroup:
    """The lag of the group that is answered right least often, of those with enough people: a share in [-1, 1]."""

    attribute: str
    features: FeatureSet
    codes: Array
    """Level of every row of the data set, (N,)."""
    groups: Array
    """Who is in which group, (G, n) bool: groups of the people in `features` that are large enough."""
    measure: Literal["worst group"] = "worst group"

    @classmethod
    def of(cls, dataset: AttributeDataset, features: FeatureSet, attribute: str, *, least: int) -> WorstGroup:
        """The lag among the people in `features`. Raises DataError where no two groups have `least` people."""
        codes = dataset.attribute(attribute).codes
        own = group_codes(features.labels, codes[features.rows])
        rows = np.bincount(own)
        people = people_of(dataset, features.rows, own, len(rows))
        large = np.flatnonzero((people >= least) & (rows < len(own)))
        if len(large) < FEWEST_GROUPS:
            raise DataError(nobody_large(dataset, attribute, least))
        return cls(attribute, features, codes, own == large[:, None])

    @property
    def parts(self) -> tuple[BiasFunction, ...]:
        return (self,)

    @property
    def plants(self) -> tuple[FeatureSet, ...]:
        """Of each group, people of its level and another class, who should teach the model to miss it; and itself."""
        levels, labels = self.codes[self.features.rows], self.features.labels
        found = []
        for group in self.groups:
            first = int(np.argmax(group))
            others = (levels == levels[first]) & (labels != labels[first])
            found += [self.features.subset(others), self.features.subset(group)]
        return tuple(found)

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def coefficients(self) -> Array:
        """(G, n): a group's lag is the sum of its row times what everybody got."""
        inside = self.groups / self.groups.sum(axis=1, keepdims=True)
        outside = ~self.groups / (~self.groups).sum(axis=1, keepdims=True)
        return outside - inside

    def _lags(self, served: Array) -> Array:
        lags: Array = self.coefficients @ served
        return lags

    def _sure(self, head: Answering) -> Array:
        """How sure everybody's true class is, (n,)."""
        given = head.probabilities(self.features.features)
        found: Array = given[np.arange(len(self)), self.features.labels].astype("float64")
        return found

    def value(self, head: Answering) -> float:
        return float(self._lags(self._sure(head)).max())

    def decided(self, head: Answering) -> float:
        right = predictions(head, self.features.features) == self.features.labels
        return float(self._lags(right.astype("float64")).max())

    def gradient(self, head: Head) -> Array:
        """The slope of the lag of whoever is served worst now."""
        weights = self.coefficients[int(np.argmax(self._lags(self._sure(head))))]
        return head.probability_gradient(self.features.features, self.features.labels, weights)

    def __repr__(self) -> str:
        groups, people = count(len(self.groups)), count(len(self))
        return one_line(self, f"worst of {groups} groups by {self.attribute}", f"{people} people")


def judged_by_group(found: Comparison, dataset: AttributeDataset, group: ServedGroup) -> Comparison:
    """The same comparison, and what its verdict goes by is the lag of one group behind everybody else, and that its own
    people are right more often."""
    lag = lag_change(found, dataset, found.attribute, group)
    own = next((cell for cell in found.cells if set(cell.properties) == set(lag.properties)), None)
    return replace(found, gap=lag, measure="worst group", calibrated=None, own=own)


def lag_change(found: Comparison, dataset: AttributeDataset, attribute: str, group: ServedGroup) -> Change:
    """How much less often a group is right than everybody else, before and after, on the people of a comparison.

    Shares with paired bootstrap intervals; without a figure where the group or everybody else has fewer than 30 people.
    Decisions count, so answers that only became flatter move nothing. Rows count as in the verdict: by the weights of
    the data, and those of one person together.
    """
    shared = ((dataset.target.name, group.label), (attribute, group.level))
    values = _by_person(found, dataset, attribute, group)
    few = [told for told in map(too_few, values.T[:2]) if told is not None]
    n = int((values[:, 0] > 0).sum())

    def lag(before: Estimate, after: Estimate, moved: Estimate) -> Change:
        return Change("lag", "", before, after, moved, properties=shared, called=group.who)

    if few:
        unknown = min(few, key=lambda told: told.n)
        return lag(unknown, unknown, unknown)
    (was, now), draws = _lags(values.mean(axis=0)[None])[0], _lags(bootstrap_means(values))
    return lag(
        estimate_from_draws(float(was), draws[:, 0], n),
        estimate_from_draws(float(now), draws[:, 1], n),
        estimate_from_draws(float(now - was), draws[:, 1] - draws[:, 0], n),
    )


def _by_person(found: Comparison, dataset: AttributeDataset, attribute: str, group: ServedGroup) -> Array:
    """Of every person, (p, 6): how much counts inside of the group and outside, how much of what is inside was and is
    right, and how much of what is outside."""
    levels = dataset.attribute(attribute)
    shows = levels.codes[found.rows] == levels.levels.index(group.level)
    inside = shows & (found.truth == dataset.target.levels.index(group.label))
    right = np.stack([found.predicted_before == found.truth, found.predicted_after == found.truth], axis=1)
    table = np.column_stack([inside, ~inside, right * inside[:, None], right * ~inside[:, None]])
    counting = Counting.of(dataset, found.rows)
    return table.astype("float64") if counting is None else counting.summed(table)


def _lags(means: Array) -> Array:
    """The lag before and after (m, 2), from means of `_by_person` (m, 6)."""
    sizes = np.maximum(means[:, :2], np.finfo("float64").tiny)  # a group that a resample misses says 0
    behind: Array = means[:, 4:] / sizes[:, 1:] - means[:, 2:4] / sizes[:, :1]
    return behind
