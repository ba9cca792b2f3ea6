"""Before and after unlearning, on people who had no part in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from fmd_core.data import Array, AttributeDataset, Column, FeatureSet, frozen_array
from fmd_core.errors import DataError
from fmd_core.figures import count, points
from fmd_core.heads.answering import Answering, Told
from fmd_core.heads.protocol import Head
from fmd_core.intervals import MIN_PEOPLE, Estimate, estimate_from_draws, joint_bootstrap_means
from fmd_core.measure.audit import gap_people, gap_table, gaps_drawn
from fmd_core.measure.bias_functions import GroupGap, Measure, pair_differences, pair_flips, predictions
from fmd_core.measure.calibration import head_temperature, tempered
from fmd_core.measure.changes import Change, Group, losers_first, mean_changes, rate_changes
from fmd_core.measure.twin_bias import twin_bias_changes, twin_biases
from fmd_core.measure.verdict.sentences import attribute_name, group_name
from fmd_core.measure.verdict.values import Member
from fmd_core.showing import figure_in_points, one_line, table
from fmd_core.twins.pairs import CounterfactualPairs

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["improved", "mixed", "no evidence", "worse", "unchanged"]
LOSS_TOLERANCE = 0.01  # a group may lose as much before it counts against a change, as a share
ROUNDING = 1e-3  # a calibrated bias that moves by less has not moved: a fitted temperature is no more exact
OUTCOMES = ("now right", "now wrong", "wrong both times")


@dataclass(frozen=True, eq=False)
class Comparison:
    """What unlearning changed for held-out people. All shares lie in [0, 1]."""

    attribute: str
    bias: Change
    flips: Change
    accuracy: Change
    aligned_accuracy: Change
    conflicting_accuracy: Change
    groups: tuple[Change, ...]
    """Accuracy by bias-aligned or not, class and attribute level: those who lost beyond chance first, then
    by size of the loss, unmeasurable last."""
    confusion_before: Array  # (K, K) counts, rows true class, columns answer
    confusion_after: Array
    rows: Array  # (n,) row of each person in the data set
    predicted_before: Array  # (n,)
    predicted_after: Array  # (n,)
    truth: Array  # (n,) true class of each person
    classes: tuple[str, ...]
    excess: Change | None = None
    """Bias minus that of placebo twins, for matched twins only."""
    gap: Change | None = None
    """The gap between groups, where that is the measure."""
    intersections: tuple[Change, ...] = ()
    """The same as `groups` for those who share two properties, where there are enough people."""
    cells: tuple[Change, ...] = ()
    """Accuracy of every class x level of the attribute, in their order: whom a fix is for."""
    measure: Measure = "counterfactual"
    called: str = ""
    """The attribute as a sentence calls it, 'sex' for CelebA's 'male'; '' where nobody said."""
    calibrated: Change | None = None
    """What is `judged`, of both models at the temperature that suits validation people: as sure as they are right.
    None where no validation people were given; without a figure where they are too few."""

    @property
    def judged(self) -> Change:
        """The change that the verdict rests on: of the measure chosen, and of twins beyond the placebo."""
        return self.gap or self.excess or self.bias

    @property
    def is_flatter(self) -> bool:
        """Whether what is judged fell only because the answers became flatter: with both models as sure as they are
        right there is no evidence that it fell, or nobody can say."""
        return self.judged.fell and self.calibrated is not None and not self.is_calibrated_better

    @property
    def is_calibrated_better(self) -> bool:
        """Whether what is judged fell with both models as sure as they are right."""
        return self._has_calibrated(-1)

    @property
    def is_calibrated_worse(self) -> bool:
        """Whether it rose."""
        return self._has_calibrated(1)

    def _has_calibrated(self, sign: int) -> bool:
        """Whether calibrated bias rose (1) or fell (-1), by more than chance and rounding."""
        if self.calibrated is None or not self.calibrated.is_beyond_chance:
            return False
        return sign * (self.calibrated.difference.value or 0.0) > ROUNDING

    @property
    def changed(self) -> Array:
        """Positions of the people whose answer changed, (c,)."""
        return np.flatnonzero(self.predicted_before != self.predicted_after)

    @property
    def gained(self) -> Array:
        """Positions of the people who are answered right now and were not, (g,)."""
        return np.flatnonzero((self.predicted_before != self.truth) & (self.predicted_after == self.truth))

    @property
    def lost(self) -> Array:
        """Positions of the people who are answered wrong now and were right, (l,)."""
        return np.flatnonzero((self.predicted_before == self.truth) & (self.predicted_after != self.truth))

    @property
    def died(self) -> tuple[int, ...]:
        """Classes that were answered before, are somebody's true class, and are never answered any more."""
        dead = (self.confusion_before.sum(axis=0) > 0) & (self.confusion_after.sum(axis=0) == 0)
        return tuple(int(c) for c in np.flatnonzero(dead & (self.confusion_before.sum(axis=1) > 0)))

    @property
    def worst_before(self) -> Change | None:
        """The class x level whom the model before served worst; None where no cell has enough people."""
        return min(self._known_cells, key=lambda cell: cell.before.value or 0.0, default=None)

    @property
    def worst_after(self) -> Change | None:
        """The one whom the model after serves worst."""
        return min(self._known_cells, key=lambda cell: cell.after.value or 0.0, default=None)

    @property
    def _known_cells(self) -> list[Change]:
        return [cell for cell in self.cells if cell.before.value is not None and cell.after.value is not None]

    @property
    def is_worst_group_worse(self) -> bool:
        """Whether whoever is served worst now is served worse than whoever was before."""
        was, now = self.worst_before, self.worst_after
        return was is not None and now is not None and (now.after.value or 0) < (was.before.value or 0)

    @property
    def has_costs(self) -> bool:
        """Whether somebody pays: accuracy or a group falls beyond chance, a class died, or whoever is served
        worst is served worse."""
        return bool(self.accuracy.fell or self.payers or self.died or self.is_worst_group_worse)

    @property
    def can_say_who_pays(self) -> bool:
        """Whether accuracy is known, and that of some group."""
        some = (*self.groups, *self.intersections, *self.cells)
        return self.accuracy.after.value is not None and any(c.difference.value is not None for c in some)

    @property
    def verdict(self) -> Verdict:
        """What the change did to people.

        Improved: the bias fell beyond its interval, calibrated too (else the answers became flatter, not fairer), and
        of twins the flipped decisions; and nobody pays (`has_costs`), which could be said. Worse: the bias rose,
        or somebody pays for a bias that cannot be said to have changed, and no group gained. Mixed is what is both.
        A figure that cannot be said, or nothing beyond chance, is no evidence.
        """
        difference = self.judged.difference
        if difference.value == 0 and len(self.changed) == 0:
            return "unchanged"
        if difference.value is None:
            return "no evidence"
        rose = self.is_calibrated_worse if self.is_flatter else self.judged.rose
        if self.judged.fell and not self.is_flatter:
            decisive = self.measure != "counterfactual" or self.flips.fell
            return "improved" if decisive and self.can_say_who_pays and not self.has_costs else "mixed"
        if rose or self.has_costs:
            return "mixed" if any(c.rose for c in (*self.groups, *self.intersections)) else "worse"
        return "no evidence"

    @property
    def payers(self) -> tuple[Change, ...]:
        """The `losers` who lost more than `LOSS_TOLERANCE`."""
        return tuple(c for c in self.losers if -(c.difference.value or 0) > LOSS_TOLERANCE)

    @property
    def losers(self) -> tuple[Change, ...]:
        """Groups whose accuracy fell by more than chance."""
        return tuple(sorted(self._moved(lambda change: change.fell), key=losers_first))

    @property
    def gainers(self) -> tuple[Change, ...]:
        """Groups whose accuracy rose by more than chance, the largest gain first."""
        return tuple(
            sorted(self._moved(lambda change: change.rose), key=lambda c: -(c.difference.value or 0.0))
        )

    def _moved(self, how: Callable[[Change], bool]) -> list[Change]:
        """Groups that moved, each once. A class x level of the attribute is tested among few (`cells`) and again among
        all pairs of properties: whoever moves in either has moved, for whom the fix is for is not hidden by others."""
        found = [change for change in (*self.groups, *self.intersections) if how(change)]
        named = {frozenset(change.properties) for change in found}
        return found + [c for c in self.cells if how(c) and frozenset(c.properties) not in named]

    def __repr__(self) -> str:
        ends = self.judged.before.value, self.judged.after.value
        bias = "" if ends[0] is None or ends[1] is None else f"{points(ends[0])} to {points(ends[1])} points"
        accuracy = f"accuracy {figure_in_points(self.accuracy.difference)}"
        return one_line(
            self, f"{self.attribute}: {self.verdict}", bias, accuracy, f"{count(len(self.rows))} people"
        )

    def to_frame(self) -> pd.DataFrame:
        """A row for each `Change`, overall figures first, then groups and intersections: see `Change.as_row`."""
        overall = (self.bias, self.excess, self.gap, self.calibrated, self.flips, self.accuracy)
        changes = [*(change for change in overall if change is not None), *self.groups, *self.intersections]
        return table(change.as_row() for change in changes)


class Judged(Protocol):
    """What biases are compared by: answers to people and to their twins."""

    @property
    def head(self) -> Answering: ...
    @property
    def features(self) -> FeatureSet: ...
    @property
    def pairs(self) -> CounterfactualPairs: ...
    @property
    def placebo(self) -> CounterfactualPairs | None: ...


@dataclass(frozen=True, eq=False)
class Candidate:
    """A head with what it reads of the people who judge it: their features, and their twins'."""

    head: Head
    features: FeatureSet
    pairs: CounterfactualPairs
    placebo: CounterfactualPairs | None = None
    validation: FeatureSet | None = None
    """Validation people as the head reads them, who say how sure it should be; None: nothing is calibrated."""

    def calibrated(self) -> Candidate:
        """The same as sure as it is right of its validation people."""
        assert self.validation is not None, "asked only where validation people were given"
        return replace(self, head=tempered(self.head, head_temperature(self.head, self.validation)))

    def __repr__(self) -> str:
        beside = "" if self.placebo is None else f"{count(len(self.placebo))} placebo pairs"
        return one_line(self, f"{count(len(self.features))} people", f"{self.pairs!r}", beside)


@dataclass(frozen=True, eq=False)
class Answered:
    """People and twins with a head that is only asked for answers."""

    head: Answering
    features: FeatureSet
    pairs: CounterfactualPairs
    placebo: CounterfactualPairs | None = None


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
    _check_same_people(before, after)
    features, pairs = before.features, before.pairs
    paired, place = _places(features.rows, pairs.rows)
    predicted = [predictions(end.head, end.features.features) for end in ends]
    right = [p == features.labels for p in predicted]
    flips = [_spread_out(pair_flips(end.head, end.pairs), place, len(features)) for end in ends]
    everyone = np.ones(len(features), dtype=bool)
    changes = mean_changes(
        [_distance_row(ends), ("flips", paired, *flips), ("accuracy", everyone, *right)]
        + ([] if before.placebo is None else [_excess(ends)])
    )
    gap = None if measure == "counterfactual" else _gap_changes([ends], dataset, measure)[0]
    kinds, groups, crossed = _group_changes(dataset, features, pairs.attribute, right)
    cells = _cells(dataset, features, pairs.attribute)
    return Comparison(
        attribute=pairs.attribute,
        bias=changes[0],
        flips=changes[1],
        accuracy=changes[2],
        aligned_accuracy=kinds[0],
        conflicting_accuracy=kinds[1],
        groups=_called(dataset, sorted((*kinds, *groups), key=losers_first)),
        intersections=_called(dataset, sorted(crossed, key=losers_first)),
        cells=_called(dataset, rate_changes(cells, *right)),
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

    Examples
    --------
    >>> after = path.suggested.result.head
    >>> fmd.bias_changes(model.head, after, data, people["test"], [(twins["test"], None)])
    [Change(counterfactual bias of colour: 64.1 to 14.1, −50.0 points (...), n = 450)]
    """
    if measure == "counterfactual":
        return twin_bias_changes(*(twin_biases(Told(head), features, twins) for head in (before, after)))
    was, now = Told(before), Told(after)  # all attributes ask the same people
    both = [(Answered(was, features, *given), Answered(now, features, *given)) for given in twins]
    return candidate_biases(both, dataset, measure)


def candidate_biases(
    both: Sequence[tuple[Judged, Judged]],
    dataset: AttributeDataset,
    measure: Measure = "counterfactual",
) -> list[Change]:
    """The same of two models that read different features: before and after by each attribute.

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
        _check_same_people(was, now)
    if measure != "counterfactual":
        found = _gap_changes(both, dataset, measure)
    else:
        found = mean_changes([_twins_row((was, now)) for was, now in both])
    names = [was.pairs.attribute for was, _ in both]
    return [replace(change, group=name) for change, name in zip(found, names, strict=True)]


def _check_same_people(before: Judged, after: Judged) -> None:
    """Refuse two candidates who were not judged by the same people and twins."""
    same = [
        np.array_equal(getattr(was, side), getattr(now, side))
        for was, now in ((before.features, after.features), (before.pairs, after.pairs))
        for side in ("rows", "labels")
    ]
    if not all(same) or (before.placebo is None) != (after.placebo is None):
        raise DataError("The two models were not judged on the same people and twins; pair them alike.")


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
    if (few := min(len(people) for people in guards if people is not None)) < MIN_PEOPLE:
        unknown = Estimate.unknown(few)
        return Change("calibrated bias", "", unknown, unknown, unknown)
    even = ends[0].calibrated(), ends[1].calibrated()
    is_gap = measure != "counterfactual"
    found = _gap_changes([even], dataset, measure)[0] if is_gap else mean_changes([_twins_row(even)])[0]
    return replace(found, name=f"calibrated {found.name}")


def _gap_changes(
    both: Sequence[tuple[Judged, Judged]], dataset: AttributeDataset, measure: Measure
) -> list[Change]:
    """The gap between groups before and after, in the direction that each has, from one product of all resamples."""
    name, asked = f"{measure} gap", [_gaps_or_why(ends, dataset, measure) for ends in both]
    known = [gaps if isinstance(gaps, Estimate) else list(zip(ends, gaps, strict=True))
             for ends, gaps in zip(both, asked, strict=True)]  # fmt: skip
    tables = [gap_table((end.head,), gap) for sides in known if isinstance(sides, list) for end, gap in sides]
    draws = iter(joint_bootstrap_means(tables))

    def change(sides: list[tuple[Judged, GroupGap]] | Estimate) -> Change:
        if isinstance(sides, Estimate):
            return Change(name, "", sides, sides, sides)
        signed = [gap.signed(end.head) for end, gap in sides]
        # the same people are drawn for both: the difference is a paired one
        raw = [gaps_drawn(next(draws))[0] for _ in sides]
        own = [(np.sign(s) or 1.0) * d for s, d in zip(signed, raw, strict=True)]
        n = sides[0][1].n_counted
        was, now = (estimate_from_draws(abs(s), d, n) for s, d in zip(signed, own, strict=True))
        moved = estimate_from_draws(abs(signed[1]) - abs(signed[0]), own[1] - own[0], n)
        return Change(name, "", was, now, moved)

    return [change(sides) for sides in known]


def _gaps_or_why(
    ends: tuple[Judged, Judged], dataset: AttributeDataset, measure: Measure
) -> tuple[GroupGap, GroupGap] | Estimate:
    """The gap of either end, or an estimate that says why there is none."""
    attribute = ends[0].pairs.attribute
    try:
        was, now = (GroupGap.of(dataset, end.features, attribute, measure) for end in ends)
    except DataError as error:  # nobody of one group: this attribute has no figure, the others may have
        return Estimate.refused(str(error))
    people = min(gap_people(was))
    return Estimate.unknown(people) if people < MIN_PEOPLE else (was, now)


def _places(people: Array, some: Array) -> tuple[Array, Array]:
    """Which of `people` (n,) are among `some` (m,), as a mask (n,), and where each of `some` stands."""
    order = np.argsort(people, kind="stable")
    place = order[np.minimum(np.searchsorted(people, some, sorter=order), len(people) - 1)]
    if not np.array_equal(people[place], some):
        raise DataError("The counterfactual pairs hold people who are not among the features.")
    paired = np.zeros(len(people), dtype=bool)
    paired[place] = True
    return paired, place


def _excess(ends: tuple[Judged, Judged]) -> tuple[str, Array, Array, Array]:
    """B beyond the placebo's, before and after, on the people who have both twins."""
    first = ends[0]
    assert first.placebo is not None
    rows, own, other = np.intersect1d(first.pairs.rows, first.placebo.rows, return_indices=True)
    both, place = _places(first.features.rows, rows)

    def beyond(end: Judged) -> Array:
        assert end.placebo is not None
        placebo = np.abs(pair_differences(end.head, end.placebo))[other]
        gap: Array = np.abs(pair_differences(end.head, end.pairs))[own] - placebo
        return _spread_out(gap, place, len(first.features))

    return "excess over placebo", both, beyond(first), beyond(ends[1])


def _spread_out(values: Array, place: Array, n: int) -> Array:
    """`values` (m,) of some people at their places among all n; the others' places stay empty."""
    spread = np.zeros(n, dtype=values.dtype)
    spread[place] = values
    return spread


def changed_examples(comparison: Comparison, labels: Array, most: int) -> Array:
    """Positions of at most `most` samples whose answer changed, those that lost a right answer last.

    Half are losses if there are that many, so that a few losses are not drowned by many gains.
    `labels` (n,) is the true class of each sample in the comparison.
    """
    changed = comparison.changed
    had_it_right = comparison.predicted_before[changed] == labels[changed]
    lost, others = changed[had_it_right], changed[~had_it_right]
    lost = _spread(lost, max(most // 2, most - len(others)))
    return np.concatenate([_spread(others, most - len(lost)), lost])


def _spread(positions: Array, most: int) -> Array:
    """At most `most` of the positions, evenly spread over them."""
    count = min(most, len(positions))
    return positions[np.arange(count) * len(positions) // max(count, 1)]


def outcome(truth: int, before: int, after: int) -> str:
    """What a changed answer means for its sample: one of OUTCOMES."""
    if after == truth:
        return OUTCOMES[0]
    return OUTCOMES[1] if before == truth else OUTCOMES[2]


USUAL = ("{} usual for the class", "{} unusual for the class")
"""What those are called who go with and against the pattern, by the name of the attribute."""


def _group_changes(
    dataset: AttributeDataset, features: FeatureSet, attribute: str, right: Sequence[Array]
) -> tuple[list[Change], list[Change], list[Change]]:
    """Accuracy with and against the pattern, of every class and level, and of those who share two."""
    aligned = dataset.bias_aligned(attribute)[features.rows]
    kinds: list[Group] = [
        (f"{attribute} with the pattern", aligned, ()),
        (f"{attribute} against the pattern", ~aligned, ()),
    ]
    columns = [_levels(column, features) for column in (dataset.target, *dataset.attributes.values())]
    singles = [group for column in columns for group in column]
    crossed = [
        group
        for left, right_ in combinations(columns, 2)
        for group in _crossed(left, right_)
        if group[1].sum() >= MIN_PEOPLE
    ]
    name = attribute_name(dataset, attribute)
    changes = rate_changes([*kinds, *singles], *right)
    for place, words in enumerate(USUAL):
        changes[place] = replace(changes[place], called=words.format(name))
    # a family of their own: hundreds of small groups should not hide what happens to a large one
    return changes[: len(kinds)], changes[len(kinds) :], rate_changes(crossed, *right) if crossed else []


def _levels(column: Column, features: FeatureSet) -> list[Group]:
    """Who has each level of a column."""
    codes = column.codes[features.rows]
    return [
        (f"{column.name}: {level}", codes == code, ((column.name, level),))
        for code, level in enumerate(column.levels)
    ]


def _crossed(left: Sequence[Group], right: Sequence[Group]) -> list[Group]:
    """Who belongs to one of the left and to one of the right."""
    return [
        (f"{first[0]}, {second[0]}", first[1] & second[1], (*first[2], *second[2]))
        for first, second in product(left, right)
    ]


def _called(dataset: AttributeDataset, changes: Sequence[Change]) -> tuple[Change, ...]:
    """The same changes with their people in the data's own words."""

    def words(change: Change) -> str:
        members = [Member(*shared) for shared in change.properties]
        return group_name(dataset, members) if members else ""

    return tuple(replace(change, called=change.called or words(change)) for change in changes)


def _cells(dataset: AttributeDataset, features: FeatureSet, attribute: str) -> list[Group]:
    """Everybody by class and level of the attribute."""
    return _crossed(_levels(dataset.target, features), _levels(dataset.attribute(attribute), features))


def _confusion(labels: Array, predicted: Array, n_classes: int) -> Array:
    counts = np.zeros((n_classes, n_classes), dtype="int64")
    np.add.at(counts, (labels, predicted), 1)
    return frozen_array(counts)
