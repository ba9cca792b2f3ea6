"""What each training sample does to the bias: predicted by scores, and measured by refits without samples."""

from __future__ import annotations

from functools import partial

import fmd_core as fmd
from app.cache import opened
from app.cache.bounded import kept
from app.cache.steps import Progress, Step, in_turn, part
from app.record.review import Aim, Review
from fmd_core.data import ignore_progress
from fmd_core.influence import InfluenceMethod

LEAVE_ONE_OUT_COST = 2e9  # operations, about a second: beyond, scores are first-order


@kept()
def _curvature(review: Review, _progress: Progress) -> fmd.Curvature:
    found, train = opened.classifier(review), opened.features(review, "train", _progress)
    return fmd.fit_curvature(found.head, train, damping=found.damping, progress=_progress)


def curvature(review: Review, progress: Progress = ignore_progress) -> fmd.Curvature:
    """Curvature of the training loss around the original head."""
    return _curvature(opened.every_twin(review), progress)


@kept()
def _scores(review: Review, aim: Aim, _progress: Progress) -> fmd.InfluenceScores:
    needed: list[Step] = [*opened.measured_on(review, "external", aim), partial(curvature, review)]
    in_turn(needed, part(_progress, 0.0, 0.5))
    head, train = opened.classifier(review).head, opened.features(review, "train")
    found, external = curvature(review), opened.bias(review, "external", aim)
    exact = found.solver == "cholesky" and len(train) * head.n_parameters**2 < LEAVE_ONE_OUT_COST
    method: InfluenceMethod = "leave-one-out" if exact else "first-order"
    told = part(_progress, 0.5, 1.0)
    return fmd.bias_influence(head, train, external, found, method=method, progress=told)


def scores(review: Review, aim: Aim, progress: Progress = ignore_progress) -> fmd.InfluenceScores:
    """Influence of every training sample on the bias of the original model."""
    return _scores(review, aim, progress)


def are_scored(review: Review, aim: Aim) -> bool:
    """Whether `scores` cost nothing."""
    return _scores.holds(review, aim)


@kept()
def _score_check(review: Review, aim: Aim, k: int, _progress: Progress) -> fmd.ScoreCheck:
    model = opened.classifier(review)
    return fmd.check_scores(
        model.head, opened.features(review, "train"), opened.bias(review, "external", aim), scores(review, aim),
        held_out=opened.bias(review, "test", aim), k=k, damping=model.damping, progress=_progress,
    )  # fmt: skip


def score_check(review: Review, aim: Aim, k: int, progress: Progress = ignore_progress) -> fmd.ScoreCheck:
    """What leaving out the top `k` really does, beside the scores; `progress` may raise to stop."""
    return _score_check(review, aim, k, progress)


def known_score_check(review: Review, aim: Aim, k: int) -> fmd.ScoreCheck | None:
    """The same where somebody has asked for it before, else None."""
    return score_check(review, aim, k) if _score_check.holds(review, aim, k) else None


def known_score_checks(review: Review, aim: Aim) -> tuple[fmd.ScoreCheck, ...]:
    """Every check of these scores that somebody has asked for, the smallest K first."""
    ks = sorted(k for checked, of, k in _score_check.held() if (checked, of) == (review, aim))
    return tuple(score_check(review, aim, k) for k in ks)


@kept()
def refitted(review: Review) -> fmd.Head:
    """The original's last layer fitted to convergence: itself, unless it comes from elsewhere."""
    model = opened.classifier(review)
    return fmd.refit_without(model.head, opened.features(review, "train"), [], damping=model.damping)


@kept()
def measured_effect(review: Review, aim: Aim, position: int) -> float:
    """Change of the bias on external samples when one training sample is left out of an exact refit."""
    everybody, measured = refitted(opened.every_twin(review)), opened.bias(review, "external", aim)
    damping, train = opened.classifier(review).damping, opened.features(review, "train")
    without = fmd.refit_without(everybody, train, [position], damping=damping)
    return measured.value(without) - measured.value(everybody)
