"""Figures before and after on the same people, with the interval and the test of their difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import bdtr

from fmd_core.data import Array
from fmd_core.figures import count, points
from fmd_core.intervals import (
    MIN_PEOPLE,
    Estimate,
    by_person,
    mean_estimates,
    paired_rate_differences,
    rate_estimate,
    wilson_interval,
)
from fmd_core.measure.scan import adjusted
from fmd_core.showing import Row, figure_columns, figure_in_points, one_line

SIGNIFICANCE = 0.05
Group = tuple[str, Array, tuple[tuple[str, str], ...]]
"""Some people: a name, their mask (n,), and the (column, level) that they share."""


@dataclass(frozen=True)
class Change:
    """One quantity before and after; `difference` is after minus before, paired by person."""

    name: str
    group: str  # "" for everyone, else "attribute with the pattern" or "column: level"
    before: Estimate
    after: Estimate
    difference: Estimate
    p_value: float | None = None
    """Exact McNemar test of the people who changed sides, of groups adjusted for looking at many
    (Benjamini and Hochberg 1995); None for figures that are no rates."""
    properties: tuple[tuple[str, str], ...] = ()
    """What the members of the group share: (column, level) each; () for everyone and for the pattern."""
    called: str = ""
    """The same people in the data's own words, 'blond men'; '' where nobody said."""

    @property
    def who(self) -> str:
        """Whom it is about, as a sentence calls them."""
        return self.called or self.group

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the difference is more than chance: by McNemar's test for rates, else by its interval."""
        if self.p_value is not None:
            return self.p_value < SIGNIFICANCE
        return self.difference.excludes_zero

    @property
    def is_doubtful_loss(self) -> bool:
        """Lower beyond its own interval, but not more than chance does among so many groups."""
        return not self.fell and self.difference.high is not None and self.difference.high < 0

    @property
    def fell(self) -> bool:
        """Lower after than before, and not by chance."""
        return self.is_beyond_chance and (self.difference.value or 0) < 0

    @property
    def rose(self) -> bool:
        """Higher after than before, and not by chance."""
        return self.is_beyond_chance and (self.difference.value or 0) > 0

    def __repr__(self) -> str:
        whose = f"{self.name} of {self.group}" if self.group else self.name
        before, after, moved = self.before.value, self.after.value, figure_in_points(self.difference)
        ends = "" if before is None or after is None else f"{points(before)} to {points(after)}"
        return one_line(self, f"{whose}: {ends}" if ends else whose, moved, f"n = {count(self.difference.n)}")

    def as_row(self) -> Row:
        """`name`, `group` ("" for everyone), `before`, `after` and `difference` (after less before), each with
        `_low` and `_high` (shares and their 95 % intervals), `n` people and `p_value`."""
        row: dict[str, object] = {"name": self.name, "group": self.group, "n": self.difference.n}
        for name in ("before", "after", "difference"):
            row |= figure_columns(name, getattr(self, name))
        return row | {"p_value": self.p_value}


def rate_changes(
    groups: Sequence[Group], before: Array, after: Array, *, persons: Array | None = None
) -> list[Change]:
    """Accuracy of each group, with p-values adjusted for all of them, of whom is right (n,) bool `before` and `after`.

    Where `persons` (n,) say whose each row is, rows of one person are one piece of evidence together: intervals are
    those of the effective number of people (Kish 1965), as in the verdict, and McNemar's test is about persons who came
    to be right in more of their rows against those in fewer.
    """
    masks = np.stack([mask for _, mask, _ in groups], axis=1).astype("float32")  # (n, m)
    sums = np.stack([before, after, after & ~before, before & ~after, np.ones_like(before)]) @ masks
    was, now, gained, lost, rows = np.rint(sums).astype(int)
    people, effective, up, down = rows, rows.astype("float64"), gained, lost
    if persons is not None:
        people, effective, up, down = _of_persons(masks, after.astype("float32") - before, persons)
    share = effective / np.maximum(rows, 1)
    value, low, high = paired_rate_differences(share * gained, share * lost, effective)
    enough = np.minimum(people, np.round(effective, 6)) >= MIN_PEOPLE
    p_values = np.ones(len(groups))
    if enough.any():
        p_values[enough] = adjusted(mcnemar(up, down)[enough])

    def end(right: int, j: int) -> Estimate:
        if persons is None:
            return rate_estimate(right, int(people[j]))
        rate = right / int(rows[j])
        ends = wilson_interval(rate, effective[j])
        return Estimate(rate, float(ends[0]), float(ends[1]), int(people[j]))

    def change(j: int) -> Change:
        name, n, shared = groups[j][0], int(people[j]), groups[j][2]
        if not enough[j]:
            unknown = Estimate.unknown(n)
            return Change("accuracy", name, unknown, unknown, unknown, properties=shared)
        moved = Estimate(float(value[j]), float(low[j]), float(high[j]), n)
        ends = end(int(was[j]), j), end(int(now[j]), j)
        return Change("accuracy", name, *ends, moved, float(p_values[j]), shared)

    return [change(j) for j in range(len(groups))]


def _of_persons(masks: Array, moved: Array, persons: Array) -> tuple[Array, Array, Array, Array]:
    """Of every group (n, m): how many persons, the effective number of them, and how many gain and lose by what `moved`
    (n,), (m,) each."""
    sizes, _ = by_person(masks, persons)
    net, _ = by_person(masks * moved[:, None], persons)
    square = np.maximum((sizes**2).sum(axis=0), np.finfo("float64").tiny)
    return (
        (sizes > 0).sum(axis=0),
        sizes.sum(axis=0) ** 2 / square,
        (net > 0).sum(axis=0),
        (net < 0).sum(axis=0),
    )


def mcnemar(gained: Array, lost: Array) -> Array:
    """Two-sided exact p-value that as many would gain as lose, (m,)."""
    p_values: Array = np.minimum(1, 2 * bdtr(np.minimum(gained, lost), gained + lost, 0.5))
    return p_values


def mean_changes(
    rows: list[tuple[str, Array, Array, Array]], *, persons: Array | None = None
) -> list[Change]:
    """Changes (name, members (n,), before (n,), after (n,)). Those of the same members come from one bootstrap, of the
    members alone: so each end has the very interval that the figure of one model has. Where `persons` (n,) say whose
    each row is, persons are drawn and counted."""
    found: list[Change | None] = [None] * len(rows)
    alike: dict[bytes, list[int]] = {}
    for place, (_, members, _, _) in enumerate(rows):
        alike.setdefault(members.tobytes(), []).append(place)
    for places in alike.values():
        members = rows[places[0]][1]
        sides = [(rows[place][2][members], rows[place][3][members]) for place in places]
        ends = np.stack([side for both in sides for side in both], axis=1).astype("float64")
        whose = None if persons is None else persons[members]
        told = mean_estimates(np.hstack([ends, ends[:, 1::2] - ends[:, 0::2]]), persons=whose)
        for number, place in enumerate(places):
            was, now, moved = told[2 * number], told[2 * number + 1], told[2 * len(places) + number]
            change = Change(rows[place][0], "", was, now, moved)
            is_rate = rows[place][2].dtype == bool and moved.value is not None
            found[place] = _of_rates(change, *sides[number], whose) if is_rate else change
    return [change for change in found if change is not None]


def _of_rates(change: Change, before: Array, after: Array, persons: Array | None) -> Change:
    """The same of rates: Wilson's intervals, as everywhere else, and McNemar's test."""
    if persons is not None:
        everyone: Group = ("", np.ones(len(before), dtype=bool), ())
        return replace(rate_changes([everyone], before, after, persons=persons)[0], name=change.name)
    gained, lost = (np.array([side.sum()]) for side in (after & ~before, before & ~after))
    was, now = (rate_estimate(int(side.sum()), len(side)) for side in (before, after))
    return replace(change, before=was, after=now, p_value=float(mcnemar(gained, lost)[0]))


def losers_first(change: Change) -> tuple[bool, int, float]:
    """Sorting key: who lost beyond chance, then beyond its interval, then the largest loss, who cannot be
    measured last."""
    return change.difference.value is None, _doubt(change), change.difference.value or 0.0


def _doubt(change: Change) -> int:
    if change.fell:
        return 0
    return 1 if change.is_doubtful_loss else 2
