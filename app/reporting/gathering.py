"""Everything at hand about the model in force, gathered for the report."""

from __future__ import annotations

import fmd_core as fmd
from app import cache
from app.record.review import Aim, Review
from app.record.variants import Erasure, Retrained, Variant
from app.session import keeping, state
from app.view_models import report
from fmd_core.features.beside import SideBySide

TOP_K = 50  # harmful samples that a report lists


def gather(review: Review, decision: fmd.Decision) -> fmd.Evidence:
    """What the report on a review is made from; `decision` is what its reviewer makes of it."""
    past, variant = state.history(), state.current()
    aim = variant.aim if variant else state.aim()
    scored = Aim((aim.attribute,), aim.measure)
    rivals, no_rivals = _rivals(review, variant)
    scores = cache.scores(review, scored)
    return fmd.Evidence(
        dataset=cache.dataset(review),
        classifier=cache.classifier(review),
        audit=cache.audit(review, None),
        threshold=state.threshold(),
        scores=scores,
        top_k=min(TOP_K, len(scores.rows)),
        history=report.steps(past, {e.variant: cache.result(review, e.variant) for e in past.log}),
        point=cache.point(variant) if variant else None,
        tolerance=variant.tolerance if variant else None,
        comparison=cache.comparison(review, variant, aim.attribute) if variant else None,
        audit_after=cache.audit(review, variant) if variant else None,
        measure=aim.measure,
        attributes=aim.attributes,
        depth=cache.standing(review, variant).depth,
        most_unlike=review.most_unlike,
        left_out=review.vetoes,
        rivals=rivals,
        no_rivals=no_rivals,
        checks=cache.known_score_checks(review, scored),
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


def _rivals(
    review: Review, variant: Variant | None
) -> tuple[tuple[tuple[fmd.Rival, fmd.Comparison], ...], str]:
    """What simpler fixes do to the same people, or why that cannot be said."""
    if variant is None:
        return (), ""
    try:
        return cache.rivals_of(review, variant), ""
    except fmd.FMDError as error:
        return (), str(error)
