"""Machine unlearning: four strategies that move a head away from a bias.

The published single steps (Chen et al. 2023) move the head once along H^-1 g, with g from

    paper-remove     the top-K harmful samples:                    sum grad L(z) / n
    paper-replace    those that have one, against their twins:     sum (grad L(z) - grad L(z̄)) / n
    paper-external   external pairs, no training sample needed:    mean (grad L(c) - grad L(c̄))

and strength is the share of that step, itself shortened to the trust radius (`step_share`).
`iterated`, the default, minimises over the head

    mean_i w_a L(c_i) + w_b L(c̄_i) + strength/2 |W (c_i - c̄_i)|^2 + anchor/2 |theta - theta0|^2

over the external pairs; `fmd_core.objective` says how much each counts. Where the bias is a gap between
groups, `paper-external` steps along the gap's own slope, as far as takes it to 0 at first order; of
several attributes every strategy takes the mean. Strength 0 (or K = 0 for the two that use K) returns
the very same head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from fmd_core.bias_functions import BiasFunction, CounterfactualBias, GroupGap
from fmd_core.counterfactual import CounterfactualPairs
from fmd_core.curvature import Curvature
from fmd_core.data import Array, FeatureSet
from fmd_core.errors import DataError
from fmd_core.heads import Head
from fmd_core.influence import InfluenceScores
from fmd_core.objective import unlearning_problem
from fmd_core.solvers.fitting import fit_head

StrategyName = Literal["iterated", "paper-remove", "paper-replace", "paper-external"]
STRATEGIES: tuple[StrategyName, ...] = get_args(StrategyName)
USES_K: frozenset[StrategyName] = frozenset({"paper-remove", "paper-replace"})
OtherWay = Literal["exclusion", "erasure", "adversary", "pattern"]
Method = StrategyName | OtherWay
"""Every way to a variant: the strategies, a refit without chosen samples, and the forms of feature unlearning."""
RETRAINED: frozenset[Method] = frozenset({"adversary", "pattern"})
"""Ways that change more than the last layers."""
FORGETS: frozenset[Method] = RETRAINED | {"erasure"}
"""Ways that make features forget an attribute or a pattern; fresh readers say what is left of it."""
METHODS: tuple[str, ...] = (*STRATEGIES, *get_args(OtherWay))
STRENGTHS: dict[StrategyName, tuple[float, ...]] = {
    "iterated": (0.01, 0.03, 0.1, 0.2, 0.3, 0.6, 1.0, 3.0, 10.0, 30.0),
    **dict.fromkeys(STRATEGIES[1:], (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)),
}
TRUST_RADIUS = 1.0  # a single step never moves the head by more than its own length


@dataclass(frozen=True, eq=False)
class UnlearningInputs:
    """What decides the fix. Nothing in here may be used to judge it."""

    train: FeatureSet
    bias: BiasFunction  # on external people
    curvature: Curvature | None = None
    """Needed by the published steps; `iterated` does without."""
    scores: InfluenceScores | None = None
    """Needed by the strategies that use K."""
    train_pairs: tuple[CounterfactualPairs, ...] = ()
    """The training samples' own twins by each attribute, which paper-replace needs; samples without one
    stay as they are."""


@dataclass(frozen=True, eq=False)
class UnlearningResult:
    """A new head and how it was made. `head` is the original object when nothing was done."""

    head: Head
    strategy: Method
    strength: float
    k: int
    blend: float = 1.0  # share of the way from the original to the solution
    step_share: float = 1.0  # share of the published step that the trust region allows
    what: str = ""
    """In words, where it is no strategy with a strength."""


def unlearn(
    head: Head,
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

    move: Callable[[float, Head], Head]
    """Head at a strength, searched from the given head; strength 0 gives the original object."""
    step_share: float = 1.0  # share of the published step that the trust region allows


def prepare(head: Head, inputs: UnlearningInputs, *, strategy: StrategyName, k: int) -> Mover:
    """Do once what every strength needs."""
    curvature = inputs.curvature
    if curvature is not None and curvature.head_fingerprint != head.fingerprint:
        raise DataError("The curvature and scores belong to another head; make them for the head at hand.")
    if strategy in USES_K and k == 0:
        return Mover(lambda strength, start: head)  # noqa: ARG005
    if strategy == "iterated":
        problem = unlearning_problem(inputs.bias, inputs.train)

        def refit(strength: float, start: Head) -> Head:
            return fit_head(start, problem, anchor=head.theta, consistency=strength) if strength else head

        return Mover(refit)
    if curvature is None:
        raise DataError(f"{strategy} needs the curvature of the training loss (curvature); give it.")
    step = curvature.solve(_published_gradient(head, inputs, curvature, strategy, k))
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


def _trusted_share(head: Head, step: Array) -> float:
    """The share of `step` (p,) that stays within the trust radius, at most 1."""
    reach = TRUST_RADIUS * float(np.linalg.norm(head.theta))
    length = float(np.linalg.norm(step))
    return 1.0 if length <= reach else reach / length


def _published_gradient(
    head: Head, inputs: UnlearningInputs, curvature: Curvature, strategy: StrategyName, k: int
) -> Array:
    parts = inputs.bias.parts
    if strategy == "paper-external":
        slopes: Array = np.mean([_external_gradient(head, curvature, part) for part in parts], axis=0)
        return slopes
    if inputs.scores is None:
        raise DataError(f"{strategy} needs the training samples' influence on the bias (scores); give it.")
    worst, n = inputs.scores.most_harmful(k), len(inputs.train)
    if strategy == "paper-remove":
        return _mean_gradient(head, inputs.train.subset(worst), n)
    if len(inputs.train_pairs) < len(parts):
        raise DataError("paper-replace needs the training samples' own twins (train_pairs); give them.")
    swaps: Array = np.mean([_swap_gradient(head, inputs.train, worst, p) for p in inputs.train_pairs], axis=0)
    return swaps


def _mean_gradient(head: Head, samples: FeatureSet, n: int) -> Array:
    return head.loss_gradient(samples.features, samples.labels, np.full(len(samples), 1 / n))


def _swap_gradient(head: Head, train: FeatureSet, worst: Array, twins: CounterfactualPairs) -> Array:
    with_twin = worst[np.isin(train.rows[worst], twins.rows)]
    chosen = np.isin(twins.rows, train.rows[with_twin])
    own, twin = train.subset(with_twin), twins.counterparts.subset(chosen)
    return _mean_gradient(head, own, len(train)) - _mean_gradient(head, twin, len(train))


def _external_gradient(head: Head, curvature: Curvature, bias: CounterfactualBias | GroupGap) -> Array:
    if isinstance(bias, CounterfactualBias):
        m = len(bias.pairs)
        return _mean_gradient(head, bias.pairs.favoured, m) - _mean_gradient(head, bias.pairs.other, m)
    slope = bias.gradient(head)
    steepness = float(slope @ curvature.solve(slope))  # what a whole step of this slope takes off the gap
    return -slope * (bias.value(head) / steepness if steepness > 0 else 0.0)
