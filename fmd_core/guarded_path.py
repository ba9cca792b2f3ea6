"""The guarded path: try a ladder of strengths and admit only what validation people allow.

Unguarded, a published single step can cost more accuracy than the bias did; measured on
thirteen models, only the guarded path never harmed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fmd_core.bias_functions import BiasFunction, predictions
from fmd_core.data import Array, FeatureSet, ignore_progress
from fmd_core.heads import Head
from fmd_core.unlearn.method import DEFAULT_STRATEGY, Strategy
from fmd_core.unlearn.one_strength import check_request, prepare
from fmd_core.unlearning import UnlearningInputs, UnlearningResult

BLENDS = (0.9, 0.75, 0.5, 0.25, 0.1)
TOLERANCE = 0.01  # accuracy that the guard lets a fix cost unless somebody says otherwise, as a share
CLASS_TOLERANCE = 0.05
ROUNDING = 1e-12
BIAS_SLACK = 0.0005  # a rise that a figure with one decimal does not show


@dataclass(frozen=True, eq=False)
class Guard:
    """Validation people who say which changes are admitted."""

    features: FeatureSet
    bias: BiasFunction
    tolerance: float = TOLERANCE  # accuracy that may be lost, as a share
    classes: tuple[str, ...] = ()  # their names, for refusals; their numbers when not given


@dataclass(frozen=True, eq=False)
class PathPoint:
    """One unlearning result as validation people see it."""

    result: UnlearningResult
    accuracy: float
    bias: float  # the mean of them where several attributes are unlearned
    decided: float  # the same of decisions: twins who get another answer
    refusal: str  # empty when admitted


@dataclass(frozen=True, eq=False)
class UnlearningPath:
    """Ascending strengths of one strategy, what the guard says of each, and a suggestion."""

    points: tuple[PathPoint, ...]  # full solutions, by strength; the first is the original
    blends: tuple[PathPoint, ...]  # between the original and each full solution
    suggested: PathPoint  # the original when nothing better is admitted
    step_share: float  # share of the published step that the trust region allows; 1 = all
    tolerance: float
    people: int  # validation people behind every point

    @property
    def original(self) -> PathPoint:
        return self.points[0]


def unlearning_path(
    head: Head,
    inputs: UnlearningInputs,
    guard: Guard,
    *,
    strategy: str | Strategy = DEFAULT_STRATEGY,
    k: int = 0,
    progress: Callable[[float], None] = ignore_progress,
) -> UnlearningPath:
    """Solve a ladder of strengths and let `guard` judge each: `solve_path`, then `judge_path`."""
    return judge_path(solve_path(head, inputs, strategy=strategy, k=k, progress=progress), guard)


def solve_path(
    head: Head,
    inputs: UnlearningInputs,
    *,
    strategy: str | Strategy = DEFAULT_STRATEGY,
    k: int = 0,
    progress: Callable[[float], None] = ignore_progress,
) -> tuple[UnlearningResult, ...]:
    """The dear part: the original, then every strength, each searched from the one before, and blends
    between the original and each solution if the strategy searches those."""
    chosen = check_request(inputs, strategy, 1.0, k)
    mover, current, name = prepare(head, inputs, strategy=chosen, k=k), head, chosen.name
    share = mover.step_share
    results = [UnlearningResult(head, name, 0.0, k, step_share=share)]
    for position, strength in enumerate(chosen.strengths, start=1):
        current = mover.move(strength, current)
        results.append(UnlearningResult(current, name, strength, k, step_share=share))
        if chosen.searches_blends:
            results += [UnlearningResult(_blend(head, current, t), name, strength, k, t) for t in BLENDS]
        progress(position / len(chosen.strengths))
    return tuple(results)


def judge_path(results: tuple[UnlearningResult, ...], guard: Guard) -> UnlearningPath:
    """The cheap part: what validation people say of each result, and which one to suggest.

    A result is admitted if accuracy falls by no more than the tolerance, no class falls by more
    than 5 points and B does not rise. Suggested is the admitted one with the least
    max(B, B of decisions) - (accuracy gained) / 2: flattening all probabilities makes B small, changes
    hardly an answer, and earns nothing. The first result must be the original.
    """
    judge = _Judge(results[0].head, guard)
    points = [judge.point(result) for result in results]
    admitted = [point for point in points if not point.refusal]
    start = points[0].accuracy
    suggested = min(admitted, key=lambda p: max(p.bias, p.decided) - (p.accuracy - start) / 2)
    return UnlearningPath(
        points=tuple(p for p in points if p.result.blend == 1),
        blends=tuple(p for p in points if p.result.blend < 1),
        suggested=suggested,
        step_share=results[0].step_share,
        tolerance=guard.tolerance,
        people=len(guard.features),
    )


def judge(original: Head, result: UnlearningResult, guard: Guard) -> PathPoint:
    """What validation people say of one result beside the original: the rules of `judge_path`."""
    return _Judge(original, guard).point(result)


def _blend(original: Head, solution: Head, share: float) -> Head:
    return original.moved(share * (solution.theta - original.theta))


class _Judge:
    """Applies the guard's rules, remembering what the original does."""

    def __init__(self, head: Head, guard: Guard) -> None:
        self.guard, labels = guard, guard.features.labels
        self.labels = np.unique(labels)
        self.classes = [labels == c for c in self.labels]
        self.before = self._right(head)
        self.biases = self._biases(head)

    def _right(self, head: Head) -> Array:
        return predictions(head, self.guard.features.features) == self.guard.features.labels

    def _biases(self, head: Head) -> Array:
        return np.array([part.value(head) for part in self.guard.bias.parts])

    def point(self, result: UnlearningResult) -> PathPoint:
        right, biases = self._right(result.head), self._biases(result.head)
        lost = float(self.before.mean() - right.mean())
        by_class = [float(self.before[c].mean() - right[c].mean()) for c in self.classes]
        return PathPoint(
            result=result,
            accuracy=float(right.mean()),
            bias=float(biases.mean()),
            decided=self.guard.bias.decided(result.head),
            refusal=self._refusal(lost, by_class, biases),
        )

    def _refusal(self, lost: float, by_class: list[float], biases: Array) -> str:
        allowed, worst = self.guard.tolerance, int(np.argmax(by_class))
        if lost > allowed + ROUNDING:
            return f"accuracy falls by {100 * lost:.1f} points, more than the {100 * allowed:g} allowed"
        if by_class[worst] > CLASS_TOLERANCE + ROUNDING:
            label = self.labels[worst]
            name = self.guard.classes[label] if self.guard.classes else f"class {label}"
            loss = f"{name} loses {100 * by_class[worst]:.1f} points"
            return f"{loss}, more than the {100 * CLASS_TOLERANCE:g} allowed"
        rises = biases - self.biases
        if rises.max() > BIAS_SLACK:
            which = self.guard.bias.parts[int(rises.argmax())].attribute if len(rises) > 1 else ""
            return f"the {which} bias rises by {100 * rises.max():.1f} points".replace("  ", " ")
        return ""
