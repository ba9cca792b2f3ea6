"""Counterfactual bias, its gradient, and the audit of a model on held-out people.

    B(theta) = mean over pairs of | P(y | c) - P(y | c̄) |

0 means that changing only the attribute never changes the answer, 1 that it decides it
(Chen et al., NeurIPS 2023, section 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fmd_core.counterfactual import CounterfactualPairs
from fmd_core.data import Array, AttributeDataset, FeatureSet
from fmd_core.group_metrics import GroupMetrics, group_metrics
from fmd_core.heads import Head
from fmd_core.intervals import Estimate, mean_estimates, rate_estimate


def pair_differences(head: Head, pairs: CounterfactualPairs) -> Array:
    """P(y | favoured side) - P(y | other side) of every pair, (m,), in [-1, 1]."""
    pick = np.arange(len(pairs)), pairs.labels
    return head.probabilities(pairs.favoured.features)[pick] - head.probabilities(pairs.other.features)[pick]


def pair_flips(head: Head, pairs: CounterfactualPairs) -> Array:
    """Whether the answer differs between the two sides, (m,) bool."""
    return predictions(head, pairs.favoured.features) != predictions(head, pairs.other.features)


def counterfactual_bias(head: Head, pairs: CounterfactualPairs) -> float:
    """B in [0, 1]."""
    return float(np.abs(pair_differences(head, pairs)).mean())


def counterfactual_bias_gradient(head: Head, pairs: CounterfactualPairs) -> Array:
    """Gradient of B, (p,), in the head's coordinates. At a pair without any difference the
    absolute value has no slope; such a pair adds nothing."""
    weights = np.sign(pair_differences(head, pairs)) / len(pairs)
    return head.probability_gradient(
        pairs.favoured.features, pairs.labels, weights
    ) - head.probability_gradient(pairs.other.features, pairs.labels, weights)


def predictions(head: Head, features: Array) -> Array:
    """Most likely class of each sample, (n,)."""
    return np.argmax(head.probabilities(features), axis=1)


@dataclass(frozen=True)
class AttributeBias:
    """How much one attribute decides the answer."""

    attribute: str
    bias: Estimate
    """Counterfactual bias B, in [0, 1]."""
    flips: Estimate
    """Share of pairs where the answer itself changes."""
    aligned_accuracy: Estimate
    """Accuracy where the sample shows the level that is usual for its class."""
    conflicting_accuracy: Estimate
    metrics: GroupMetrics


@dataclass(frozen=True)
class BiasReport:
    """The audit of one head on one set of held-out people, worst attribute first."""

    accuracy: Estimate
    attributes: tuple[AttributeBias, ...]
    head_fingerprint: str


def audit_bias(
    head: Head, dataset: AttributeDataset, features: FeatureSet, pairs: Sequence[CounterfactualPairs]
) -> BiasReport:
    """Measure every attribute that has `pairs`, on the people in `features`.

    Pairs and features should come from people who had no part in training or in the fix.
    """
    predicted = predictions(head, features.features)
    right = predicted == features.labels
    found = [_audit_attribute(head, dataset, features, p, predicted) for p in pairs]
    return BiasReport(
        accuracy=rate_estimate(right.sum(), len(right)),
        attributes=tuple(sorted(found, key=lambda a: -(a.bias.value or 0))),
        head_fingerprint=head.fingerprint,
    )


def _audit_attribute(
    head: Head, dataset: AttributeDataset, features: FeatureSet, pairs: CounterfactualPairs, predicted: Array
) -> AttributeBias:
    codes = dataset.attribute(pairs.attribute).codes[features.rows]
    privileged = codes[:, None] == dataset.usual_level(pairs.attribute)
    aligned = dataset.bias_aligned(pairs.attribute)[features.rows]
    right = predicted == features.labels
    gaps = np.abs(pair_differences(head, pairs))
    return AttributeBias(
        attribute=pairs.attribute,
        bias=mean_estimates(gaps[:, None])[0],
        flips=rate_estimate(pair_flips(head, pairs).sum(), len(pairs)),
        aligned_accuracy=rate_estimate(right[aligned].sum(), int(aligned.sum())),
        conflicting_accuracy=rate_estimate(right[~aligned].sum(), int((~aligned).sum())),
        metrics=group_metrics(features.labels, predicted, privileged),
    )
