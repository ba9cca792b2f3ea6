"""Before and after unlearning, on people who had no part in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import bdtr

from fmd_core.bias import pair_flips, predictions
from fmd_core.bias_functions import pair_differences
from fmd_core.counterfactual import CounterfactualPairs
from fmd_core.data import Array, AttributeDataset, FeatureSet, frozen_array
from fmd_core.errors import DataError
from fmd_core.heads import Head
from fmd_core.intervals import MIN_PEOPLE, Estimate, bootstrap_means, estimate_from_draws, rate_estimate

Verdict = Literal["improved", "improved at a cost", "no evidence", "worse", "unchanged"]
SIGNIFICANCE = 0.05
OUTCOMES = ("now right", "now wrong", "wrong both times")


@dataclass(frozen=True)
class Change:
    """One quantity before and after; `difference` is after minus before, paired by person."""

    name: str
    group: str  # "" for everyone, else "usual attribute" or "column: level"
    before: Estimate
    after: Estimate
    difference: Estimate
    p_value: float | None = None
    """Exact McNemar test of the people who changed sides; None for figures that are no rates."""

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the difference is more than chance: by McNemar's test for rates, else by its interval."""
        if self.p_value is not None:
            return self.p_value < SIGNIFICANCE
        return self.difference.excludes_zero

    @property
    def fell(self) -> bool:
        """Lower after than before, and not by chance."""
        return self.is_beyond_chance and (self.difference.value or 0) < 0


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
    """Accuracy by bias-aligned or not, class and attribute level: largest loss first, unmeasurable last."""
    confusion_before: Array  # (K, K) counts, rows true class, columns answer
    confusion_after: Array
    rows: Array  # (n,) row of each person in the data set
    predicted_before: Array  # (n,)
    predicted_after: Array  # (n,)
    excess: Change | None = None
    """Bias minus that of placebo twins, for matched twins only."""

    @property
    def judged(self) -> Change:
        """The change that the verdict rests on: of the excess where there is a placebo, else of B."""
        return self.bias if self.excess is None else self.excess

    @property
    def changed(self) -> Array:
        """Positions of the people whose answer changed, (c,)."""
        return np.flatnonzero(self.predicted_before != self.predicted_after)

    @property
    def verdict(self) -> Verdict:
        """Did the bias fall beyond its interval, and did overall accuracy pay for it?"""
        difference = self.judged.difference
        if difference.value == 0 and len(self.changed) == 0:
            return "unchanged"
        if not difference.excludes_zero or difference.value is None:
            return "no evidence"
        if difference.value > 0:
            return "worse"
        return "improved at a cost" if self.accuracy.fell else "improved"

    @property
    def losers(self) -> tuple[Change, ...]:
        """Groups whose accuracy fell by more than chance."""
        return tuple(c for c in self.groups if c.fell)


def compare(
    before: Head,
    after: Head,
    dataset: AttributeDataset,
    features: FeatureSet,
    pairs: CounterfactualPairs,
    placebo: CounterfactualPairs | None = None,
) -> Comparison:
    """Compare two heads on the same people: everyone in `pairs` must be among `features`."""
    paired, place = _places(features.rows, pairs.rows)
    heads = (before, after)
    predicted = [predictions(head, features.features) for head in heads]
    right = [p == features.labels for p in predicted]
    aligned = dataset.bias_aligned(pairs.attribute)[features.rows]
    everyone = np.ones(len(features), dtype=bool)
    gaps = [_spread_out(np.abs(pair_differences(head, pairs)), place, len(features)) for head in heads]
    flips = [_spread_out(pair_flips(head, pairs), place, len(features)) for head in heads]
    beyond = [] if placebo is None else [_excess(heads, features, pairs, placebo)]
    kinds = [(f"usual {pairs.attribute}", aligned), (f"unusual {pairs.attribute}", ~aligned)]
    changes = _changes(
        [("counterfactual bias", "", paired, *gaps), ("flips", "", paired, *flips)]
        + [("accuracy", "", everyone, *right)]
        + [("accuracy", name, mask, *right) for name, mask in (*kinds, *_groups(dataset, features))]
        + beyond
    )
    groups = changes[3 : len(changes) - len(beyond)]
    return Comparison(
        attribute=pairs.attribute,
        bias=changes[0],
        flips=changes[1],
        accuracy=changes[2],
        aligned_accuracy=changes[3],
        conflicting_accuracy=changes[4],
        groups=tuple(sorted(groups, key=_largest_loss_first)),
        excess=changes[-1] if beyond else None,
        confusion_before=_confusion(features.labels, predicted[0], before.n_classes),
        confusion_after=_confusion(features.labels, predicted[1], before.n_classes),
        rows=features.rows,
        predicted_before=frozen_array(predicted[0]),
        predicted_after=frozen_array(predicted[1]),
    )


def _places(people: Array, some: Array) -> tuple[Array, Array]:
    """Which of `people` (n,) are among `some` (m,), as a mask (n,), and where each of `some` stands."""
    order = np.argsort(people, kind="stable")
    place = order[np.minimum(np.searchsorted(people, some, sorter=order), len(people) - 1)]
    if not np.array_equal(people[place], some):
        raise DataError("The counterfactual pairs hold people who are not among the features.")
    paired = np.zeros(len(people), dtype=bool)
    paired[place] = True
    return paired, place


def _excess(
    heads: tuple[Head, Head], features: FeatureSet, pairs: CounterfactualPairs, placebo: CounterfactualPairs
) -> tuple[str, str, Array, Array, Array]:
    """B beyond the placebo's, before and after, on the people who have both twins."""
    rows, own, other = np.intersect1d(pairs.rows, placebo.rows, return_indices=True)
    both, place = _places(features.rows, rows)
    gaps = [
        np.abs(pair_differences(head, pairs))[own] - np.abs(pair_differences(head, placebo))[other]
        for head in heads
    ]
    before, after = (_spread_out(gap, place, len(features)) for gap in gaps)
    return "excess over placebo", "", both, before, after


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


def _groups(dataset: AttributeDataset, features: FeatureSet) -> Iterator[tuple[str, Array]]:
    """Every class and every attribute level as a mask over the people."""
    for column in (dataset.target, *dataset.attributes.values()):
        codes = column.codes[features.rows]
        for code, level in enumerate(column.levels):
            yield f"{column.name}: {level}", codes == code


def _changes(rows: list[tuple[str, str, Array, Array, Array]]) -> list[Change]:
    """All changes from one bootstrap: every mean over a group is a ratio of two column means."""
    masks = np.stack([row[2] for row in rows], axis=1).astype("float64")  # (n, m)
    before = np.stack([row[3] for row in rows], axis=1) * masks
    after = np.stack([row[4] for row in rows], axis=1) * masks
    m, people = len(rows), masks.sum(axis=0).astype(int)
    gained, lost = (np.maximum(sign * (after - before), 0).sum(axis=0) for sign in (1, -1))
    p_values = np.minimum(1, 2 * bdtr(np.minimum(gained, lost), (gained + lost).astype(int), 0.5))
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = bootstrap_means(np.hstack([masks, before, after]))
        size = draws[:, :m]
        sides = [draws[:, m : 2 * m] / size, draws[:, 2 * m :] / size]
        values = [side.sum(axis=0) / people for side in (before, after)]

    def change(j: int) -> Change:
        name, group, n = rows[j][0], rows[j][1], int(people[j])
        if n < MIN_PEOPLE:
            unknown = Estimate.unknown(n)
            return Change(name, group, unknown, unknown, unknown)
        kept = size[:, j] > 0
        moved = estimate_from_draws(float(values[1][j] - values[0][j]), (sides[1] - sides[0])[kept, j], n)
        if rows[j][3].dtype == bool:  # a rate: Wilson's interval, as everywhere else
            ends = [rate_estimate(int(side[:, j].sum()), n) for side in (before, after)]
            return Change(name, group, ends[0], ends[1], moved, float(p_values[j]))
        ends = [estimate_from_draws(float(values[i][j]), sides[i][kept, j], n) for i in (0, 1)]
        return Change(name, group, ends[0], ends[1], moved)

    return [change(j) for j in range(m)]


def _largest_loss_first(change: Change) -> tuple[bool, float]:
    return change.difference.value is None, change.difference.value or 0.0


def _confusion(labels: Array, predicted: Array, n_classes: int) -> Array:
    counts = np.zeros((n_classes, n_classes), dtype="int64")
    np.add.at(counts, (labels, predicted), 1)
    return frozen_array(counts)
