"""Before and after unlearning on the same people, who had no part in it: from one bootstrap, paired by person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fmd_core.data import Array, AttributeDataset, FeatureSet, frozen_array
from fmd_core.heads.answering import Told
from fmd_core.heads.protocol import Head
from fmd_core.intervals import Estimate, estimate_from_draws, joint_bootstrap_means
from fmd_core.measure.bias_functions import (
    GroupGap,
    Measure,
    distances_beside_placebo,
    pair_differences,
    pair_flips,
    predictions,
)
from fmd_core.measure.candidates import AnsweringCandidate, Candidate, Judged, check_same_people, places_among
from fmd_core.measure.changes import Change, losers_first, mean_changes, rate_changes
from fmd_core.measure.compared_groups import called, cells, group_changes
from fmd_core.measure.comparison import Comparison
from fmd_core.measure.counting import Counting, few_people
from fmd_core.measure.gap_draws import gap_drawn, gap_measured, gap_or_why, gap_people, gap_table
from fmd_core.measure.twin_bias import twin_bias_changes, twin_biases
from fmd_core.measure.verdict.sentences import attribute_name
from fmd_core.twins.pairs import CounterfactualPairs


def compare(
    before: Head,
    after: Head,
    dataset: AttributeDataset,
    features: FeatureSet,
    pairs: CounterfactualPairs,
    placebo: CounterfactualPairs | None = None,
    measure: Measure = "counterfactual",
    validation: FeatureSet | None = None,
) -> Comparison:
    """Compare two heads that read the same features: everyone in `pairs` must be among `features`.

    Parameters
    ----------
    before, after
        Two heads on the same features.
    dataset, features
        Held-out people who had no part in the fix, n of them.
    pairs, placebo
        Their twins by the attribute that was unlearned, and placebo twins of matched ones.
    measure
        What the verdict goes by.
    validation
        Validation people: by them both heads are made as sure as they are right, for the calibrated bias. Without
        them it stays unsaid, and answers that only became flatter pass for less biased.

    Returns
    -------
    Comparison
        Changes after less before, paired by person: shares with 95 % intervals.

    Raises
    ------
    DataError
        Where somebody in the pairs is not among the features.

    Examples
    --------
    >>> fmd.compare(model.head, path.suggested.result.head, data, people["test"], twins["test"])
    Comparison(colour: improved, 64.1 to 14.1 points, accuracy 45.1 points (40.0 to 50.0), 450 people)
    """
    before_, after_ = (Candidate(head, features, pairs, placebo, validation) for head in (before, after))
    return compare_candidates(before_, after_, dataset, measure)


def compare_candidates(
    before: Candidate, after: Candidate, dataset: AttributeDataset, measure: Measure = "counterfactual"
) -> Comparison:
    """Compare two models, each by its own features, on the same people in the same order.

    Raises DataError where people or twins are not the same on both sides, or somebody in the pairs is not
    among the features.

    Examples
    --------
    >>> heads = model.head, path.suggested.result.head
    >>> before, after = (fmd.Candidate(head, people["test"], twins["test"]) for head in heads)
    >>> fmd.compare_candidates(before, after, data).verdict
    'improved'
    """
    ends = (before, after)
    check_same_people(before, after)
    features, pairs = before.features, before.pairs
    paired, place = _places(features.rows, pairs.rows)
    predicted = [predictions(end.head, end.features.features) for end in ends]
    right = [p == features.labels for p in predicted]
    flips = [_spread_out(pair_flips(end.head, end.pairs), place, len(features)) for end in ends]
    everyone = np.ones(len(features), dtype=bool)
    counting = Counting.of(dataset, features.rows)
    rows = [_distance_row(ends), ("flips", paired, *flips), ("accuracy", everyone, *right)]
    changes = mean_changes(rows if before.placebo is None else [*rows, _excess(ends)], counting=counting)
    gap = None if measure == "counterfactual" else _gap_changes([ends], dataset, measure)[0]
    kinds, groups, crossed = group_changes(dataset, features, pairs.attribute, right)
    return Comparison(
        attribute=pairs.attribute,
        bias=changes[0],
        flips=changes[1],
        accuracy=changes[2],
        aligned_accuracy=kinds[0],
        conflicting_accuracy=kinds[1],
        groups=called(dataset, sorted((*kinds, *groups), key=losers_first)),
        intersections=called(dataset, sorted(crossed, key=losers_first)),
        cells=called(
            dataset, rate_changes(cells(dataset, features, pairs.attribute), *right, counting=counting)
        ),
        excess=changes[3] if before.placebo is not None else None,
        gap=gap,
        calibrated=_calibrated(ends, dataset, measure),
        measure=measure,
        called=attribute_name(dataset, pairs.attribute),
        confusion_before=_confusion(features.labels, predicted[0], before.head.n_classes),
        confusion_after=_confusion(features.labels, predicted[1], before.head.n_classes),
        rows=features.rows,
        predicted_before=frozen_array(predicted[0]),
        predicted_after=frozen_array(predicted[1]),
        truth=features.labels,
        classes=dataset.target.levels,
    )


def bias_changes(
    before: Head,
    after: Head,
    dataset: AttributeDataset,
    features: FeatureSet,
    twins: Sequence[tuple[CounterfactualPairs, CounterfactualPairs | None]],
    measure: Measure = "counterfactual",
) -> list[Change]:
    """`compare(...).judged` alone, by the attribute of each of the `twins` (with their placebo, if any),
    which stands as the change's group: from one bootstrap, and without the groups of people.

    Parameters
    ----------
    before, after
        Two heads on the same features.
    dataset, features
        Held-out people, n of them; everybody in `twins` must be among them.
    twins
        Pairs and their placebo (None: there is none), an attribute each.
    measure
        What counts as bias.

    Returns
    -------
    list of Change
        Shares in [0, 1] with 95 % intervals, in the order of `twins`; without a figure where too few can be asked.

    Raises
    ------
    DataError
        Where somebody in the twins is not among the features.

    Examples
    --------
    >>> after = path.suggested.result.head
    >>> fmd.bias_changes(model.head, after, data, people["test"], [(twins["test"], None)])
    [Change(counterfactual bias of colour: 64.1 to 14.1, −50.0 points (...), n = 450)]
    """
    if measure == "counterfactual":
        known = (twin_biases(Told(head), features, twins, dataset) for head in (before, after))
        return twin_bias_changes(*known)
    was, now = Told(before), Told(after)  # all attributes ask the same people
    both = [
        (AnsweringCandidate(was, features, *given), AnsweringCandidate(now, features, *given))
        for given in twins
    ]
    return candidate_biases(both, dataset, measure)


def candidate_biases(
    both: Sequence[tuple[Judged, Judged]],
    dataset: AttributeDataset,
    measure: Measure = "counterfactual",
) -> list[Change]:
    """The same of two models that read different features: before and after by each attribute.

    Raises DataError where people or twins are not the same on both sides, or somebody in the pairs is not among the
    features.

    Examples
    --------
    >>> heads = model.head, path.suggested.result.head
    >>> both = tuple(fmd.Candidate(head, people["test"], twins["test"]) for head in heads)
    >>> [change.group for change in fmd.candidate_biases([both], data)]
    ['colour']
    """
    if not both:
        return []
    for was, now in both:
        check_same_people(was, now)
    if measure != "counterfactual":
        found = _gap_changes(both, dataset, measure)
    else:
        counting = Counting.of(dataset, both[0][0].features.rows)
        found = mean_changes([_twins_row((was, now)) for was, now in both], counting=counting)
    names = [was.pairs.attribute for was, _ in both]
    return [replace(change, group=name) for change, name in zip(found, names, strict=True)]


def _distance_row(ends: tuple[Judged, Judged]) -> tuple[str, Array, Array, Array]:
    """B before and after."""
    features = ends[0].features
    paired, place = _places(features.rows, ends[0].pairs.rows)
    was, now = (
        _spread_out(np.abs(pair_differences(end.head, end.pairs)), place, len(features)) for end in ends
    )
    return "counterfactual bias", paired, was, now


def _twins_row(ends: tuple[Judged, Judged]) -> tuple[str, Array, Array, Array]:
    """What is judged of twins: B, less the placebo's where there is one."""
    return _distance_row(ends) if ends[0].placebo is None else _excess(ends)


def _calibrated(
    ends: tuple[Candidate, Candidate], dataset: AttributeDataset, measure: Measure
) -> Change | None:
    """What is judged, of both models as sure as they are right of validation people."""
    guards = [end.validation for end in ends]
    if any(people is None for people in guards):
        return None
    told = [few_people(dataset, people.rows) for people in guards if people is not None]
    if few := [unknown for unknown in told if unknown is not None]:
        unknown = min(few, key=lambda one: one.n)
        return Change("calibrated bias", "", unknown, unknown, unknown)
    even = ends[0].calibrated(), ends[1].calibrated()
    counting = Counting.of(dataset, even[0].features.rows)
    found = (
        _gap_changes([even], dataset, measure)
        if measure != "counterfactual"
        else mean_changes([_twins_row(even)], counting=counting)
    )[0]
    return replace(found, name=f"calibrated {found.name}")


def _gap_changes(
    both: Sequence[tuple[Judged, Judged]], dataset: AttributeDataset, measure: Measure
) -> list[Change]:
    """The gap between groups before and after, in the direction that each has, from one product of all resamples."""
    name, asked = f"{measure} gap", [_gaps_or_why(ends, dataset, measure) for ends in both]
    known = [gaps if isinstance(gaps, Estimate) else list(zip(ends, gaps, strict=True))
             for ends, gaps in zip(both, asked, strict=True)]  # fmt: skip
    tables = [
        gap_table(end.head, gap, dataset) for sides in known if isinstance(sides, list) for end, gap in sides
    ]
    draws = iter(joint_bootstrap_means(tables))

    def change(sides: list[tuple[Judged, GroupGap]] | Estimate) -> Change:
        if isinstance(sides, Estimate):
            return Change(name, "", sides, sides, sides)
        signed = [gap_measured(end.head, gap, dataset) for end, gap in sides]
        # the same people are drawn for both: the difference is a paired one
        raw = [gap_drawn(next(draws)) for _ in sides]
        own = [(np.sign(s) or 1.0) * d for s, d in zip(signed, raw, strict=True)]
        n = gap_people(dataset, sides[0][1])
        was, now = (estimate_from_draws(abs(s), d, n) for s, d in zip(signed, own, strict=True))
        moved = estimate_from_draws(abs(signed[1]) - abs(signed[0]), own[1] - own[0], n)
        return Change(name, "", was, now, moved)

    return [change(sides) for sides in known]


def _gaps_or_why(
    ends: tuple[Judged, Judged], dataset: AttributeDataset, measure: Measure
) -> tuple[GroupGap, GroupGap] | Estimate:
    """The gap of either end, or an estimate that says why there is none."""
    was, now = (gap_or_why(dataset, end.features, ends[0].pairs.attribute, measure) for end in ends)
    if isinstance(was, Estimate):
        return was
    return now if isinstance(now, Estimate) else (was, now)


def _places(people: Array, some: Array) -> tuple[Array, Array]:
    """Which of `people` (n,) are among `some` (m,), as a mask (n,), and where each of `some` stands."""
    place = places_among(people, some)
    paired = np.zeros(len(people), dtype=bool)
    paired[place] = True
    return paired, place


def _excess(ends: tuple[Judged, Judged]) -> tuple[str, Array, Array, Array]:
    """B beyond the placebo's, before and after, on the people who have both twins."""
    people = ends[0].features

    def beyond(end: Judged) -> tuple[Array, Array]:
        assert end.placebo is not None, "asked only where both have placebo twins"
        rows, distance, floor = distances_beside_placebo(end.head, end.pairs, end.placebo)
        both, place = _places(people.rows, rows)
        return both, _spread_out(distance - floor, place, len(people))

    (both, was), (_, now) = map(beyond, ends)
    return "excess over placebo", both, was, now


def _spread_out(values: Array, place: Array, n: int) -> Array:
    """`values` (m,) of some people at their places among all n; the others' places stay empty."""
    spread = np.zeros(n, dtype=values.dtype)
    spread[place] = values
    return spread


def _confusion(labels: Array, predicted: Array, n_classes: int) -> Array:
    counts = np.zeros((n_classes, n_classes), dtype="int64")
    np.add.at(counts, (labels, predicted), 1)
    return frozen_array(counts)
