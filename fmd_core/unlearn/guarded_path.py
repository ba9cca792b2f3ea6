"""The guarded path: try a ladder of strengths and admit only what validation people allow.

Unguarded, a published single step can cost more accuracy than the bias did; measured on
thirteen models, only the guarded path never harmed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, FeatureSet, ignore_progress
from fmd_core.figures import count, counted, percent, points
from fmd_core.heads.answering import Answering, Rays
from fmd_core.heads.protocol import Head
from fmd_core.measure.bias_functions import BiasFunction, predictions
from fmd_core.measure.verdict.values import Finding
from fmd_core.method import DEFAULT_STRATEGY, Strategy
from fmd_core.showing import Row, one_line, table
from fmd_core.unlearn.aiming import Served, Watched, cheapest, worst_served
from fmd_core.unlearn.one_strength import check_request, prepare
from fmd_core.unlearn.strategies import UnlearningInputs, UnlearningResult

if TYPE_CHECKING:
    import pandas as pd

BLENDS = (0.9, 0.75, 0.5, 0.25, 0.1)
TOLERANCE = 0.01  # accuracy that the guard lets a fix cost unless somebody says otherwise, as a share
CLASS_TOLERANCE = 0.05
ROUNDING = 1e-12
BIAS_SLACK = 0.0005  # a rise that a figure with one decimal does not show


Setting = tuple[float, float]
"""Strength and blend: what tells the tries on one path apart."""


@dataclass(frozen=True, eq=False)
class Guard:
    """Validation people who say which changes are admitted."""

    features: FeatureSet
    bias: BiasFunction
    tolerance: float = TOLERANCE  # accuracy that may be lost, as a share
    classes: tuple[str, ...] = ()  # their names, for refusals; their numbers when not given
    groups: tuple[Watched, ...] = ()  # the worst served of them is told of every try
    why_not: str = ""  # why these people admit no change, whatever it does to them, in a clause

    def __repr__(self) -> str:
        lose = f"{counted(round(100 * self.tolerance, 6), 'point')} of accuracy may be lost"
        return one_line(self, f"{count(len(self.features))} validation samples", self.bias.attribute, lose)


@dataclass(frozen=True, eq=False)
class PathPoint:
    """One unlearning result as validation people see it."""

    result: UnlearningResult
    accuracy: float
    bias: float  # the mean of them where several attributes are unlearned
    decided: float  # the same of decisions: twins who get another answer
    refusal: str  # empty when admitted
    changed: float = 0.0  # share of validation people who get another answer than the original's
    worst: Served | None = None  # who is served worst of the groups that are watched
    found: Finding | None = None  # what has to come within its limit, where something has

    def __repr__(self) -> str:
        found = f"bias {points(self.bias)}", f"accuracy {percent(self.accuracy)}"
        return one_line(
            self, self.result.setting, *found, f"refused: {self.refusal}" if self.refusal else "admitted"
        )

    def as_row(self) -> Row:
        """Columns of `UnlearningPath.to_frame`."""
        made = {name: getattr(self.result, name) for name in ("strategy", "strength", "blend", "k")}
        found = {name: getattr(self, name) for name in ("bias", "decided", "accuracy", "changed")}
        return made | found | {"admitted": not self.refusal, "refusal": self.refusal}


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

    def __repr__(self) -> str:
        tried = (*self.points, *self.blends)
        admitted = sum(not point.refusal for point in tried)
        best = self.suggested
        return one_line(
            self,
            f"suggested {best.result.setting}",
            f"bias {points(self.original.bias)} to {points(best.bias)} points",
            f"{admitted} of {len(tried)} tries admitted",
        )

    def to_frame(self) -> pd.DataFrame:
        """A row for each try, by strength and then blend: `strategy`, `strength`, `blend` (share of the way from the
        original), `k`, what validation people say (`bias`, `decided`, `accuracy`, `changed`, shares), `admitted`,
        `refusal` (why not) and `suggested`."""
        tried = sorted((*self.points, *self.blends), key=lambda p: (p.result.strength, p.result.blend))
        return table({**point.as_row(), "suggested": point is self.suggested} for point in tried)


def unlearning_path(
    head: Head,
    inputs: UnlearningInputs,
    guard: Guard,
    *,
    strategy: str | Strategy = DEFAULT_STRATEGY,
    k: int = 0,
    progress: Callable[[float], None] = ignore_progress,
) -> UnlearningPath:
    """Solve a ladder of strengths and let `guard` judge each: `solve_path`, then `judge_path`.

    Parameters
    ----------
    head
        The original, which is never changed.
    inputs
        Training samples, and the external twins or people that decide the fix.
    guard
        Validation people who say which strengths are admitted.
    strategy
        Its name.
    k
        How many harmful samples count, for strategies that use them.
    progress
        Is told the share that is done, 0 to 1, and may raise to stop.

    Returns
    -------
    UnlearningPath
        Every try as validation people see it, and the one to suggest: the original when nothing better is admitted.

    Raises
    ------
    DataError
        For an unknown strategy, and for inputs that lack what it needs.

    Examples
    --------
    >>> path = fmd.unlearning_path(model.head, inputs, guard)
    >>> path
    UnlearningPath(suggested iterated, strength 0.3, bias 67.0 to 13.2 points, 59 of 61 tries admitted)
    >>> path.to_frame().query("suggested")[["strength", "bias", "accuracy"]].round(2)
        strength  bias  accuracy
    30       0.3  0.13      0.77
    """
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
    between the original and each solution if the strategy searches those.

    `progress` is told the share that is done, 0 to 1, and may raise to stop. Raises DataError and SolverError as
    `unlearn` does.

    Examples
    --------
    >>> results = fmd.solve_path(model.head, inputs, strategy="paper-external")
    >>> [result.strength for result in results]
    [0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0]
    """
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
    than 5 points, no class is given up (answered before, never after) and B does not rise. Suggested is the
    admitted one with the least max(B, B of decisions) - (accuracy gained) / 2: flattening all probabilities
    makes B small, changes hardly an answer, and earns nothing. The first result must be the original. Where a
    finding has to come within its limit, `aim_path` suggests another.

    Examples
    --------
    >>> results = fmd.solve_path(model.head, inputs, strategy="paper-external")
    >>> strict = fmd.Guard(people["validation"], bias["validation"], tolerance=0.0)
    >>> fmd.judge_path(results, strict).original
    PathPoint(paper-external, strength 0, bias 67.0, accuracy 38.1 %, admitted)
    """
    judge = _Judge(results[0].head, guard, [result.head for result in results if result.blend == 1])
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


def aim_path(path: UnlearningPath, found: Mapping[Setting, Finding | None]) -> UnlearningPath:
    """The same path, and the strength to suggest on it is the cheapest that brings a finding within its limit; see
    `fmd_core.unlearn.aiming`. `found` is what each setting does to that finding, measured on the same people; where
    nobody can say what the original does, the path stays as it is."""
    if found[_setting(path.original)] is None:
        return path
    points, blends = (
        tuple(replace(point, found=found[_setting(point)]) for point in some)
        for some in (path.points, path.blends)
    )
    return replace(path, points=points, blends=blends, suggested=cheapest((*points, *blends)))


def _setting(point: PathPoint) -> Setting:
    return point.result.strength, point.result.blend


def judge(original: Head, result: UnlearningResult, guard: Guard) -> PathPoint:
    """What validation people say of one result beside the original: the rules of `judge_path`.

    Examples
    --------
    >>> half = fmd.unlearn(model.head, inputs, strategy="paper-external", strength=0.5)
    >>> fmd.judge(model.head, half, guard)
    PathPoint(paper-external, strength 0.5, bias 48.4, accuracy 51.8 %, admitted)
    """
    return _Judge(original, guard).point(result)


def _blend(original: Head, solution: Head, share: float) -> Head:
    return original.moved(share * (solution.theta - original.theta))


class _Judge:
    """Applies the guard's rules, remembering what the original does."""

    def __init__(self, head: Head, guard: Guard, path: Sequence[Head] = ()) -> None:
        self.guard, self.rays, labels = guard, Rays(head, path), guard.features.labels
        self.labels, self.class_of, self.sizes = np.unique(labels, return_inverse=True, return_counts=True)
        answers = self._answers(self.rays.original)
        self.answers, self.before = answers, answers == labels
        self.right_by_class = self._by_class(self.before)
        self.answered = np.intersect1d(answers, labels)
        self.biases = self._biases(self.rays.original)

    def _answers(self, head: Answering) -> Array:
        return predictions(head, self.guard.features.features)

    def _biases(self, head: Answering) -> Array:
        return np.array([part.value(head) for part in self.guard.bias.parts])

    def _by_class(self, right: Array) -> Array:
        """Share of each class that is answered right, (K,)."""
        found = np.bincount(self.class_of[right], minlength=len(self.sizes)) / self.sizes
        return np.asarray(found)

    def point(self, result: UnlearningResult) -> PathPoint:
        told = self.rays.told(result.head, result.blend)
        answers, biases = self._answers(told), self._biases(told)
        given = np.flatnonzero(np.bincount(answers))
        right, died = answers == self.guard.features.labels, np.setdiff1d(self.answered, given)
        lost = float(self.before.mean() - right.mean())
        by_class = self.right_by_class - self._by_class(right)
        return PathPoint(
            result=result,
            accuracy=float(right.mean()),
            bias=float(biases.mean()),
            decided=self.guard.bias.decided(told),
            refusal=(self.guard.why_not if result.strength else "")
            or self._refusal(lost, by_class, biases, died),
            changed=float((answers != self.answers).mean()),
            worst=worst_served(self.guard.groups, right),
        )

    def _name(self, label: int) -> str:
        return self.guard.classes[label] if self.guard.classes else f"class {label}"

    def _refusal(self, lost: float, by_class: Array, biases: Array, died: Array) -> str:
        allowed, worst = self.guard.tolerance, int(np.argmax(by_class))
        if lost > allowed + ROUNDING:
            return f"accuracy falls by {100 * lost:.1f} points, more than the {100 * allowed:g} allowed"
        if by_class[worst] > CLASS_TOLERANCE + ROUNDING:
            loss = f"{self._name(self.labels[worst])} loses {100 * by_class[worst]:.1f} points"
            return f"{loss}, more than the {100 * CLASS_TOLERANCE:g} allowed"
        if len(died):
            return f"{self._name(died[0])} is never answered any more"
        rises = biases - self.biases
        if rises.max() > BIAS_SLACK:
            which = self.guard.bias.parts[int(rises.argmax())].attribute if len(rises) > 1 else ""
            what = "lag of whoever is served worst" if self.guard.bias.measure == "worst group" else "bias"
            return f"the {which} {what} rises by {100 * rises.max():.1f} points".replace("  ", " ")
        return ""
