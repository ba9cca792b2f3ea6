"""Machine unlearning: four strategies, and the guarded path that keeps them safe.

The published single steps (Chen et al. 2023) move the head once along H^-1 g, with g from

    paper-remove     the top-K harmful samples:                    sum grad L(z) / n
    paper-replace    the same against their counterfactuals:       sum (grad L(z) - grad L(z̄)) / n
    paper-external   external pairs, no training sample needed:    mean (grad L(c̄... c) differences)

and strength is the share of that step. `iterated`, the default, minimises over the head

    mean_i w_a L(c_i) + w_b L(c̄_i) + strength/2 |W (c_i - c̄_i)|^2 + damping/2 |theta - theta0|^2

over the external pairs, classes counting equally. Strength 0 (or K = 0 for the two that use
K) returns the very same head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from fmd_core.bias import counterfactual_bias, predictions
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
    "iterated": (0.01, 0.03, 0.06, 0.1, 0.2, 0.3, 0.6, 1.0, 3.0, 10.0),
    **dict.fromkeys(STRATEGIES[1:], (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)),
}
BLENDS = (0.5, 0.25, 0.1)
SIDE_WEIGHTS = (0.25, 0.75)  # favoured and other side of a pair in the iterated objective
FEW_PAIRS = 200  # below this the iterated form is anchored ten times harder
TRUST_RADIUS = 1.0  # a single step never moves the head by more than its own length
CLASS_TOLERANCE = 0.05


@dataclass(frozen=True, eq=False)
class UnlearningInputs:
    """What decides the fix. Nothing in here may be used to judge it."""

    attribute: str
    train: FeatureSet
    train_pairs: CounterfactualPairs  # the counterfactuals of the training samples, same order
    external: CounterfactualPairs
    curvature: Curvature
    scores: InfluenceScores


@dataclass(frozen=True, eq=False)
class Guard:
    """Validation people who say which changes are admitted."""

    features: FeatureSet
    pairs: CounterfactualPairs
    tolerance: float = 0.01  # accuracy that may be lost, as a share


@dataclass(frozen=True, eq=False)
class UnlearningResult:
    """A new head and how it was made. `head` is the original object when nothing was done."""

    head: LinearHead
    strategy: StrategyName
    strength: float
    k: int
    blend: float = 1.0  # share of the way from the original to the solution


@dataclass(frozen=True, eq=False)
class PathPoint:
    """One unlearning result as validation people see it."""

    result: UnlearningResult
    accuracy: float
    bias: float
    refusal: str  # empty when admitted


@dataclass(frozen=True, eq=False)
class UnlearningPath:
    """Ascending strengths of one strategy, what the guard says of each, and a suggestion."""

    points: tuple[PathPoint, ...]  # full solutions, by strength; the first is the original
    blends: tuple[PathPoint, ...]  # between the original and each full solution
    suggested: PathPoint  # the original when nothing better is admitted
    step_share: float  # share of the published step that the trust region allows; 1 = all
    tolerance: float

    @property
    def original(self) -> PathPoint:
        return self.points[0]


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
    _check(inputs, strategy, strength, k)
    if strength == 0 or (strategy in USES_K and k == 0):
        return UnlearningResult(head, strategy, strength, k)
    if strategy == "iterated":
        return UnlearningResult(_iterated(head, inputs.external, strength), strategy, strength, k)
    step, share = _trusted_step(head, inputs, strategy, k)
    return UnlearningResult(head.moved(strength * share * step), strategy, strength, k)


def unlearning_path(
    head: LinearHead,
    inputs: UnlearningInputs,
    guard: Guard,
    *,
    strategy: StrategyName = "iterated",
    k: int = 0,
    progress: Callable[[float], None] = lambda share: None,
) -> UnlearningPath:
    """Solve a ladder of strengths and let `guard` admit or refuse each point.

    A point is admitted if on validation people accuracy falls by no more than the tolerance,
    no class falls by more than 5 points and B does not rise. Suggested is the admitted point
    with the least B - (accuracy gained) / 2.
    """
    _check(inputs, strategy, 1.0, k)
    judge = _Judge(head, guard)
    points = [judge.point(UnlearningResult(head, strategy, 0.0, k))]
    blends: list[PathPoint] = []
    share, step = 1.0, np.zeros(head.n_parameters)
    if strategy != "iterated" and not (strategy in USES_K and k == 0):
        step, share = _trusted_step(head, inputs, strategy, k)
    warm = head
    for position, strength in enumerate(STRENGTHS[strategy], start=1):
        if strategy == "iterated":
            warm = _iterated(head, inputs.external, strength, start=warm)
            blends += [
                judge.point(UnlearningResult(_blend(head, warm, t), strategy, strength, k, t)) for t in BLENDS
            ]
        elif step.any():
            warm = head.moved(strength * share * step)
        points.append(judge.point(UnlearningResult(warm, strategy, strength, k)))
        progress(position / len(STRENGTHS[strategy]))
    admitted = [point for point in (*points, *blends) if not point.refusal]
    suggested = min(admitted, key=lambda p: p.bias - (p.accuracy - points[0].accuracy) / 2)
    return UnlearningPath(tuple(points), tuple(blends), suggested, share, guard.tolerance)


def _check(inputs: UnlearningInputs, strategy: str, strength: float, k: int) -> None:
    if strategy not in STRATEGIES:
        raise DataError(f"Unknown strategy '{strategy}'. Choose one of: {', '.join(STRATEGIES)}.")
    if not (np.isfinite(strength) and strength >= 0):
        raise DataError(f"Strength must be a number of 0 or more, got {strength}.")
    if not 0 <= k <= len(inputs.train):
        raise DataError(
            f"K = {k} is not possible: choose K between 0 and the {len(inputs.train)} training samples."
        )


def _iterated(
    head: LinearHead, pairs: CounterfactualPairs, strength: float, *, start: LinearHead | None = None
) -> LinearHead:
    weights = class_balanced_weights(pairs.labels)
    c, other = pairs.favoured.features, pairs.other.features
    problem = ConvexProblem(
        features=np.concatenate([c, other]),
        labels=np.tile(pairs.labels, 2),
        weights=np.concatenate([share * weights for share in SIDE_WEIGHTS]),
        damping=1e-3 if len(pairs) >= FEW_PAIRS else 1e-2,
        differences=c - other,
        difference_weights=weights,
    )
    return fit_head(start or head, problem, anchor=head.theta, consistency=strength)


def class_balanced_weights(labels: Array) -> Array:
    """Weights (n,) that sum to 1 and give every class that occurs the same total."""
    _, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return 1 / (len(counts) * counts[inverse])


def _trusted_step(
    head: LinearHead, inputs: UnlearningInputs, strategy: StrategyName, k: int
) -> tuple[Array, float]:
    """The published step (p,) and the share of it that stays within the trust radius."""
    step = inputs.curvature.solve(_published_gradient(head, inputs, strategy, k))
    length = float(np.linalg.norm(step))
    return step, min(1.0, TRUST_RADIUS * float(np.linalg.norm(head.theta)) / max(length, 1e-300))


def _published_gradient(
    head: LinearHead, inputs: UnlearningInputs, strategy: StrategyName, k: int
) -> Array:
    def total(samples: FeatureSet, scale: int) -> Array:
        return head.loss_gradient(samples.features, samples.labels, np.full(len(samples), 1 / scale))

    if strategy == "paper-external":
        m = len(inputs.external)
        return total(inputs.external.favoured, m) - total(inputs.external.other, m)
    worst, n = inputs.scores.most_harmful(k), len(inputs.train)
    removed = total(inputs.train.subset(worst), n)
    if strategy == "paper-remove":
        return removed
    return removed - total(inputs.train_pairs.other.subset(worst), n)


def _blend(original: LinearHead, solution: LinearHead, share: float) -> LinearHead:
    return original.moved(share * (solution.theta - original.theta))


class _Judge:
    """Applies the guard's rules, remembering what the original does."""

    def __init__(self, head: LinearHead, guard: Guard) -> None:
        self.guard, labels = guard, guard.features.labels
        self.classes = [labels == c for c in np.unique(labels)]
        self.names = np.unique(labels)
        self.before = self._right(head)
        self.bias = counterfactual_bias(head, guard.pairs)

    def _right(self, head: LinearHead) -> Array:
        return predictions(head, self.guard.features.features) == self.guard.features.labels

    def point(self, result: UnlearningResult) -> PathPoint:
        right, bias = self._right(result.head), counterfactual_bias(result.head, self.guard.pairs)
        lost = float(self.before.mean() - right.mean())
        by_class = [float(self.before[c].mean() - right[c].mean()) for c in self.classes]
        refusal = ""
        if lost > self.guard.tolerance + 1e-12:
            refusal = f"accuracy falls by {100 * lost:.1f} points, more than the {100 * self.guard.tolerance:g} allowed"
        elif max(by_class) > CLASS_TOLERANCE + 1e-12:
            worst = int(self.names[int(np.argmax(by_class))])
            refusal = f"class {worst} loses {100 * max(by_class):.1f} points, more than the {100 * CLASS_TOLERANCE:g} allowed"
        elif bias > self.bias + 1e-12:
            refusal = f"the bias rises by {100 * (bias - self.bias):.1f} points"
        return PathPoint(result, float(right.mean()), bias, refusal)
