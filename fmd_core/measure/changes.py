"""Figures before and after on the same people, with the interval and the test of their difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import betainc

from fmd_core.data import Array
from fmd_core.figures import count, points
from fmd_core.intervals import (
    MIN_PEOPLE,
    Estimate,
    paired_rate_differences,
    rate_estimate,
    wilson_interval,
)
from fmd_core.measure.counting import Counting, counted_means, effective_number, too_few
from fmd_core.measure.scan import adjusted
from fmd_core.showing import Row, figure_columns, figure_in_points, one_line

SIGNIFICANCE = 0.05
ROUNDING = 1e-9  # of what a person counts
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
    groups: Sequence[Group], before: Array, after: Array, *, counting: Counting | None = None
) -> list[Change]:
    """Accuracy of each group, with p-values adjusted for all of them, of whom is right (n,) bool `before` and `after`.

    Where rows are not people who count alike, intervals are those of the effective number of people, as in the verdict,
    and McNemar's test is about the effective number of persons who changed sides, shared out by what counts on either
    side: so it never speaks against the figure itself.
    """
    masks = np.stack([mask for _, mask, _ in groups], axis=1).astype("float32")  # (n, m)
    sides = np.stack([before, after, after & ~before, before & ~after])
    told = _of_rows(masks, sides) if counting is None else _of_persons(masks, sides, counting)
    value, low, high = paired_rate_differences(told.gained, told.lost, told.effective)
    enough = np.minimum(told.people, told.effective) >= MIN_PEOPLE
    p_values = np.ones(len(groups))
    if enough.any():
        p_values[enough] = adjusted(mcnemar(told.up, told.down)[enough])

    def end(share: float, j: int) -> Estimate:
        ends = wilson_interval(share, told.effective[j])
        return Estimate(share, float(ends[0]), float(ends[1]), int(told.people[j]))

    def change(j: int) -> Change:
        name, n, shared = groups[j][0], int(told.people[j]), groups[j][2]
        if not enough[j]:
            unknown = (told.few and told.few[j]) or Estimate.unknown(n)
            return Change("accuracy", name, unknown, unknown, unknown, properties=shared)
        moved = Estimate(float(value[j]), float(low[j]), float(high[j]), n)
        ends = end(float(told.was[j]), j), end(float(told.now[j]), j)
        return Change("accuracy", name, *ends, moved, float(p_values[j]), shared)

    return [change(j) for j in range(len(groups))]


@dataclass(frozen=True)
class _Told:
    """What is known of m groups, (m,) each."""

    people: Array
    effective: Array  # as how many who count alike they are
    was: Array  # share that is right before
    now: Array
    gained: Array  # of the effective number, as many as came to be right
    lost: Array
    up: Array  # of those who changed sides, as if they counted alike
    down: Array
    few: Sequence[Estimate | None] | None = (
        None  # what is said of too few, where it is not the number of rows
    )


def _of_rows(masks: Array, sides: Array) -> _Told:
    """Where each of n rows is a person who counts once: of `masks` (n, m), by `sides` (4, n)."""
    people = np.rint(masks.sum(axis=0, dtype="float64")).astype(int)
    was, now, gained, lost = np.rint(sides @ masks).astype(int)
    size = np.maximum(people, 1)
    return _Told(people, people, was / size, now / size, gained, lost, gained, lost)


def _of_persons(masks: Array, sides: Array, counting: Counting) -> _Told:
    """The same by what rows count and whose they are, one group after the other: they may be many."""
    moved, told, few = sides[1].astype("float64") - sides[0], [], []
    for mask in masks.T:
        sizes, net = counting.added(mask), counting.added(mask * moved)
        weights, effective = counting.weights * mask, effective_number(sizes)
        was, now, gained, lost = sides @ weights / max(float(weights.sum()), np.finfo("float64").tiny)
        up, down = _sides(np.where(np.abs(net) > ROUNDING * sizes, net, 0.0))
        told.append(((sizes > 0).sum(), effective, was, now, effective * gained, effective * lost, up, down))
        few.append(too_few(sizes))
    people, size, was, now, gained, lost, up, down = np.array(told).T
    return _Told(people, size, was, now, gained, lost, up, down, few)


def _sides(net: Array) -> tuple[float, float]:
    """How many persons who count alike came to be right and how many to be wrong, by what that counts of each (p,)."""
    total = max(float(np.abs(net).sum()), np.finfo("float64").tiny)
    effective = effective_number(np.abs(net))
    return effective * float(net[net > 0].sum()) / total, -effective * float(net[net < 0].sum()) / total


def mcnemar(gained: Array, lost: Array) -> Array:
    """Two-sided exact p-value that as many would gain as lose, (m,); numbers need not be whole."""
    fewer, more = np.minimum(gained, lost), np.maximum(gained, lost)
    # the binomial distribution's tail, which the incomplete beta function continues between whole numbers
    tail = np.where(more > 0, betainc(np.maximum(more, np.finfo("float64").tiny), fewer + 1.0, 0.5), 1.0)
    return np.asarray(np.minimum(1, 2 * tail))


def mean_changes(
    rows: list[tuple[str, Array, Array, Array]], *, counting: Counting | None = None
) -> list[Change]:
    """Changes (name, members (n,), before (n,), after (n,)). Those of the same members come from one bootstrap, of the
    members alone: so each end has the very interval that the figure of one model has."""
    found: list[Change | None] = [None] * len(rows)
    alike: dict[bytes, list[int]] = {}
    for place, (_, members, _, _) in enumerate(rows):
        alike.setdefault(members.tobytes(), []).append(place)
    for places in alike.values():
        members = rows[places[0]][1]
        sides = [(rows[place][2][members], rows[place][3][members]) for place in places]
        ends = np.stack([side for both in sides for side in both], axis=1).astype("float64")
        own = None if counting is None else counting.among(members)
        told = counted_means(np.hstack([ends, ends[:, 1::2] - ends[:, 0::2]]), own)
        for number, place in enumerate(places):
            was, now, moved = told[2 * number], told[2 * number + 1], told[2 * len(places) + number]
            change = Change(rows[place][0], "", was, now, moved)
            is_rate = rows[place][2].dtype == bool and moved.value is not None
            found[place] = _of_rates(change, *sides[number], own) if is_rate else change
    return [change for change in found if change is not None]


def _of_rates(change: Change, before: Array, after: Array, counting: Counting | None) -> Change:
    """The same of rates: Wilson's intervals, as everywhere else, and McNemar's test."""
    if counting is not None:
        everyone: Group = ("", np.ones(len(before), dtype=bool), ())
        return replace(rate_changes([everyone], before, after, counting=counting)[0], name=change.name)
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
