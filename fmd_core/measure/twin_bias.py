"""The bias by many attributes of one head, kept beside others': what does not change is measured once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fmd_core.data import Array, AttributeDataset, FeatureSet
from fmd_core.errors import DataError
from fmd_core.heads.answering import Answering, Recorded
from fmd_core.intervals import MIN_PEOPLE, Estimate, estimate_from_draws, joint_bootstrap_means
from fmd_core.measure.bias_functions import distances_beside_placebo, pair_differences
from fmd_core.measure.candidates import places_among
from fmd_core.measure.changes import Change
from fmd_core.measure.counting import Counting, ratios_drawn, too_few
from fmd_core.twins.pairs import CounterfactualPairs

Twins = tuple[CounterfactualPairs, CounterfactualPairs | None]
"""Twins by an attribute, and placebo twins of matched ones."""


@dataclass(frozen=True, eq=False)
class TwinBias:
    """How far apart a head answers twins: of everybody who has some, in the order of the people."""

    attribute: str
    name: str
    rows: Array  # (m,) row of each person in the data set
    values: Array  # (m,) distance, less that of placebo twins where there are some
    draws: Array
    """(DRAWS,) means of `values` in resamples of the people, the same resamples for every head; (0,) of too few."""
    counting: Counting | None = None
    """How much each row counts and whose it is, where they are not people who count alike."""


def twin_biases(
    head: Answering, people: FeatureSet, twins: Sequence[Twins], dataset: AttributeDataset
) -> list[TwinBias]:
    """The bias of one head by each attribute; everybody who has twins must be among `people`."""
    given = [_distances(head, *some) for some in twins]
    ordered = [(name, *_in_order(people, rows, values)) for name, rows, values in given]
    countings = [Counting.of(dataset, rows) for _, rows, _ in ordered]
    drawn = [_drawn(values, counting) for (_, _, values), counting in zip(ordered, countings, strict=True)]
    enough = [place for place, counting in enumerate(countings) if _few(ordered[place][1], counting) is None]
    means = joint_bootstrap_means([drawn[place] for place in enough])
    draws = {place: _means(of) for place, of in zip(enough, means, strict=True)}
    return [
        TwinBias(pairs.attribute, *ordered[place], draws.get(place, np.empty(0)), countings[place])
        for place, (pairs, _) in enumerate(twins)
    ]


def _few(rows: Array, counting: Counting | None) -> Estimate | None:
    """What is said of too few; None where they are enough."""
    if counting is not None:
        return too_few(counting.sizes)
    return Estimate.unknown(len(rows)) if len(rows) < MIN_PEOPLE else None


def _drawn(values: Array, counting: Counting | None) -> Array:
    """What is resampled: the values (m, 1), or of every person what counts of them and how much counts (p, 2)."""
    if counting is None:
        return values[:, None]
    return np.column_stack([counting.summed(values[:, None]), counting.sizes])


def _means(draws: Array) -> Array:
    """The means of `values` in resamples, (m,), of those of `_drawn`."""
    return draws[:, 0] if draws.shape[1] == 1 else ratios_drawn(draws)[:, 0]


def twin_biases_among(
    head: Answering, people: FeatureSet, twins: Sequence[Twins], dataset: AttributeDataset
) -> list[TwinBias]:
    """The same of matched twins: every side is one of the `people`, whose answers are looked up, not computed again.
    Raises DataError where somebody is missing."""
    answers = head.probabilities(people.features)
    recorded = FeatureSet(answers, people.labels, people.rows)
    seen = [
        (pairs.seen_in(recorded), None if placebo is None else placebo.seen_in(recorded))
        for pairs, placebo in twins
    ]
    return twin_biases(Recorded(slice(0, answers.shape[1])), recorded, seen, dataset)


def twin_bias_changes(before: Sequence[TwinBias], after: Sequence[TwinBias]) -> list[Change]:
    """The change by each attribute, which stands as its group. Raises DataError where the people are not the same."""
    return [_change(was, now) for was, now in zip(before, after, strict=True)]


def _change(was: TwinBias, now: TwinBias) -> Change:
    if was.attribute != now.attribute or not np.array_equal(was.rows, now.rows):
        raise DataError("The two models were not judged on the same people and twins; pair them alike.")
    if (few := _few(was.rows, was.counting)) is not None:
        return Change(was.name, was.attribute, few, few, few)
    moved = now.values - was.values
    weights, n = None, len(was.rows)
    if was.counting is not None:
        weights, n = was.counting.weights, int((was.counting.sizes > 0).sum())
    # a mean of differences is the difference of the means: nobody who moved must not leave what rounding does
    draws = now.draws - was.draws if moved.any() else np.zeros_like(was.draws)
    before, after = (estimate_from_draws(_mean(end.values, weights), end.draws, n) for end in (was, now))
    return Change(
        was.name, was.attribute, before, after, estimate_from_draws(_mean(moved, weights), draws, n)
    )


def _mean(values: Array, weights: Array | None) -> float:
    return float(values.mean() if weights is None else np.average(values, weights=weights))


def _distances(
    head: Answering, pairs: CounterfactualPairs, placebo: CounterfactualPairs | None
) -> tuple[str, Array, Array]:
    """What it is called, and of each person who has both twins the row and the distance, (m,)."""
    if placebo is None:
        return "counterfactual bias", pairs.rows, np.abs(pair_differences(head, pairs)).astype("float64")
    rows, distance, floor = distances_beside_placebo(head, pairs, placebo)
    return "excess over placebo", rows, (distance - floor).astype("float64")


def _in_order(people: FeatureSet, rows: Array, values: Array) -> tuple[Array, Array]:
    """Both in the order of the people, among whom they must be."""
    order = np.argsort(places_among(people.rows, rows), kind="stable")
    return rows[order], values[order]
