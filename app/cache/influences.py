"""What each training sample does to the bias: predicted by scores, and measured by refits without samples."""

from __future__ import annotations

import fmd_core as fmd
from app.cache.opened import study
from app.record.review import Aim, Review
from fmd_core.data import ignore_progress
from fmd_core.study.steps import Progress


def scores(review: Review, aim: Aim, progress: Progress = ignore_progress) -> fmd.InfluenceScores:
    """Influence of every training sample on the bias of the original model."""
    return study(review).scores(aim, progress)


def are_scored(review: Review, aim: Aim) -> bool:
    """Whether `scores` cost nothing."""
    return study(review).are_scored(aim)


def score_check(review: Review, aim: Aim, k: int, progress: Progress = ignore_progress) -> fmd.ScoreCheck:
    """What leaving out the top `k` really does, beside the scores; `progress` may raise to stop."""
    return study(review).score_check(aim, k=k, progress=progress)


def known_score_check(review: Review, aim: Aim, k: int) -> fmd.ScoreCheck | None:
    """The same where somebody has asked for it before, else None."""
    return study(review).known_score_check(aim, k=k)


def known_score_checks(review: Review, aim: Aim) -> tuple[fmd.ScoreCheck, ...]:
    """Every check of these scores that somebody has asked for, the smallest K first."""
    return study(review).known_score_checks(aim)


def measured_effect(review: Review, aim: Aim, position: int) -> float:
    """Change of the bias on external samples when one training sample is left out of an exact refit."""
    return study(review).measured_effect(aim, position=position)
