"""What the `iterated` strategy minimises: external people who should be answered right, and twins or
groups who should be answered alike.

    twins     mean_i w_a L(c_i) + w_b L(c̄_i)  and  strength/2 |W (c_i - c̄_i)|^2
    groups    mean_i L(x_i)                    and  strength/2 |W (mean of usual - mean of others)|^2

with `anchor`/2 |theta - theta0|^2 to hold the head to the original. Equal mean logits stand in for
equal mean probabilities, so that the problem stays convex. Of several attributes the mean counts.
"""

from __future__ import annotations

import numpy as np

from fmd_core.data import Array, FeatureSet, group_codes
from fmd_core.errors import DataError
from fmd_core.heads.fitting import ConvexProblem
from fmd_core.measure.bias_functions import BiasFunction, CounterfactualBias, GroupGap
from fmd_core.twins.pairs import CounterfactualPairs

SIDE_WEIGHTS = (0.25, 0.75)  # favoured and other side of a pair in the iterated objective
ANCHOR = 1e-3
FEW_PAIRS = 200  # below this the iterated form is anchored ten times harder
MANY_PAIRS = 500  # beyond this the anchor gives way in proportion
MATCHED_ANCHOR = 0.1  # real twins differ in more than the attribute (0.01 to 0.1 were tried on CelebA)


def unlearning_problem(bias: BiasFunction, train: FeatureSet) -> ConvexProblem:
    """The convex problem on the external people behind `bias`; its damping is the anchor."""
    from scipy.sparse import block_diag  # slow to import

    parts = [_part(part, train) for part in bias.parts]
    share = 1 / len(parts)
    return ConvexProblem(
        features=np.concatenate([part.features for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        weights=share * np.concatenate([part.weights for part in parts]),
        damping=max(part.damping for part in parts),
        contrasts=block_diag([part.contrasts for part in parts], format="csr"),
        contrast_weights=share * np.concatenate([part.contrast_weights for part in parts]),
    )


def _part(bias: BiasFunction, train: FeatureSet) -> ConvexProblem:
    if isinstance(bias, CounterfactualBias):
        return _twins(bias, train)
    if isinstance(bias, GroupGap):
        return _groups(bias, train)
    raise DataError(f"A bias of the kind '{bias.measure}' compares neither twins nor two groups.")


def _twins(bias: CounterfactualBias, train: FeatureSet) -> ConvexProblem:
    from scipy.sparse import eye, hstack

    pairs = bias.pairs
    weights, each = pair_weights(pairs, train), eye(len(pairs), format="csr")
    return ConvexProblem(
        features=np.concatenate([pairs.favoured.features, pairs.other.features]),
        labels=np.tile(pairs.labels, 2),
        weights=np.concatenate([share * weights for share in SIDE_WEIGHTS]),
        damping=_anchor(len(pairs), matched=pairs.method == "matched"),
        contrasts=hstack([each, -each], format="csr"),
        contrast_weights=weights,
    )


def _groups(bias: GroupGap, train: FeatureSet) -> ConvexProblem:
    from scipy.sparse import csr_matrix

    usual, others = bias.sides
    both = usual.any(axis=0) & others.any(axis=0)  # an answer that one group never has compares nothing
    usual, others = usual[:, both], others[:, both]
    counted = (usual | others).sum(axis=0)
    return ConvexProblem(
        features=bias.features.features,
        labels=bias.features.labels,
        weights=class_weights(bias.features.labels, train),
        damping=_anchor(len(bias), matched=False),
        contrasts=csr_matrix((usual / usual.sum(axis=0) - others / others.sum(axis=0)).T),
        contrast_weights=counted / counted.sum(),
    )


def pair_weights(pairs: CounterfactualPairs, train: FeatureSet) -> Array:
    """How much each pair counts, (m,), summing to 1: a class as much as it does in training, however
    many pairs it has.

    Among real people who were matched, a rare group's few members are the twins of many others, so
    there every class and attribute level counts the same.
    """
    if pairs.method == "matched":
        return balanced_weights(group_codes(pairs.labels, pairs.own_codes))
    return class_weights(pairs.labels, train)


def class_weights(labels: Array, train: FeatureSet) -> Array:
    """Weights (n,) that sum to 1 and let each class in `labels` (n,) count as much as it does in training."""
    found, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    shares = np.array([(train.labels == label).mean() for label in found])
    if not shares.any():
        raise DataError("No class of the external people occurs in training; they belong to other data.")
    return (shares / counts)[places] / shares.sum()


def balanced_weights(groups: Array) -> Array:
    """Weights (n,) that sum to 1 and give every group that occurs the same total."""
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return 1 / (len(counts) * counts[inverse])


def _anchor(n: int, *, matched: bool) -> float:
    """How hard the head is held to the original: harder, the less the n pairs or people can be relied on."""
    if matched:
        return MATCHED_ANCHOR
    if n < FEW_PAIRS:
        return 10 * ANCHOR
    return ANCHOR * min(1.0, MANY_PAIRS / n)
