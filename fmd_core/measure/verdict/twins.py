"""What the answer does when only an attribute changes: bias and flips, beyond placebo twins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from fmd_core.data import Array, AttributeDataset
from fmd_core.figures import count
from fmd_core.heads.answering import Answering
from fmd_core.intervals import MIN_PEOPLE, bootstrap_means
from fmd_core.measure.bias_functions import pair_differences, pair_flips
from fmd_core.measure.verdict.answered import Answered, people_behind, rate_of
from fmd_core.measure.verdict.differences import Measured, above_limit
from fmd_core.measure.verdict.values import Family, Finding, Gap, Limits, Measure, NotTested, Rate
from fmd_core.showing import one_line
from fmd_core.twins.pairs import CounterfactualPairs


@dataclass(frozen=True, eq=False)
class _Mean:
    """A mean with its interval, and whose weights and persons it was taken with."""

    weighed: tuple[Array | None, Array | None]
    ends: tuple[float, float, float]


_MEANS: WeakKeyDictionary[TwinAnswers, dict[Measure, _Mean]] = WeakKeyDictionary()
NOT_READ = "not read, so its twins cannot differ; look at the groups"


@dataclass(frozen=True, eq=False)
class TwinAnswers:
    """How the answers to m pairs of twins by one attribute differ."""

    attribute: str
    rows: Array  # (m,) row of the person whose pair it is
    gaps: Array  # (m,) |change of the probability of the true class|
    flips: Array  # (m,) bool: whether the answer itself changes
    placebo_gaps: Array | None = None
    """(m,) the same of placebo twins, who differ in the rest but not in the attribute; for matched twins."""
    placebo_flips: Array | None = None
    is_kept: bool = False
    """Whether another column that is read tells the attribute and was not changed with it: the twins show
    less than the whole bias, so that a small figure says little."""

    def __repr__(self) -> str:
        beyond = "" if self.placebo_gaps is None else "with placebo twins"
        return one_line(self, self.attribute, f"{count(len(self.rows))} pairs", beyond)

    @property
    def show_too_little(self) -> bool:
        """Whether a small figure is no all-clear: another column keeps telling the attribute, or exact twins get the
        very same answers, so that the model does not read it."""
        return self.is_kept or (self.placebo_gaps is None and not self.gaps.any())

    @classmethod
    def of(
        cls,
        head: Answering,
        pairs: CounterfactualPairs,
        placebo: CounterfactualPairs | None = None,
        *,
        is_kept: bool = False,
    ) -> TwinAnswers:
        """What a head answers to pairs; with a placebo, on the people who have both."""
        gaps, flips = np.abs(pair_differences(head, pairs)), pair_flips(head, pairs)
        if placebo is None:
            return cls(pairs.attribute, pairs.rows, gaps, flips, is_kept=is_kept)
        rows, own, other = np.intersect1d(pairs.rows, placebo.rows, return_indices=True)
        floor, floor_flips = np.abs(pair_differences(head, placebo)), pair_flips(head, placebo)
        return cls(pairs.attribute, rows, gaps[own], flips[own], floor[other], floor_flips[other], is_kept)

    @classmethod
    def joined(cls, parts: Sequence[TwinAnswers]) -> TwinAnswers:
        """Exact twins by one attribute that several models answered, together."""
        rows, gaps, flips = (
            np.concatenate([getattr(p, n) for p in parts]) for n in ("rows", "gaps", "flips")
        )
        return cls(parts[0].attribute, rows, gaps, flips, is_kept=any(part.is_kept for part in parts))


def measure_twins(
    dataset: AttributeDataset,
    answered: Answered,
    twins: Sequence[TwinAnswers],
    not_read: Sequence[str],
    limits: Limits,
) -> Measured:
    """Bias and flips by every attribute that has twins; the others are not tested."""
    measured = Measured()
    given = {answers.attribute: answers for answers in twins}
    for attribute in dataset.attributes:
        if attribute in not_read:
            measured.not_tested.append(NotTested(Family.TWINS, attribute, Gap.NOT_READ, NOT_READ))
        elif attribute not in given:
            measured.not_tested.append(
                NotTested(Family.TWINS, attribute, Gap.NO_TWINS, "no twins were found")
            )
        else:
            _measure_one(measured, answered, given[attribute], limits)
    return measured


def _measure_one(measured: Measured, answered: Answered, twins: TwinAnswers, limits: Limits) -> None:
    if (n := people_behind(answered, twins.rows)) < MIN_PEOPLE:
        why = f"fewer than {MIN_PEOPLE} people have a twin (n = {n})"
        measured.not_tested.append(NotTested(Family.TWINS, twins.attribute, Gap.TOO_FEW, why))
        return
    if twins.placebo_gaps is None and not twins.gaps.any():
        why = "every twin gets exactly the same answer, so the model does not read it; look at the groups"
        measured.not_tested.append(NotTested(Family.TWINS, twins.attribute, Gap.NOT_READ, why))
        return
    if twins.is_kept:
        why = "another column that the model reads tells it, and a twin keeps that column: the whole effect is larger"
        measured.not_tested.append(NotTested(Family.TWINS, twins.attribute, Gap.TOLD_TWICE, why))
    measured.findings += both_findings(answered, twins, limits)


def both_findings(answered: Answered, twins: TwinAnswers, limits: Limits) -> tuple[Finding, Finding]:
    """Bias and flips, however few pairs there are."""
    return (
        _finding(answered, twins, Measure.BIAS, twins.gaps, twins.placebo_gaps, limits),
        _finding(answered, twins, Measure.FLIPS, twins.flips, twins.placebo_flips, limits),
    )


def _finding(
    answered: Answered,
    twins: TwinAnswers,
    measure: Measure,
    own: Array,
    placebo: Array | None,
    limits: Limits,
) -> Finding:
    excess = own.astype("float64") - (0.0 if placebo is None else placebo)
    rate: Rate | None = None
    if measure is Measure.FLIPS and placebo is None:
        rate = rate_of(own, twins.rows, answered.weights, answered.persons)
    value, low, high = _known_mean(answered, twins, measure, excess) if rate is None else rate.ends
    limit = limits.twins
    return Finding(
        Family.TWINS,
        measure,
        (twins.attribute,),
        (),
        value,
        low,
        high,
        people_behind(answered, twins.rows),
        limit,
        p=above_limit(value, low, limit),
    )


def _known_mean(
    answered: Answered, twins: TwinAnswers, measure: Measure, values: Array
) -> tuple[float, float, float]:
    """`_mean`, computed once for the same people: no limit changes it, and a slider waits for it."""
    weighed = (answered.weights, answered.persons)
    of_twins = _MEANS.setdefault(twins, {})
    known = of_twins.get(measure)
    if known is not None and all(one is other for one, other in zip(known.weighed, weighed, strict=True)):
        return known.ends
    ends = _mean(answered, twins.rows, values)
    of_twins[measure] = _Mean(weighed, ends)
    return ends


def _mean(answered: Answered, rows: Array, values: Array) -> tuple[float, float, float]:
    """Weighted mean of `values` (m,) with its bootstrap interval over people."""
    weight = np.ones(len(rows)) if answered.weights is None else answered.weights[rows]
    sums = np.column_stack([weight * values, weight])
    if answered.persons is not None:
        _, own = np.unique(answered.persons[rows], return_inverse=True)
        sums = np.column_stack([np.bincount(own, weights=column) for column in sums.T])
    draws = bootstrap_means(sums)
    means = draws[:, 0] / np.maximum(draws[:, 1], np.finfo("float64").tiny)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(sums[:, 0].sum() / sums[:, 1].sum()), float(low), float(high)
