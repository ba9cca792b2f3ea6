"""Machine unlearning: four strategies that move a head away from a bias.

The published single steps (Chen et al. 2023) move the head once along H^-1 g, with g from

    paper-remove     the top-K harmful samples:                    sum grad L(z) / n
    paper-replace    those that have one, against their twins:     sum (grad L(z) - grad L(z̄)) / n
    paper-external   external pairs, no training sample needed:    mean (grad L(c) - grad L(c̄))

and strength is the share of that step, itself shortened to the trust radius (`step_share`).
`iterated`, the default, minimises over the head

    mean_i w_a L(c_i) + w_b L(c̄_i) + strength/2 |W (c_i - c̄_i)|^2 + anchor/2 |theta - theta0|^2

over the external pairs, which count as `pair_weights` says; the anchor is ANCHOR, more for few or
matched pairs and less for many. Strength 0 (or K = 0 for the two that use
K) returns the very same head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from fmd_core.counterfactual import CounterfactualPairs
from fmd_core.curvature import Curvature
from fmd_core.data import Array, FeatureSet
from fmd_core.errors import DataError
from fmd_core.fitting import ConvexProblem, fit_head
from fmd_core.heads import LinearHead
from fmd_core.influence import InfluenceScores

StrategyName = Literal["iterated", "paper-remove", "paper-replace", "paper-external"]
STRATEGIES: tuple[StrategyName, ...] = get_args(StrategyName)
USES_K: frozenset[StrategyName] = frozenset({"paper-remove", "paper-replace"})
STRENGTHS: dict[StrategyName, tuple[float, ...]] = {
    "iterated": (0.01, 0.03, 0.1, 0.2, 0.3, 0.6, 1.0, 3.0, 10.0, 30.0),
    **dict.fromkeys(STRATEGIES[1:], (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)),
}
SIDE_WEIGHTS = (0.25, 0.75)  # favoured and other side of a pair in the iterated objective
ANCHOR = 1e-3
FEW_PAIRS = 200  # below this the iterated form is anchored ten times harder
MANY_PAIRS = 500  # beyond this the anchor gives way in proportion
MATCHED_ANCHOR = 0.1  # real twins differ in more than the attribute (0.01 to 0.1 were tried on CelebA)
TRUST_RADIUS = 1.0  # a single step never moves the head by more than its own length


@dataclass(frozen=True, eq=False)
class UnlearningInputs:
    """What decides the fix. Nothing in here may be used to judge it."""

    train: FeatureSet
    external: CounterfactualPairs
    curvature: Curvature
    scores: InfluenceScores
    train_pairs: CounterfactualPairs | None = None
    """The training samples' own twins, which paper-replace needs; samples without one stay as they are."""


@dataclass(frozen=True, eq=False)
class UnlearningResult:
    """A new head and how it was made. `head` is the original object when nothing was done."""

    head: LinearHead
    strategy: StrategyName
    strength: float
    k: int
    blend: float = 1.0  # share of the way from the original to the solution
    step_share: float = 1.0  # share of the published step that the trust region allows


def unlearn(
    head: LinearHead,
    inputs: UnlearningInputs,
    *,
    strategy: StrategyName = "iterated",
    strength: float = 0.1,
    k: int = 0,
) -> UnlearningResult:
    """One unlearning at one strength; `k` counts harmful samples where the strategy uses them.

    `head` itself is never changed. Without a guard: see `unlearning_path` for that.
    """
    check_request(inputs, strategy, strength, k)
    mover = prepare(head, inputs, strategy=strategy, k=k)
    return UnlearningResult(mover.move(strength, head), strategy, strength, k, step_share=mover.step_share)


@dataclass(frozen=True, eq=False)
class Mover:
    """One strategy made ready: the dear part is done, moving to a strength is cheap."""

    move: Callable[[float, LinearHead], LinearHead]
    """Head at a strength, searched from the given head; strength 0 gives the original object."""
    step_share: float = 1.0  # share of the published step that the trust region allows


def prepare(head: LinearHead, inputs: UnlearningInputs, *, strategy: StrategyName, k: int) -> Mover:
    """Do once what every strength needs."""
    if inputs.curvature.head_fingerprint != head.fingerprint:
        raise DataError("The curvature and scores belong to another head; make them for the head at hand.")
    if strategy in USES_K and k == 0:
        return Mover(lambda strength, start: head)  # noqa: ARG005
    if strategy == "iterated":
        return Mover(
            lambda strength, start: head if strength == 0 else _iterated(head, inputs, strength, start)
        )
    step = inputs.curvature.solve(_published_gradient(head, inputs, strategy, k))
    share = _trusted_share(head, step)
    return Mover(
        lambda strength, start: head if strength == 0 else head.moved(strength * share * step),  # noqa: ARG005
        share,
    )


def check_request(inputs: UnlearningInputs, strategy: str, strength: float, k: int) -> None:
    """Refuse a strategy, strength or K that makes no sense, in words."""
    if strategy not in STRATEGIES:
        raise DataError(f"Unknown strategy '{strategy}'. Choose one of: {', '.join(STRATEGIES)}.")
    if not (np.isfinite(strength) and strength >= 0):
        raise DataError(f"Strength must be a number of 0 or more, got {strength}.")
    if not 0 <= k <= len(inputs.train):
        raise DataError(
            f"K = {k} is not possible: choose K between 0 and the {len(inputs.train)} training samples."
        )


def _iterated(head: LinearHead, inputs: UnlearningInputs, strength: float, start: LinearHead) -> LinearHead:
    pairs, train = inputs.external, inputs.train
    from scipy.sparse import eye, hstack  # slow to import

    weights, each = pair_weights(pairs, train), eye(len(pairs), format="csr")
    problem = ConvexProblem(
        features=np.concatenate([pairs.favoured.features, pairs.other.features]),
        labels=np.tile(pairs.labels, 2),
        weights=np.concatenate([share * weights for share in SIDE_WEIGHTS]),
        damping=_anchor(pairs),
        contrasts=hstack([each, -each], format="csr"),
        contrast_weights=weights,
    )
    return fit_head(start, problem, anchor=head.theta, consistency=strength)


def pair_weights(pairs: CounterfactualPairs, train: FeatureSet) -> Array:
    """How much each pair counts, (m,), summing to 1: a class as much as it does in training, however
    many pairs it has.

    Among real people who were matched, a rare group's few members are the twins of many others, so
    there every class and attribute level counts the same.
    """
    if pairs.method == "matched":
        return balanced_weights(pairs.labels * (1 + int(pairs.own_codes.max())) + pairs.own_codes)
    labels, places, counts = np.unique(pairs.labels, return_inverse=True, return_counts=True)
    shares = np.array([(train.labels == label).mean() for label in labels])
    if not shares.any():
        raise DataError("No class of the external pairs occurs in training; they belong to other data.")
    return (shares / counts)[places] / shares.sum()


def balanced_weights(groups: Array) -> Array:
    """Weights (n,) that sum to 1 and give every group that occurs the same total."""
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return 1 / (len(counts) * counts[inverse])


def _anchor(pairs: CounterfactualPairs) -> float:
    """How hard the head is held to the original: harder, the less the pairs can be relied on."""
    if pairs.method == "matched":
        return MATCHED_ANCHOR
    if len(pairs) < FEW_PAIRS:
        return 10 * ANCHOR
    return ANCHOR * min(1.0, MANY_PAIRS / len(pairs))


def _trusted_share(head: LinearHead, step: Array) -> float:
    """The share of `step` (p,) that stays within the trust radius, at most 1."""
    reach = TRUST_RADIUS * float(np.linalg.norm(head.theta))
    length = float(np.linalg.norm(step))
    return 1.0 if length <= reach else reach / length


def _published_gradient(head: LinearHead, inputs: UnlearningInputs, strategy: StrategyName, k: int) -> Array:
    def total(samples: FeatureSet, scale: int) -> Array:
        return head.loss_gradient(samples.features, samples.labels, np.full(len(samples), 1 / scale))

    if strategy == "paper-external":
        m = len(inputs.external)
        return total(inputs.external.favoured, m) - total(inputs.external.other, m)
    worst, n = inputs.scores.most_harmful(k), len(inputs.train)
    if strategy == "paper-remove":
        return total(inputs.train.subset(worst), n)
    if inputs.train_pairs is None:
        raise DataError("paper-replace needs the training samples' own twins (train_pairs); give them.")
    with_twin = worst[np.isin(inputs.train.rows[worst], inputs.train_pairs.rows)]
    chosen = np.isin(inputs.train_pairs.rows, inputs.train.rows[with_twin])
    twins = inputs.train_pairs.counterparts.subset(chosen)
    return total(inputs.train.subset(with_twin), n) - total(twins, n)
