"""Everything at hand about the model in force, gathered for the report."""

from __future__ import annotations

from dataclasses import replace

import fmd_core as fmd
from app import cache
from app.record.review import Review
from app.record.variants import Erasure, Retrained, Variant
from app.session import keeping, memory, state
from app.unlearning.pattern_reliance import is_reliance_known, with_reliance
from app.view_models import report, waterfall
from fmd_core.models.side_by_side import SideBySide
from fmd_core.report.evidence import Remedy
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
        doubted=cache.label_doubts(review) if cache.are_labels_doubted(review) else None,
        remedies=_remedies(review),
        forgetting=_forgetting(variant) if isinstance(variant, Erasure | Retrained) else None,
        forgotten=_forgotten(variant),
        changed_layers=_changed_layers(review, variant),
        trail=keeping.trail(state.place(), state.unsaved()),
    )


def _forgetting(variant: Erasure | Retrained) -> fmd.Forgetting | None:
    """What readers told of a variant, and how far answers hang on its pattern, where somebody asked before."""
    found = cache.known_forgetting(variant)
    trained = next((t for t in state.trained_here() if t.variant == variant), None)
    if found is None or trained is None or trained.pattern is None:
        return found
    return with_reliance(found, trained) if is_reliance_known(trained) else found


def _forgotten(variant: Variant | None) -> tuple[str, ...]:
    """Attributes, or the pattern, that a variant was to forget."""
    if isinstance(variant, Erasure):
        return variant.attributes
    return variant.forgotten if isinstance(variant, Retrained) else ()


def _changed_layers(review: Review, variant: Variant | None) -> tuple[str, ...] | None:
    """Layers of the encoder that a training changed; None where none was."""
    if not isinstance(variant, Retrained):
        return None
    both = cache.classifier(cache.standing(review, variant))
    return both.changed_layers if isinstance(both, SideBySide) else None


def _remedies(review: Review) -> tuple[Remedy, ...]:
    """What leaving samples out, and a refit on twins, did, where that was tried for the question under review."""
    asked, k = state.question(), int(memory.value("harmful_k", state.RANKED))
    if not cache.is_bridged(review, asked, k):
        return ()
    made = map(waterfall.fix_of, cache.bridge(review, asked, k))
    return tuple(Remedy(fix.label, fix.comparison, fix.why_not) for fix in made)


def _remarks() -> tuple[fmd.SampleRemark, ...]:
    """Everything that was said of single training samples."""
    said, excluded = state.journal().remarks, state.history().now.excluded
    return tuple(
        fmd.SampleRemark(row, remark.marked, row in excluded, remark.note)
        for row in sorted({*said, *excluded})
        for remark in [state.remark(row)]
    )
