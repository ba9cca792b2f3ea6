"""What held-out test samples say of the model in force: the audit, comparisons, and what can still be read of
an attribute that was to be forgotten."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import fmd_core as fmd
from app.cache import fixes, influences, opened
from app.cache.bounded import kept
from app.cache.steps import Progress
from app.record.review import Aim, Review
from app.record.variants import Erasure, Retrained, Side, Variant
from fmd_core.data import ignore_progress
from fmd_core.proof import default_k

TAUGHT = ("features", "labels", "rows")


@kept()
def audit(review: Review, variant: Variant | None) -> fmd.BiasReport:
    """Every attribute's bias on held-out test people."""
    data, seen = opened.dataset(review), fixes.standing(review, variant)
    twins = {attribute: opened.pairs(seen, "test", attribute) for attribute in opened.testable(review)}
    floors = {attribute: opened.placebo(seen, "test", attribute) for attribute in twins}
    return fmd.audit_bias(
        fixes.head(review, variant),
        data,
        opened.features(seen, "test"),
        list(twins.values()),
        {attribute: floor for attribute, floor in floors.items() if floor is not None},
    )


@kept()
def red_flags(review: Review, variant: Variant | None) -> tuple[fmd.RedFlag, ...]:
    """Who of the held-out test people is served worse than everybody else."""
    return fmd.red_flags(
        fixes.head(review, variant),
        opened.dataset(review),
        opened.features(fixes.standing(review, variant), "test"),
    )


def comparison(review: Review, variant: Variant, attribute: str) -> fmd.Comparison:
    """Original against a variant, by one attribute, on held-out test samples and the twins that count today."""
    return _comparison(fixes.standing(review, variant), variant, attribute)


@kept()
def _comparison(seen: Review, variant: Variant, attribute: str) -> fmd.Comparison:
    return fmd.compare(
        opened.classifier(seen).head,
        fixes.head(seen, variant),
        opened.dataset(seen),
        opened.features(seen, "test"),
        opened.pairs(seen, "test", attribute),
        opened.placebo(seen, "test", attribute),
        variant.aim.measure,
    )


def other_biases(review: Review, variant: Variant, attribute: str) -> list[fmd.Change]:
    """What a variant does to the bias by every attribute but the one named, on the same people."""
    return _other_biases(fixes.standing(review, variant), variant, attribute)


@kept()
def _other_biases(seen: Review, variant: Variant, attribute: str) -> list[fmd.Change]:
    names = [name for name in opened.testable(seen) if name != attribute]
    return fmd.bias_changes(
        opened.classifier(seen).head,
        fixes.head(seen, variant),
        opened.dataset(seen),
        opened.features(seen, "test"),
        [(opened.pairs(seen, "test", name), opened.placebo(seen, "test", name)) for name in names],
        variant.aim.measure,
    )


def _candidate(review: Review, side: Side, attribute: str) -> fmd.Candidate:
    """A model with what it reads of the test people. Whose twin is whose does not depend on the model."""
    seen = fixes.standing(replace(review, model=side.model), side.variant)
    twins, floor = opened.pairs(seen, "test", attribute), opened.placebo(seen, "test", attribute)
    people = opened.features(seen, "test")
    if floor is not None and side.model != review.model:
        twins = opened.pairs(review, "test", attribute).seen_in(people)
        own = opened.placebo(review, "test", attribute)
        floor = own.seen_in(people) if own is not None else None
    return fmd.Candidate(fixes.head(seen, side.variant), people, twins, floor)


@kept()
def side_by_side(review: Review, first: Side, second: Side, aim: Aim) -> fmd.Comparison:
    """Two models or variants on the same held-out test samples."""
    ends = [_candidate(review, side, aim.attribute) for side in (first, second)]
    return fmd.compare_candidates(ends[0], ends[1], opened.dataset(review), aim.measure)


@kept()
def side_by_side_biases(review: Review, first: Side, second: Side, aim: Aim) -> list[fmd.Change]:
    """The bias of both by every attribute but the one under review."""
    names = [name for name in opened.testable(review) if name != aim.attribute]
    both = [(_candidate(review, first, name), _candidate(review, second, name)) for name in names]
    return fmd.candidate_biases(both, opened.dataset(review), aim.measure)


def rivals_of(review: Review, variant: Variant) -> tuple[tuple[fmd.Rival, fmd.Comparison], ...]:
    """What simpler fixes than a variant do to the same held-out people: as many samples as it takes out, or the
    usual number where it takes out none."""
    k = variant.k or default_k(len(opened.features(review, "train")))
    return rivals(review, variant.aim, k)


@kept()
def rivals(review: Review, aim: Aim, k: int) -> tuple[tuple[fmd.Rival, fmd.Comparison], ...]:
    """What simpler fixes do to the same held-out people, by the attribute under review."""
    model, data = opened.classifier(review), opened.dataset(review)
    guards = opened.features(review, "validation")
    found = fmd.rival_heads(
        model.head,
        opened.features(review, "train"),
        influences.scores(review, aim),
        [opened.pairs(review, "external", attribute) for attribute in aim.attributes],
        guards,
        data.attribute(aim.attribute).codes[guards.rows],
        k=k,
        damping=model.damping,
    )
    people, twins = opened.features(review, "test"), opened.pairs(review, "test", aim.attribute)
    floor = opened.placebo(review, "test", aim.attribute)
    return tuple(
        (rival, fmd.compare(model.head, rival.head, data, people, twins, floor, aim.measure))
        for rival in found
    )


@kept()
def _forgetting(variant: Erasure | Retrained, attributes: tuple[str, ...]) -> fmd.Forgetting:
    original = opened.plain(variant.review)
    before = _seen(original)
    if isinstance(variant, Erasure):
        made = fixes.erased(variant)
        after, seconds = before.after(made), made.seconds
    else:
        after, seconds = _seen(replace(original, model=variant.review.beside)), 0.0
    return fmd.judge_forgetting(before, after, opened.dataset(original), attributes, seconds=seconds)


def _seen(review: Review) -> fmd.Seen:
    last = opened.classifier(review).head
    if not isinstance(last, fmd.LinearHead):
        raise fmd.ModelError("Forgetting is judged at the last layer; open the model there.")
    parts = [opened.features(review, split) for split in ("external", "validation")]
    teachers = fmd.FeatureSet(*(np.concatenate([getattr(p, what) for p in parts]) for what in TAUGHT))
    return fmd.Seen(last, teachers, opened.features(review, "test"))


def forgetting(
    variant: Erasure | Retrained, attributes: tuple[str, ...], progress: Progress = ignore_progress
) -> fmd.Forgetting:
    """What fresh probes can still read of attributes. External and validation people, from whom nothing was
    erased or trained, teach them; test people judge."""
    progress(0.0)
    return _forgetting(variant, attributes)


def known_forgetting(variant: Erasure | Retrained) -> fmd.Forgetting | None:
    """The account of a variant where somebody has asked for it before, of the most attributes; else None."""
    asked = [attributes for of, attributes in _forgetting.held() if of == variant]
    return forgetting(variant, max(asked, key=lambda names: (len(names), names))) if asked else None


def is_judged(variant: Erasure | Retrained, attributes: tuple[str, ...]) -> bool:
    """Whether `forgetting` costs nothing."""
    return _forgetting.holds(variant, attributes)
