"""Who is served worse than everybody else: every attribute level and every pair of them at once.

Accuracy inside a group is held against that of all other people, with Newcombe's interval for the
difference of two rates (Statistics in Medicine 1998) and p-values adjusted for looking at all groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from typing import Literal

import numpy as np
from scipy.special import ndtr

from fmd_core.data import Array, AttributeDataset, FeatureSet
from fmd_core.figures import count
from fmd_core.heads.protocol import Head
from fmd_core.intervals import Estimate, rate_difference, rate_estimate
from fmd_core.measure.bias_functions import predictions
from fmd_core.measure.scan import adjusted
from fmd_core.measure.verdict.answered import Answered, People, levels_of
from fmd_core.measure.verdict.sentences import group_name
from fmd_core.showing import Results, Row, figure_columns, figure_in_points, one_line

ServiceVerdict = Literal["served worse", "served better", "within chance", "cannot be said"]
SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class RedFlag:
    """One group of people and how well it is served."""

    attributes: tuple[str, ...]  # one, or two
    group: str  # "sex: Female, race: Black"
    accuracy: Estimate
    gap: Estimate
    """Accuracy less that of all others; below 0 the group is served worse."""
    adjusted_p: float | None
    """Of being served as all others are, adjusted for looking at all groups; None with too few people."""
    called: str = ""
    """The same people in the data's own words, 'women'; '' where nobody said."""

    @property
    def who(self) -> str:
        """Whom it is about, as a sentence calls them."""
        return self.called or self.group

    @property
    def verdict(self) -> ServiceVerdict:
        """How the group is served beside all others, and whether that is more than chance."""
        if self.adjusted_p is None or self.gap.value is None:
            return "cannot be said"
        if self.adjusted_p >= SIGNIFICANCE or self.gap.value == 0:
            return "within chance"
        return "served worse" if self.gap.value < 0 else "served better"

    @property
    def is_flag(self) -> bool:
        """Whether the group is served worse by more than chance."""
        return self.verdict == "served worse"

    def __repr__(self) -> str:
        people = f"n = {count(self.accuracy.n)}"
        return one_line(self, f"{self.group}: {self.verdict}", f"gap {figure_in_points(self.gap)}", people)

    def as_row(self) -> Row:
        """A row of what `red_flags` gives: `group`, `verdict`, `accuracy` and `gap` (accuracy less that of all
        others), each with `_low` and `_high` (shares and their 95 % intervals), `n` people and `adjusted_p`."""
        figures = figure_columns("accuracy", self.accuracy, n="n") | figure_columns("gap", self.gap)
        return {"group": self.group, "verdict": self.verdict} | figures | {"adjusted_p": self.adjusted_p}


def red_flags(head: Head, dataset: AttributeDataset, people: FeatureSet) -> Results[RedFlag]:
    """Every level of every attribute, and every pair of levels of two: flags first, then by the gap, and
    those with too few people (but somebody) last.

    Accuracies are shares of `people` (n of them) with 95 % intervals; gaps are those to all others, and p-values are
    adjusted for looking at all groups.

    Examples
    --------
    >>> flags = fmd.red_flags(model.head, data, people["test"])
    >>> flags[0]
    RedFlag(colour: pink: served worse, gap −29.2 points (...), n = 52)
    >>> flags.to_frame()[["group", "verdict", "accuracy"]].head(2).round(2)
              group       verdict  accuracy
    0  colour: pink  served worse      0.12
    1  colour: gold  served worse      0.15
    """
    answered = Answered(people.rows, people.labels, predictions(head, people.features))
    groups = [group for group in _groups(dataset, answered) if group.mask.any()]
    right = answered.right
    measured = [_measure(right, group.mask) for group in groups]
    known = np.array([p is not None for _, _, p in measured])
    p_values = np.full(len(groups), np.nan)
    if known.any():
        p_values[known] = adjusted(np.array([p for _, _, p in measured if p is not None]))
    found = [
        RedFlag(
            tuple(member.column for member in group.members),
            ", ".join(f"{member.column}: {member.level}" for member in group.members),
            accuracy,
            gap,
            float(p) if k else None,
            group_name(dataset, group.members),
        )
        for group, (accuracy, gap, _), p, k in zip(groups, measured, p_values, known, strict=True)
    ]
    return Results(sorted(found, key=lambda f: (f.gap.value is None, not f.is_flag, f.gap.value or 0.0)))


def _groups(dataset: AttributeDataset, answered: Answered) -> Iterator[People]:
    levels = [levels_of(dataset, answered, name) for name in dataset.attributes]
    for found in levels:
        yield from found
    for first, second in combinations(levels, 2):
        yield from (one & other for one, other in product(first, second))


def _measure(right: Array, mask: Array) -> tuple[Estimate, Estimate, float | None]:
    """Accuracy inside, its difference from outside, and the two-sided p-value of none."""
    n, others = int(mask.sum()), int((~mask).sum())
    inside, outside = rate_estimate(right[mask].sum(), n), rate_estimate(right[~mask].sum(), others)
    if inside.value is None or outside.value is None:
        return inside, Estimate.unknown(min(n, others)), None
    value, low, high = rate_difference(
        (inside.value, inside.low or 0.0, inside.high or 0.0),
        (outside.value, outside.low or 0.0, outside.high or 0.0),
    )
    pooled = right.mean()
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / others))
    p = float(2 * ndtr(-abs(value) / error)) if error > 0 else 1.0
    return inside, Estimate(value, low, high, n), p
