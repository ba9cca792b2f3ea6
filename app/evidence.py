"""Everything at hand about the model in force, gathered for the report."""

from __future__ import annotations

import fmd_core as fmd
from app import cache, state
from app.history import Recipe
from app.review import Aim, Review
from app.view_models import report
from fmd_core.proof import default_k


def gather(review: Review, decision: fmd.Decision) -> fmd.Evidence:
    """What the report on a review is made from; `decision` is what its reviewer makes of it."""
    past, recipe = state.history(), state.current()
    aim = recipe.aim if recipe else state.aim()
    scored = Aim((aim.attribute,), aim.measure)
    rivals, no_rivals = _rivals(review, recipe)
    return fmd.Evidence(
        dataset=cache.dataset(review),
        classifier=cache.classifier(review),
        audit=cache.audit(review, None),
        threshold=state.threshold(),
        scores=cache.scores(review, scored),
        top_k=50,
        history=report.steps(past, {e.recipe: cache.result(review, e.recipe) for e in past.log}),
        point=cache.point(recipe) if recipe else None,
        tolerance=recipe.tolerance if recipe else None,
        comparison=cache.comparison(recipe, aim.attribute) if recipe else None,
        audit_after=cache.audit(review, recipe) if recipe else None,
        measure=aim.measure,
        attributes=aim.attributes,
        depth=cache.standing(review, recipe).depth,
        most_unlike=(recipe.review if recipe else review).most_unlike,
        left_out=(recipe.review if recipe else review).vetoes,
        rivals=rivals,
        no_rivals=no_rivals,
        checks=cache.known_score_checks(review, scored),
        decision=decision,
    )


def _rivals(
    review: Review, recipe: Recipe | None
) -> tuple[tuple[tuple[fmd.Rival, fmd.Comparison], ...], str]:
    """What simpler fixes do to the same people, or why that cannot be said."""
    if recipe is None:
        return (), ""
    k = recipe.k or default_k(len(cache.features(review, "train")))
    try:
        return cache.rivals(review, recipe.aim, k), ""
    except fmd.FMDError as error:
        return (), str(error)
