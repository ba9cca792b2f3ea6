"""Fixes of the bias: what decides and who guards them, the paths of the strategies, and what a variant makes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

import fmd_core as fmd
from app.cache import influences, opened
from app.cache.bounded import kept
from app.cache.steps import Progress, in_turn, part
from app.record.review import Aim, Review
from app.record.variants import Erasure, Exclusion, Recipe, Retrained, Variant, describe
from fmd_core.data import ignore_progress
from fmd_core.features.erasure import ERASURE
from fmd_core.removal import EXCLUSION
from fmd_core.running import distributed
from fmd_core.unlearn.method import DEFAULT_STRATEGY, find_strategy


def inputs(
    review: Review, aim: Aim, strategy: str, progress: Progress = ignore_progress
) -> fmd.UnlearningInputs:
    """What decides the fix: training samples and external people."""
    needs = find_strategy(strategy).needs
    steps = opened.measured_on(review, "external", aim)
    if "curvature" in needs:
        steps.append(partial(influences.curvature, review))
    if "scores" in needs:
        steps.append(partial(influences.scores, review, aim))
    if "training twins" in needs:
        steps += [partial(opened.pairs, review, "train", attribute) for attribute in aim.attributes]
    in_turn(steps, progress)
    return fmd.UnlearningInputs(
        train=opened.features(review, "train"),
        bias=opened.bias(review, "external", aim),
        curvature=influences.curvature(review) if "curvature" in needs else None,
        scores=influences.scores(review, aim) if "scores" in needs else None,
        train_pairs=(
            tuple(opened.pairs(review, "train", name) for name in aim.attributes)
            if "training twins" in needs
            else ()
        ),
    )


def guard(review: Review, aim: Aim, tolerance: float) -> fmd.Guard:
    """Who guards the fix: validation people."""
    measured = opened.bias(review, "validation", aim, beyond_placebo=True)
    return fmd.Guard(
        opened.features(review, "validation"), measured, tolerance, opened.dataset(review).target.levels
    )


@kept()
def _solutions(
    review: Review, aim: Aim, strategy: str, k: int, _progress: Progress
) -> tuple[fmd.UnlearningResult, ...]:
    given = inputs(review, aim, strategy, part(_progress, 0.0, 0.5))
    told = part(_progress, 0.5, 1.0)
    with distributed.watched(told):
        return fmd.solve_path(opened.classifier(review).head, given, strategy=strategy, k=k, progress=told)


def solutions(
    review: Review, aim: Aim, strategy: str, k: int, progress: Progress = ignore_progress
) -> tuple[fmd.UnlearningResult, ...]:
    """Every strength of one strategy, before anybody judges it."""
    return _solutions(review, aim, strategy, k, progress)


def warm_path(review: Review, aim: Aim, strategy: str, k: int, progress: Progress = ignore_progress) -> None:
    """Compute what the Unlearn page needs of one strategy; `progress` may raise to stop."""
    in_turn(opened.measured_on(review, "validation", aim), part(progress, 0.0, 0.3))
    opened.bias(review, "validation", aim, beyond_placebo=True)  # with the placebo
    solutions(review, aim, strategy, k, part(progress, 0.3, 1.0))


def is_solved(review: Review, aim: Aim, strategy: str, k: int) -> bool:
    """Whether every strength of a path costs nothing."""
    return _solutions.holds(review, aim, strategy, k)


@kept()
def path(review: Review, aim: Aim, strategy: str, k: int, tolerance: float) -> fmd.UnlearningPath:
    """The guarded path of one strategy: another tolerance judges again, but solves nothing."""
    return fmd.judge_path(solutions(review, aim, strategy, k), guard(review, aim, tolerance))


def point(variant: Variant) -> fmd.PathPoint:
    """What a variant makes, and what the guard says of it."""
    if not isinstance(variant, Recipe):
        return _guarded(variant)
    found = path(*variant.sweep, variant.tolerance)
    wanted = (variant.strength, variant.blend)
    return next(p for p in (*found.points, *found.blends) if (p.result.strength, p.result.blend) == wanted)


@kept()
def _guarded(variant: Variant) -> fmd.PathPoint:
    review = variant.review
    original, judges = opened.classifier(review).head, guard(review, variant.aim, variant.tolerance)
    return fmd.judge(original, _made(variant), judges)


def _made(variant: Variant) -> fmd.UnlearningResult:
    """What a variant makes that is no point of a path."""
    review, what = variant.review, describe(variant)
    if isinstance(variant, Exclusion):
        train = opened.features(review, "train")
        members = np.flatnonzero(np.isin(train.rows, variant.rows))
        everybody, damping = influences.refitted(opened.every_twin(review)), opened.classifier(review).damping
        without = fmd.refit_without(everybody, train, members, damping=damping)
        return fmd.UnlearningResult(without, EXCLUSION.name, 1.0, variant.k, what=what)
    if isinstance(variant, Erasure):
        return fmd.UnlearningResult(erased(variant).head, ERASURE.name, 1.0, 0, what=what)
    assert isinstance(variant, Retrained)
    changed = opened.open_beside(review.data, review.model, review.beside)[1]
    return fmd.UnlearningResult(changed, variant.way, 1.0, 0, what=what)


@kept()
def erased(variant: Erasure) -> fmd.Erased:
    """The attributes of a variant erased from the features of the original."""
    review, data = variant.review, opened.dataset(variant.review)
    model = opened.classifier(review)
    drawn = data.pair_method != "matched"  # then everybody can be shown with every level
    return fmd.erase(
        model.head, data, opened.features(review, "train"), variant.attributes,
        damping=model.damping, form=variant.form,
        twins=[opened.pairs(review, "train", name) for name in variant.attributes] if drawn else (),
    )  # fmt: skip


@kept()
def untouched(review: Review, aim: Aim, tolerance: float) -> fmd.PathPoint:
    """What validation people say of the original model."""
    original = opened.classifier(review).head
    return fmd.judge(original, result(review, None), guard(review, aim, tolerance))


def result(review: Review, variant: Variant | None) -> fmd.UnlearningResult:
    """What a variant makes; the original head for None."""
    return (
        fmd.UnlearningResult(opened.classifier(review).head, DEFAULT_STRATEGY, 0.0, 0)
        if variant is None
        else point(variant).result
    )


def head(review: Review, variant: Variant | None) -> fmd.Head:
    """The head in force: a variant's, or the original one."""
    return result(review, variant).head


def standing(review: Review, variant: Variant | None) -> Review:
    """The review whose features the head in force reads."""
    if variant is None:
        return review
    return replace(review, depth=variant.review.depth, beside=variant.review.beside)
