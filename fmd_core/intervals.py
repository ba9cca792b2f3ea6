"""95 % intervals for everything that is measured on a sample of people.

Means and ratios come from a paired bootstrap over people: one set of resampling counts,
shared by all quantities, so that a before and an after are always compared on the same
draws. Rates of one group use Wilson's interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np

from fmd_core.data import Array
from fmd_core.figures import count
from fmd_core.showing import one_line

MIN_PEOPLE = 30
"""Below this many people a figure is not shown: it would say more about chance than the model."""
DRAWS = 2_000
BOOTSTRAP_SEED = 0
NORMAL_95 = 1.959963984540054  # 97.5 % quantile of the normal distribution
_CHUNK = 250
_EXACT = 2**24  # whole numbers up to here are exact in float32


Reason = Literal["too few", "clause", "sentence"]
"""Why there is no figure: too few people, or something that is told as a part of a sentence or as one of its own."""


@dataclass(frozen=True)
class Estimate:
    """A figure, its 95 % interval and the number of people behind it.

    `value`, `low` and `high` are None when the figure cannot be computed; `problem` then says
    why in words.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    problem: str = ""
    reason: Reason | None = field(default=None, compare=False, repr=False)
    """Of which kind `problem` is, for who makes a sentence of it; None where there is a figure."""

    @classmethod
    def unknown(cls, n: int, problem: str = "") -> Estimate:
        """No figure, because there are too few people or for the `problem` given, a part of a sentence."""
        if problem:
            return cls(None, None, None, n, problem, "clause")
        return cls(None, None, None, n, f"not enough people to say (n = {n})", "too few")

    @classmethod
    def refused(cls, sentence: str) -> Estimate:
        """No figure, for a reason that is a sentence of its own."""
        return cls(None, None, None, 0, sentence, "sentence")

    @property
    def excludes_zero(self) -> bool:
        """True when the whole interval lies on one side of 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    def __repr__(self) -> str:
        if self.value is None or self.low is None or self.high is None:
            return one_line(self, self.problem)
        return one_line(
            self, f"{self.value:.4g}", f"{self.low:.4g} to {self.high:.4g}", f"n = {count(self.n)}"
        )


def rate_estimate(successes: int, n: int, least: int = MIN_PEOPLE) -> Estimate:
    """Share of successes with Wilson's 95 % score interval; without a value below `least` people.

    scipy's `binomtest` gives the same, but works out a p-value first: 2 ms for every rate.
    """
    if n < least:
        return Estimate.unknown(n)
    share = int(successes) / n
    low, high = wilson_interval(share, n)
    return Estimate(share, float(low), float(high), n)


def wilson_interval(share: Array | float, n: Array | float, z: float = NORMAL_95) -> tuple[Array, Array]:
    """Wilson's score interval of shares of `n` people (1927): low and high, in [0, 1]; of 95 % unless `z` says another.

    For weighted shares `n` is the effective number of people.
    """
    share, weight = np.asarray(share, "float64"), z**2 / np.asarray(n, "float64")
    middle = (share + weight / 2) / (1 + weight)
    reach = z * np.sqrt(share * (1 - share) / n + weight / (4 * n)) / (1 + weight)
    return np.maximum(0.0, middle - reach), np.minimum(1.0, middle + reach)


Bounded = tuple[float, float, float]
"""A share with the ends of its interval."""


def rate_difference(first: Bounded, second: Bounded) -> Bounded:
    """First less second of two groups' rates, by Newcombe's method 10 (Statistics in Medicine 1998)."""
    (a, a_low, a_high), (b, b_low, b_high) = first, second
    low = a - b - np.hypot(a - a_low, b_high - b)
    high = a - b + np.hypot(a_high - a, b - b_low)
    return a - b, float(max(low, -1.0)), float(min(high, 1.0))


def rate_ratio(first: Bounded, second: Bounded) -> Bounded:
    """First over second of two groups' rates, by MOVER-R (Donner and Zou, Statistical Methods in Medical
    Research 2012) from the ends of Wilson's intervals. The second rate must be above 0."""
    (a, a_low, a_high), (b, b_low, b_high) = first, second
    product = a * b

    def end(of_first: float, of_second: float, sign: int) -> float:
        root = product**2 - of_first * of_second * (2 * a - of_first) * (2 * b - of_second)
        below = of_second * (2 * b - of_second)
        if below <= 0:  # the second rate may be 0 as far as anybody knows
            return 0.0 if sign < 0 else np.inf
        return float((product + sign * np.sqrt(max(root, 0.0))) / below)

    return a / b, max(0.0, end(a_low, b_high, -1)), end(a_high, b_low, 1)


def mean_estimates(values: Array, draws: Array | None = None) -> list[Estimate]:
    """Mean of every column of `values` (n people, m) with its bootstrap interval; `draws` are their means in resamples
    (DRAWS, m), where they are known."""
    n = len(values)
    if n < MIN_PEOPLE:
        return [Estimate.unknown(n)] * values.shape[1]
    known = bootstrap_means(values) if draws is None else draws
    return [
        estimate_from_draws(float(mean), draw, n)
        for mean, draw in zip(values.mean(axis=0), known.T, strict=True)
    ]


def paired_rate_differences(gained: Array, lost: Array, n: Array) -> tuple[Array, Array, Array]:
    """Change of rates of the same people, with 95 % intervals: value, low and high, (m,) each.

    Of `n` (m,) people `gained` came to succeed and `lost` came to fail. Interval of Agresti and Min
    (Statistics in Medicine 2005), which adds half a person to each of the four outcomes; a bootstrap
    says the same, but takes seconds for hundreds of groups.
    """
    size, up, down = n + 2.0, gained + 0.5, lost + 0.5
    middle = (up - down) / size
    reach = NORMAL_95 * np.sqrt(np.maximum(up + down - (up - down) ** 2 / size, 0)) / size
    value = (gained - lost) / np.maximum(n, 1)
    return value, np.maximum(middle - reach, -1.0), np.minimum(middle + reach, 1.0)


def estimate_from_draws(value: float, draws: Array, n: int) -> Estimate:
    """An estimate whose interval are the 2.5 and 97.5 percentiles of its bootstrap draws."""
    low, high = np.percentile(draws, [2.5, 97.5])
    return Estimate(value, float(low), float(high), n)


def bootstrap_means(values: Array) -> Array:
    """Means of the columns of `values` (n, m) in resamples of the n people, (DRAWS, m)."""
    return joint_bootstrap_means([values])[0]


def joint_bootstrap_means(tables: Sequence[Array]) -> list[Array]:
    """`bootstrap_means` of several tables. Those of as many people have the same resamples, so that their columns
    stand in one product, which costs little more than one column's."""
    alike: dict[int, list[int]] = {}
    for place, values in enumerate(tables):
        alike.setdefault(len(values), []).append(place)
    found: list[Array] = [np.empty(0)] * len(tables)
    for n, places in alike.items():
        means = _sums(np.concatenate([tables[place] for place in places], axis=1)) / n
        ends = np.cumsum([tables[place].shape[1] for place in places])[:-1]
        for place, own in zip(places, np.split(means, ends, axis=1), strict=True):
            found[place] = own
    return found


def _sums(values: Array) -> Array:
    """Sums of the columns of `values` (n, m) in resamples, (DRAWS, m) float64."""
    counts, sums = _resampling_counts(len(values)), np.empty((DRAWS, values.shape[1]))
    # whole numbers whose sums float32 holds exactly, in half the time
    small = len(values) * np.abs(values).max(axis=0, initial=0) < _EXACT
    exact = small & (values == np.rint(values)).all(axis=0)
    for columns, dtype in ((np.flatnonzero(exact), "float32"), (np.flatnonzero(~exact), "float64")):
        some = np.ascontiguousarray(values[:, columns], dtype)
        for start in range(0, DRAWS if len(columns) else 0, _CHUNK):
            part = slice(start, start + _CHUNK)
            sums[part, columns] = counts[part].astype(dtype) @ some
    return sums


@lru_cache(maxsize=8)
def _resampling_counts(n: int) -> Array:
    """How often each of n people is drawn in each resample, (DRAWS, n); the seed is fixed so
    that the same people give the same interval, and a difference is paired by construction."""
    rng, counts = np.random.default_rng(BOOTSTRAP_SEED), np.empty((DRAWS, n), dtype="uint8")
    for start in range(0, DRAWS, _CHUNK):
        picks = rng.integers(0, n, size=(_CHUNK, n)) + n * np.arange(_CHUNK)[:, None]
        counts[start : start + _CHUNK] = np.bincount(picks.ravel(), minlength=_CHUNK * n).reshape(_CHUNK, n)
    counts.flags.writeable = False  # shared by all sessions
    return counts
