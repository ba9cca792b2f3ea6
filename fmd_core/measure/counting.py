"""How rows are counted where they are not people who count alike: by the weights of the data, and those of one person
together, as the verdict does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fmd_core.data import Array, AttributeDataset
from fmd_core.intervals import MIN_PEOPLE, Estimate, bootstrap_means, estimate_from_draws, mean_estimates


@dataclass(frozen=True, eq=False)
class Counting:
    """How much each of n rows counts, and whose row it is: rows of one person are one piece of evidence together, and
    of persons who count unequally there are as many as the effective number says (Kish 1965)."""

    weights: Array  # (n,), not negative
    persons: Array  # (n,) codes

    @classmethod
    def of(cls, dataset: AttributeDataset, rows: Array) -> Counting | None:
        """That of some `rows` (n,) of the data; None where each is a person who counts once."""
        if dataset.persons is None and dataset.weights is None:
            return None
        persons = np.arange(len(rows)) if dataset.persons is None else dataset.persons[rows]
        return cls(np.ones(len(rows)) if dataset.weights is None else dataset.weights[rows], persons)

    def among(self, some: Array) -> Counting:
        """That of some of the rows, by a mask (n,) or their places."""
        return Counting(self.weights[some], self.persons[some])

    @cached_property
    def whose(self) -> tuple[Array, int]:
        """The person of each row, (n,) from 0 on, and how many persons there are."""
        found, place = np.unique(self.persons, return_inverse=True)
        return place, len(found)

    def added(self, values: Array) -> Array:
        """What counts of some `values` (n,), added up for each of p persons, (p,) float64."""
        place, n_persons = self.whose
        return np.asarray(np.bincount(place, self.weights * values, n_persons))

    def summed(self, values: Array) -> Array:
        """The same of the columns of `values` (n, m), (p, m)."""
        return np.stack([self.added(column) for column in values.T], axis=1)

    @cached_property
    def sizes(self) -> Array:
        """How much each person counts, (p,)."""
        return self.added(np.ones(len(self.weights)))


def effective_number(sizes: Array) -> float:
    """As how many who count alike persons are who count as much as `sizes` (p,) say (Kish 1965)."""
    square = max(float((sizes**2).sum()), np.finfo("float64").tiny)
    return round(float(sizes.sum()) ** 2 / square, 6)  # ten tenths are one


def too_few(sizes: Array) -> Estimate | None:
    """An estimate that says how few persons count above 0, by how much each does (p,); None where they are enough."""
    n, effective = int((sizes > 0).sum()), effective_number(sizes)
    if n < MIN_PEOPLE:
        return Estimate.unknown(n)
    if effective >= MIN_PEOPLE:
        return None
    return Estimate.unknown(
        n, f"not enough people to say (n = {n}, as good as {effective:.0f} who count alike)"
    )


def few_people(dataset: AttributeDataset, rows: Array) -> Estimate | None:
    """The same of who stands behind some `rows` (m,) of the data, each a person who counts once where nothing else is
    known."""
    counting = Counting.of(dataset, rows)
    return too_few(np.ones(len(rows)) if counting is None else counting.sizes)


def counted_means(values: Array, counting: Counting | None) -> list[Estimate]:
    """Mean of every column of `values` (n, m) with its bootstrap interval over persons: of unequal ones a ratio of two
    sums."""
    if counting is None:
        return mean_estimates(values)
    sums, sizes = counting.summed(values), counting.sizes
    if (few := too_few(sizes)) is not None:
        return [few] * sums.shape[1]
    ratios = ratios_drawn(bootstrap_means(np.column_stack([sums, sizes])))
    n = int((sizes > 0).sum())
    return [
        estimate_from_draws(float(total / sizes.sum()), draw, n)
        for total, draw in zip(sums.sum(axis=0), ratios.T, strict=True)
    ]


def ratios_drawn(draws: Array) -> Array:
    """All columns but the last of means in resamples (m, k), as shares of the last, (m, k - 1)."""
    return np.asarray(draws[:, :-1] / np.maximum(draws[:, -1:], np.finfo("float64").tiny))
