"""Which training samples taught the bias.

    I(z) = - grad B' (H + damping I)^-1 grad L(z)          (Chen et al. 2023; Koh & Liang 2017)

Removing z from the n training samples changes B by -I(z) / n to first order. One solve gives
S = (H + damping I)^-1 grad B; scoring all samples is then one matrix product, because the
gradient of a linear head is an outer product of error and features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fmd_core.bias import counterfactual_bias, counterfactual_bias_gradient
from fmd_core.counterfactual import CounterfactualPairs
from fmd_core.curvature import Curvature
from fmd_core.data import Array, FeatureSet, frozen_array
from fmd_core.errors import DataError
from fmd_core.heads import Head


@dataclass(frozen=True, eq=False)
class InfluenceScores:
    """What removing each training sample would do to the bias."""

    attribute: str
    removal_effect: Array
    """(n,) predicted change of B, in probability; below 0: removing lowers B, so harmful."""
    rows: Array  # (n,) row of each training sample in its data set
    bias: float  # B on the pairs that the scores refer to

    def __post_init__(self) -> None:
        object.__setattr__(self, "removal_effect", frozen_array(self.removal_effect, "float64"))

    def most_harmful(self, k: int) -> Array:
        """Positions of the k samples whose removal lowers B most, worst first, (k,)."""
        return self._ranked(k, self.removal_effect)

    def most_helpful(self, k: int) -> Array:
        """Positions of the k samples whose removal raises B most, strongest first, (k,)."""
        return self._ranked(k, -self.removal_effect)

    def _ranked(self, k: int, keys: Array) -> Array:
        n = len(keys)
        if not 0 <= k <= n:
            raise DataError(f"K = {k} is not possible: choose K between 0 and the {n} training samples.")
        return np.argsort(keys, kind="stable")[:k]


def bias_influence(
    head: Head, train: FeatureSet, pairs: CounterfactualPairs, curvature: Curvature
) -> InfluenceScores:
    """Score every training sample by its effect on the counterfactual bias on `pairs`.

    Exact for a convex head fitted to convergence with weight decay equal to the damping.
    """
    if curvature.head_fingerprint != head.fingerprint:
        raise DataError("This curvature belongs to another head; call fit_curvature for the head at hand.")
    solution = curvature.solve(counterfactual_bias_gradient(head, pairs))
    effect = head.gradient_products(train.features, train.labels, solution) / len(train)
    return InfluenceScores(pairs.attribute, effect, train.rows, counterfactual_bias(head, pairs))
