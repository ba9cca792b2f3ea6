"""Everything at hand about the model in force, gathered for the report."""

from __future__ import annotations

from dataclasses import replace

import fmd_core as fmd
from app import cache
from app.record.review import Review
from app.record.variants import Erasure, Retrained, Variant
from app.session import keeping, state
from app.view_models import report
from fmd_core.models.side_by_side import SideBySide
from fmd_core.unlearn.guarded_path import TOLERANCE


def gather(review: Review, decision: fmd.Decision) -> fmd.Evidence:
    """What the report on a review is made from; `decision` is what its reviewer makes of it."""
    past, variant, by = state.history(), state.current(), state.criteria()
    measured = cache.study(cache.standing(review, variant)).evidence(
        cache.point(variant) if variant else None,
        variant.aim if variant else state.aim(),
        limits=by.limits,
        favourable=by.favourable,
        references=by.compared(cache.dataset(review).references),
        tolerance=variant.tolerance if variant else TOLERANCE,
        change=cache.named_head(review, variant) if variant else None,
    )
    return replace(
        measured,
        history=report.steps(past, {e.variant: cache.result(review, e.variant) for e in past.log}),
        decision=decision,
        remarks=_remarks(),
        forgetting=cache.known_forgetting(variant) if isinstance(variant, Erasure | Retrained) else None,
        changed_layers=_changed_layers(review, variant),
        trail=keeping.trail(state.place()),
    )


def _changed_layers(review: Review, variant: Variant | None) -> tuple[str, ...] | None:
    """Layers of the encoder that a training changed; None where none was."""
    if not isinstance(variant, Retrained):
        return None
    both = cache.classifier(cache.standing(review, variant))
    return both.changed_layers if isinstance(both, SideBySide) else None


def _remarks() -> tuple[fmd.SampleRemark, ...]:
    """Everything that was said of single training samples."""
    said, excluded = state.journal().remarks, state.history().now.excluded
    return tuple(
        fmd.SampleRemark(row, remark.marked, row in excluded, remark.note)
        for row in sorted({*said, *excluded})
        for remark in [state.remark(row)]
    )
