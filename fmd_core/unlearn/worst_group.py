"""What serves the worst group better: groups that are answered badly come to count more, by group-tilted losses.

    min over theta of  1/t log sum_g pi_g exp(t L_g(theta)) + damping/2 |theta - anchor|^2

over training and external people: L_g is the mean cross-entropy of group g, a class and a level, and pi_g its share of
the people. t = 0 counts everybody alike; the larger t, the more the worst group alone counts (Li et al., Tilted
Empirical Risk Minimization, ICLR 2021, arXiv 2007.01162, section 4; the worst group alone is what Sagawa et al., ICLR
2020, ask for). Convex for a linear head.
"""

from __future__ import annotations

import numpy as np

from fmd_core.data import Array, FeatureSet, group_codes
from fmd_core.errors import SolverError
from fmd_core.heads.protocol import Head
from fmd_core.measure.bias_functions import BiasFunction
from fmd_core.measure.worst_group import WorstGroup
from fmd_core.method import Mover
from fmd_core.unlearn.objective import ANCHOR

TILT = 2.0  # t at strength 1; validation people of CelebA are served best, at a point of accuracy, by t = 6
MOST_STEPS = 2_000
ENOUGH = 1e-6  # share of the loss that a step must gain: smaller ones moved no suggestion, and cost three times as much


def is_worst_group(bias: BiasFunction) -> bool:
    """Whether the worst group is to be served better."""
    return all(isinstance(part, WorstGroup) for part in bias.parts)


def worst_group_mover(
    head: Head, bias: BiasFunction, train: FeatureSet, *, anchor: Array | None = None, damping: float = ANCHOR
) -> Mover:
    """Moves a head towards serving the worst group of each attribute better; `anchor` (p,) is the head itself where
    none is given. Raises SolverError, which names the damping, where no minimum is found."""
    held = head.theta if anchor is None else anchor
    tilted = _Tilted(bias, train, held, damping)
    return Mover(lambda strength, start: tilted.fitted(start, TILT * strength) if strength else head)


class _Tilted:
    """The problem on training and external people, who are in one group by each attribute."""

    def __init__(self, bias: BiasFunction, train: FeatureSet, anchor: Array, damping: float) -> None:
        parts = [part for part in bias.parts if isinstance(part, WorstGroup)]
        people = FeatureSet.joined([train, parts[0].features])
        self.features, self.labels = people.features.astype("float64"), people.labels
        self.anchor, self.damping = anchor, damping
        codes = [group_codes(people.labels, part.codes[people.rows]) for part in parts]
        self.groups = [np.unique(own, return_inverse=True)[1] for own in codes]
        self.sizes = [np.bincount(own) for own in self.groups]
        self.shares = np.concatenate(self.sizes) / np.concatenate(self.sizes).sum()

    def fitted(self, start: Head, tilt: float) -> Head:
        """The minimum at one tilt, searched from `start`."""
        from scipy.optimize import minimize  # slow to import

        begun = start.theta

        def loss(theta: Array) -> tuple[float, Array]:
            return self._loss(start.moved(theta - begun), theta, tilt)

        found = minimize(
            loss, begun, jac=True, method="L-BFGS-B", options={"maxiter": MOST_STEPS, "ftol": ENOUGH}
        )
        if not found.success or not np.isfinite(found.fun):
            raise SolverError(
                f"No head was found that serves the worst group better with damping = {self.damping:g} at tilt "
                f"{tilt:g} ({found.message}); use another strategy, or a larger damping."
            )
        return start.moved(found.x - begun)

    def _loss(self, head: Head, theta: Array, tilt: float) -> tuple[float, Array]:
        losses = head.losses(self.features, self.labels)
        means = np.concatenate(
            [np.bincount(own, losses) / n for own, n in zip(self.groups, self.sizes, strict=True)]
        )
        scores = np.log(self.shares) + tilt * means
        total = np.logaddexp.reduce(scores)
        counted = np.split(np.exp(scores - total), np.cumsum([len(n) for n in self.sizes])[:-1])
        weights = sum((q / n)[own] for q, own, n in zip(counted, self.groups, self.sizes, strict=True))
        away = theta - self.anchor
        slope = head.loss_gradient(self.features, self.labels, np.asarray(weights)) + self.damping * away
        return float(total / tilt + self.damping / 2 * away @ away), slope
