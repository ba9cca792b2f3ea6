"""What unlearning is measured against: a last layer fitted afresh to the same pairs, and answers
that are averaged over every value of the attribute."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.bias_functions import predictions
from fmd_core.counterfactual import CounterfactualPairs
from fmd_core.data import Array, AttributeDataset, FeatureSet, ignore_progress
from fmd_core.errors import SolverError
from fmd_core.heads import Head, LinearHead
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoding import encode_rows
from fmd_core.objective import balanced_weights
from fmd_core.solvers.fitting import ConvexProblem, fit_head

if TYPE_CHECKING:
    from fmd_core.networks.feature_store import FeatureStore

DAMPINGS = (1e-2, 1e-3, 1e-4, 1e-5)
"""What a refit is tried with; validation people choose."""


def refit_on_pairs(head: Head, pairs: Sequence[CounterfactualPairs], *, damping: float) -> Head:
    """Deep feature reweighting: the last layer fitted afresh to both sides of the pairs, every group of class
    and attribute level counting equally (Kirichenko et al., ICLR 2023, arXiv 2204.02937); of several
    attributes each counts the same.

    Of the last layer only the shape is used. Raises SolverError when `damping` is too small for the features.
    """
    parts = []
    for p in pairs:
        truth, levels = np.tile(p.labels, 2), np.concatenate([p.favoured_codes, p.other_codes])
        both = np.concatenate([p.favoured.features, p.other.features])
        parts.append((both, truth, balanced_weights(group_codes(truth, levels)) / len(pairs)))
    features, labels, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
    blank = LinearHead(np.zeros_like(head.last.weight), np.zeros_like(head.last.bias))
    return head.with_last(fit_head(blank, ConvexProblem(head.hidden(features), labels, weights, damping)))


def most_even(heads: Sequence[Head], people: FeatureSet, groups: Array) -> Head:
    """The head with the best accuracy when every group counts equally; `groups` (n,) is that of each
    of the `people`. Not the worst group's accuracy: in the smallest one that is a handful of people."""
    weights = balanced_weights(groups)
    return max(heads, key=lambda head: weights @ (predictions(head, people.features) == people.labels))


def refits_on_pairs(head: Head, pairs: Sequence[CounterfactualPairs]) -> Iterator[tuple[Head, float]]:
    """`refit_on_pairs` at every one of DAMPINGS that can be solved."""
    for damping in DAMPINGS:
        try:
            yield refit_on_pairs(head, pairs, damping=damping), damping
        except SolverError:  # too small for these features; the largest always has an answer
            if damping == DAMPINGS[0]:
                raise


def averaged_answers(
    classifier: Classifier,
    dataset: AttributeDataset,
    rows: Array,
    attribute: str,
    *,
    store: FeatureStore | None = None,
    progress: Callable[[float], None] = ignore_progress,
) -> Array:
    """Most likely class of `rows` when P(class) is averaged over every level of `attribute`, (n,).

    Both twins of a pair get the same average, so B is 0 by construction: no fix of the head can do
    better. Raises DataError where the data set cannot change the attribute.
    """
    n_levels = len(dataset.attribute(attribute).levels)
    total = np.zeros((len(rows), classifier.head.n_classes))
    for level in range(n_levels):
        progress(level / n_levels)
        codes = np.full(len(rows), level)
        features = encode_rows(classifier, dataset, rows, attribute=attribute, codes=codes, store=store)
        total += classifier.head.probabilities(features)
    return np.argmax(total, axis=1)


def group_codes(labels: Array, levels: Array) -> Array:
    """A number for each combination of class and attribute level, (n,)."""
    return labels * (1 + int(levels.max(initial=0))) + levels


@dataclass(frozen=True)
class GroupAccuracy:
    """Accuracy of the people of one class who show one attribute level."""

    label: int
    level: int
    accuracy: float
    people: int


def worst_group(right: Array, labels: Array, levels: Array, *, least: int) -> GroupAccuracy | None:
    """The group of class and attribute level with the lowest accuracy, of those with at least `least`
    people; None when there is no such group. `right` (n,) says whose answer is right."""
    found = []
    for label, level in sorted(set(zip(labels.tolist(), levels.tolist(), strict=True))):
        inside = (labels == label) & (levels == level)
        if (n := int(inside.sum())) >= least:
            found.append(GroupAccuracy(label, level, float(right[inside].mean()), n))
    return min(found, key=lambda group: group.accuracy, default=None)
