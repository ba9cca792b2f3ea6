"""People and what a classifier answered them, with rates of any group of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fmd_core.data import Array, AttributeDataset, frozen_array
from fmd_core.errors import DataError
from fmd_core.figures import count, percent
from fmd_core.intervals import wilson_interval
from fmd_core.measure.verdict.values import Member, Rate
from fmd_core.showing import one_line


@dataclass(frozen=True, eq=False)
class Answered:
    """n held-out people, each with the answer of a classifier that never saw them.

    `weights` and `persons` are of every row of the data set, so that twins and people ask the same
    ones: how much a row counts, and whose row it is where people occur several times.
    """

    rows: Array  # (n,) row of each person in the data set
    labels: Array  # (n,) true class
    predicted: Array  # (n,) answer
    weights: Array | None = None
    persons: Array | None = None  # codes

    def __post_init__(self) -> None:
        for name in ("rows", "labels", "predicted"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), "int64"))
        if not len(self.rows) == len(self.labels) == len(self.predicted):
            raise DataError(
                f"{len(self.rows)} rows, {len(self.labels)} labels and {len(self.predicted)} answers do not "
                "describe the same people."
            )
        if self.weights is not None:
            weights = frozen_array(self.weights, "float64")
            if not np.isfinite(weights).all() or weights.min() < 0 or not weights.any():
                raise DataError("Weights must be numbers of 0 or more, and not all 0.")
            object.__setattr__(self, "weights", weights)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        right = float((self.labels == self.predicted).mean()) if len(self) else 0.0
        return one_line(
            self,
            f"{count(len(self))} people",
            f"{percent(right)} right",
            "" if self.weights is None else "weighted",
        )

    @property
    def right(self) -> Array:
        """Whether each answer is right, (n,) bool."""
        return self.predicted == self.labels

    @property
    def weight(self) -> Array:
        """How much each person counts, (n,)."""
        return np.ones(len(self)) if self.weights is None else self.weights[self.rows]

    def rate(self, happened: Array, of: Array) -> Rate | None:
        """Share for whom something `happened` (n,) bool among those `of` a group (n,) bool; None for nobody."""
        return rate_of(happened[of], self.rows[of], self.weights, self.persons)

    @classmethod
    def joined(cls, parts: Sequence[Answered]) -> Answered:
        """People who were answered by several models, as in cross-fitting, together."""
        rows, labels, predicted = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("rows", "labels", "predicted")
        )
        return cls(rows, labels, predicted, parts[0].weights, parts[0].persons)


def rate_of(happened: Array, rows: Array, weights: Array | None, persons: Array | None) -> Rate | None:
    """Weighted share with Wilson's interval for the effective number of people (Kish 1965): rows of one
    person count as one piece of evidence together."""
    if len(rows) == 0:
        return None
    weight = np.ones(len(rows)) if weights is None else weights[rows]
    if not weight.any():
        return None
    share = float(weight @ happened / weight.sum())
    people, each = len(rows), weight
    if persons is not None:
        _, own = np.unique(persons[rows], return_inverse=True)
        each = np.bincount(own, weights=weight)
        people = len(each)
    effective = float(each.sum() ** 2 / (each**2).sum())
    low, high = wilson_interval(share, effective)
    return Rate(share, float(low), float(high), people, effective)


def people_behind(answered: Answered, rows: Array) -> int:
    """How many people stand behind some `rows` (m,) of the data; as how many who count alike they are (Kish 1965) where
    that is too few."""
    if answered.weights is None and answered.persons is None:
        return len(rows)
    whole = rate_of(np.ones(len(rows), dtype=bool), rows, answered.weights, answered.persons)
    if whole is None:
        return 0
    return whole.n if whole.is_enough else int(min(whole.n, round(whole.effective, 6)))


@dataclass(frozen=True, eq=False)
class People:
    """A group: what its people share, and who they are."""

    members: tuple[Member, ...]
    mask: Array  # (n,) bool

    def __and__(self, other: People) -> People:
        return People(self.members + other.members, self.mask & other.mask)


def levels_of(dataset: AttributeDataset, answered: Answered, attribute: str) -> list[People]:
    """The people of every level of an attribute that anybody shows."""
    column = dataset.attribute(attribute)
    codes = column.codes[answered.rows]
    found = [People((Member(attribute, level),), codes == code) for code, level in enumerate(column.levels)]
    return [people for people in found if people.mask.any()]


def classes_of(dataset: AttributeDataset, answered: Answered) -> list[People]:
    """The people of every true class that occurs."""
    target = dataset.target
    found = [
        People((Member(target.name, level),), answered.labels == code)
        for code, level in enumerate(target.levels)
    ]
    return [people for people in found if people.mask.any()]
