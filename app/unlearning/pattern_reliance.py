"""How far the answers hang on a pattern that was forgotten: the measure of a forgetting that needs no annotation."""

from __future__ import annotations

from dataclasses import replace

import fmd_core as fmd
from app import cache
from app.record.trained import Trained
from app.view_models import feature_unlearning as words


def with_reliance(found: fmd.Forgetting, trained: Trained) -> fmd.Forgetting:
    """An account with what hiding the pattern does, by the original and by what was `trained` without it."""
    assert trained.pattern is not None
    review, pattern = trained.variant.review, trained.pattern
    groups = cache.channel_groups(review, pattern.layer, pattern.n_groups)
    name = words.pattern_name(pattern.group, groups.n_groups, groups.layer)
    told = cache.reliance(review, pattern.layer, pattern.n_groups, pattern.group, review.beside)
    return replace(found, reliance=replace(told, group=name))


def is_reliance_known(trained: Trained) -> bool:
    """Whether that costs nothing."""
    assert trained.pattern is not None
    review, pattern = trained.variant.review, trained.pattern
    return cache.is_reliance_known(review, pattern.layer, pattern.n_groups, pattern.group, review.beside)
