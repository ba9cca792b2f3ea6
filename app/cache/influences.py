"""What each training sample does to the bias: predicted by scores, and measured by refits without samples."""

from __future__ import annotations

import fmd_core as fmd
from app.cache.opened import study
from app.record.review import Aim, Review
from fmd_core.data import Split, ignore_progress
from fmd_core.influence.label_doubts import LabelDoubts
from fmd_core.measure.bias_functions import Taught
from fmd_core.measure.served_groups import ServedGroup
from fmd_core.study.bridging import Stop
from fmd_core.study.steps import Progress


def scores(review: Review, asked: Aim, progress: Progress = ignore_progress) -> fmd.InfluenceScores:
    """Influence of every training sample on the bias of the original model."""
    return study(review).scores(asked, progress)


def are_scored(review: Review, asked: Aim) -> bool:
    """Whether `scores` cost nothing."""
    return study(review).are_scored(asked)


def score_check(review: Review, asked: Aim, k: int, progress: Progress = ignore_progress) -> fmd.ScoreCheck:
    """What leaving out the top `k` really does, beside the scores; `progress` may raise to stop."""
    return study(review).score_check(asked, k=k, progress=progress)


def known_score_check(review: Review, asked: Aim, k: int) -> fmd.ScoreCheck | None:
    """The same where somebody has asked for it before, else None."""
    return study(review).known_score_check(asked, k=k)


def known_score_checks(review: Review, asked: Aim) -> tuple[fmd.ScoreCheck, ...]:
    """Every check of these scores that somebody has asked for, the smallest K first."""
    return study(review).known_score_checks(asked)


def measured_effect(review: Review, asked: Aim, position: int) -> float:
    """Change of the bias on external samples when one training sample is left out of an exact refit."""
    return study(review).measured_effect(asked, position=position)


def label_doubts(review: Review, progress: Progress = ignore_progress) -> LabelDoubts:
    """Training samples whose label contradicts fits that never saw it."""
    return study(review).label_doubts(progress)


def are_labels_doubted(review: Review) -> bool:
    """Whether `label_doubts` cost nothing."""
    return study(review).are_labels_doubted()


def taught(review: Review, asked: Aim) -> Taught:
    """What training samples are scored by, on external people."""
    return study(review).taught("external", asked)


def worst_served(review: Review, attribute: str) -> ServedGroup | None:
    """Whom the original model serves worst of all groups of class and level, as those who choose say; None where all
    are small."""
    try:
        return study(review).worst_served(attribute)
    except fmd.DataError:
        return None


def as_badly_served(review: Review, attribute: str) -> int:
    """How many other groups are served as badly as that one."""
    return study(review).as_badly_served(attribute)


def who_choose(review: Review) -> tuple[Split, ...]:
    """The parts of the data whose people say which group it is."""
    return study(review).who_choose()


def groups_unsaid(review: Review, attribute: str) -> int:
    """Of how many groups nobody can say whether they are served worse: too few of those who choose belong to them."""
    return study(review).groups_unsaid(attribute)


def bridge(review: Review, asked: Aim, k: int, progress: Progress = ignore_progress) -> tuple[Stop, ...]:
    """What leaving harmful samples out, and a refit on twins, do to held-out people."""
    return study(review).bridge(asked, k=k, progress=progress)


def is_bridged(review: Review, asked: Aim, k: int) -> bool:
    """Whether `bridge` costs nothing."""
    return study(review).is_bridged(asked, k=k)
