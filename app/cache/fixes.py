"""Fixes of the bias by name: the paths of the strategies, and what a variant makes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import fmd_core as fmd
from app.cache import deeper
from app.cache.bounded import kept
from app.cache.opened import study
from app.record.review import Aim, Review
from app.record.variants import Erasure, Exclusion, Recipe, Retrained, Variant, describe
from fmd_core.data import ignore_progress
from fmd_core.forget.erasure import ERASURE
from fmd_core.measure.verdict.goal import Goal
from fmd_core.study.steps import Progress
from fmd_core.study.subject import Named
from fmd_core.study.suggestion import Suggestion, Way
from fmd_core.unlearn.deeper.planning import LEARN_ON, TRAINED_BESIDE

GUARDED_ALONE = LEARN_ON.name, TRAINED_BESIDE.name
"""Ways to another network, whose guard is that of the points between it and the original."""


def inputs(review: Review, aim: Aim, strategy: str) -> fmd.UnlearningInputs:
    """What decides the fix: training samples and external people."""
    return study(review).inputs(aim, strategy)


def guard(review: Review, aim: Aim, tolerance: float) -> fmd.Guard:
    """Who guards the fix: validation people."""
    return study(review).guard(aim, tolerance)


def warm_path(review: Review, aim: Aim, strategy: str, k: int, progress: Progress = ignore_progress) -> None:
    """Compute what the Unlearn page needs of one strategy; `progress` may raise to stop."""
    study(review).prepare_path(aim, strategy, k, progress)


def is_solved(review: Review, aim: Aim, strategy: str, k: int) -> bool:
    """Whether every strength of a path costs nothing."""
    return study(review).is_solved(aim, strategy, k)


def path(
    review: Review, aim: Aim, strategy: str, k: int, tolerance: float, goal: Goal | None = None
) -> fmd.UnlearningPath:
    """The guarded path of one strategy: another tolerance judges again, but solves nothing. With a `goal` the
    suggestion on it aims at that."""
    return study(review).path(aim, strategy, k, tolerance, goal)


def worst_group_goal(review: Review, attribute: str, limit: float) -> Goal | None:
    """That whoever is served worst lags behind everybody else by no more than a limit, a share; None where nobody can
    say who that is."""
    try:
        return study(review).worst_group_goal(attribute, limit)
    except fmd.DataError:
        return None


def ways(review: Review, goal: Goal) -> tuple[Way, ...]:
    """Every way that might bring a finding within its limit, the cheapest first."""
    return study(review).ways(goal)


def try_roads(
    review: Review,
    goal: Goal,
    k: int,
    tolerance: float,
    progress: Progress = ignore_progress,
    *,
    some: tuple[Way, ...] = (),
) -> Suggestion:
    """Where every way leads, or `some` alone, best first; `progress` may raise to stop."""
    return study(review).try_roads(goal, some or ways(review, goal), k, tolerance, progress)


def are_tried(review: Review, goal: Goal, k: int, tolerance: float) -> bool:
    """Whether every way was tried."""
    return study(review).are_tried(goal, ways(review, goal), k, tolerance)


def tried_ways(review: Review, goal: Goal, k: int, tolerance: float) -> tuple[Way, ...]:
    """The ways that cost nothing, because somebody has gone them before."""
    asked = study(review)
    return tuple(way for way in asked.ways(goal) if asked.is_tried(way, goal, k, tolerance))


def point(variant: Variant) -> fmd.PathPoint:
    """What a variant makes, and what the guard says of it."""
    if not isinstance(variant, Recipe):
        return _guarded(variant)
    found = study(variant.review).known_path(*variant.sweep[1:], variant.tolerance)
    wanted = (variant.strength, variant.blend)
    return next(p for p in (*found.points, *found.blends) if (p.result.strength, p.result.blend) == wanted)


@kept()
def _guarded(variant: Variant) -> fmd.PathPoint:
    judged = study(variant.review).judged(_made(variant), variant.aim, variant.tolerance)
    if isinstance(variant, Retrained) and variant.way in GUARDED_ALONE:  # it has a guard of its own
        return replace(judged, refusal=deeper.deeper_refusal(variant))
    return judged


def _made(variant: Variant) -> fmd.UnlearningResult:
    """What a variant makes that is no point of a path."""
    what = describe(variant)
    if isinstance(variant, Exclusion):
        return study(variant.review).without(variant.rows, what)
    if isinstance(variant, Erasure):
        return fmd.UnlearningResult(erased(variant).head, ERASURE.name, 1.0, 0, what=what)
    assert isinstance(variant, Retrained)
    return fmd.UnlearningResult(deeper.mixed_head(variant), variant.way, 1.0, 0, variant.share, what=what)


def erased(variant: Erasure) -> fmd.Erased:
    """The attributes of a variant erased from the features of the original."""
    return study(variant.review).erased(variant.attributes, variant.form)


def result(review: Review, variant: Variant | None) -> fmd.UnlearningResult:
    """What a variant makes; the original head for None."""
    return study(review).untouched if variant is None else point(variant).result


def head(review: Review, variant: Variant | None) -> fmd.Head:
    """The head in force: a variant's, or the original one."""
    return result(review, variant).head


def named_head(review: Review, variant: Variant | None) -> Named[fmd.Head]:
    """The same by name: what is known of a variant is found without making it again."""
    return Named(variant, partial(head, review, variant))


def standing(review: Review, variant: Variant | None) -> Review:
    """The review whose features the head in force reads."""
    if variant is None:
        return review
    return replace(review, depth=variant.review.depth, beside=variant.review.beside)
