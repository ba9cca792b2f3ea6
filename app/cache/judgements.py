"""What held-out test samples say of the model in force, by name: the audit, comparisons, and what can still be
read of an attribute that was to be forgotten."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import fmd_core as fmd
from app.cache import deeper, fixes
from app.cache.bounded import kept
from app.cache.opened import dataset, plain, study, testable
from app.record.criteria import Criteria
from app.record.review import Aim, Review
from app.record.variants import Erasure, Retrained, Side, Variant
from fmd_core.data import Array, ignore_progress
from fmd_core.measure.bias_functions import Measure, pair_flips, predictions
from fmd_core.measure.verdict.answered import Answered
from fmd_core.measure.verdict.goal import Goal
from fmd_core.measure.verdict.values import Finding, Judges
from fmd_core.study.answering import answered_by_another_system, verdict_of_another_system
from fmd_core.study.steps import Progress
from fmd_core.study.study import Study
from fmd_core.twins.casting import cast, seen_again


def _in_force(review: Review, variant: Variant | None) -> Study:
    """The study of what the head in force reads."""
    return study(fixes.standing(review, variant))


def audit(review: Review, variant: Variant | None) -> fmd.BiasReport:
    """Every attribute's bias on held-out test people."""
    return _in_force(review, variant).audit(fixes.named_head(review, variant))


def accuracy(review: Review) -> fmd.Estimate:
    """How often the original is right of held-out test people, known long before the audit."""
    return study(review).accuracy()


def verdict(review: Review, variant: Variant | None, criteria: Criteria | None = None) -> fmd.Verdict:
    """Everything that may be said of those who judge, worst first; by the usual criteria where none are given."""
    by = criteria or Criteria()
    if review.is_of_another_system:
        return _of_another_system(review, by)
    asked = _in_force(review, variant)
    return asked.verdict(
        fixes.named_head(review, variant), favourable=by.favourable,
        references=by.compared(asked.data.references), limits=by.limits,
    )  # fmt: skip


@kept()
def _of_another_system(review: Review, by: Criteria) -> fmd.Verdict:
    data = dataset(review)
    return verdict_of_another_system(
        data, favourable=by.favourable, references=by.compared(data.references), limits=by.limits
    )


def answered(review: Review, variant: Variant | None) -> Answered:
    """Those who judge, with what they were answered."""
    if review.is_of_another_system:
        return answered_by_another_system(dataset(review))
    return _in_force(review, variant).answers(fixes.named_head(review, variant))[0]


def judges(review: Review, variant: Variant | None) -> Judges:
    """Who they are."""
    return _in_force(review, variant).judges(fixes.named_head(review, variant))


@kept()
def stage(
    review: Review, attribute: str, fix: Variant | None, most: int, beside: str = ""
) -> fmd.CounterfactualPairs:
    """A few held-out twins that stand for all, by the original and by a fix; as the original and the network `beside`
    it see them, where there is one."""
    pairs = study(review).pairs("test", attribute)
    heads = [fixes.head(review, change) for change in dict.fromkeys((None, fix))]
    flips = np.stack([pair_flips(head, pairs) for head in heads])
    chosen = cast(pairs, flips, most)
    if not beside:
        return chosen
    return seen_again(chosen, study(replace(review, beside=beside)).pairs("test", attribute))


@kept()
def stage_answers(
    review: Review,
    attribute: str,
    fix: Variant | None,
    most: int,
    variants: tuple[Variant | None, ...],
    beside: str = "",
) -> Array:
    """What the twins of `stage` are answered by each variant: class codes (n_variants, 2, n_pairs), the favoured side
    first."""
    pairs = stage(review, attribute, fix, most, beside)
    heads = [_untold(replace(review, beside=beside), variant) for variant in variants]
    sides = (pairs.favoured.features, pairs.other.features)
    return np.array([[predictions(head, features) for features in sides] for head in heads])


def _untold(review: Review, variant: Variant | None) -> fmd.Head:
    """A head whatever the guard says of it: on the way to a network it would be asked at every point."""
    return deeper.mixed_head(variant) if isinstance(variant, Retrained) else fixes.head(review, variant)


@kept()
def reached(review: Review, variant: Variant | None, goal: Goal) -> Finding | None:
    """What has to come within its limit, asked of held-out test people; None where nobody can say."""
    return _in_force(review, variant).reached(goal, "test", fixes.head(review, variant))


def answers(review: Review, progress: Progress = ignore_progress) -> None:
    """What the original answers those who judge: of a small table other models are trained for it."""
    study(review).answers(progress=progress)


def are_answered(review: Review) -> bool:
    """Whether no other model has to be trained for `answers`."""
    return study(review).are_answered()


def red_flags(review: Review, variant: Variant | None) -> tuple[fmd.RedFlag, ...]:
    """Who of the held-out test people is served worse than everybody else."""
    return _in_force(review, variant).red_flags(fixes.named_head(review, variant))


def comparison(review: Review, variant: Variant, attribute: str) -> fmd.Comparison:
    """Original against a variant, by one attribute, on held-out test samples and the twins that count today."""
    aim = Aim((attribute,), variant.aim.measure)
    return _in_force(review, variant).comparison(fixes.named_head(review, variant), aim)


def other_biases(review: Review, variant: Variant, attribute: str) -> list[fmd.Change]:
    """What a variant does to the bias by every attribute but the one named, on the same people."""
    aim = Aim((attribute,), variant.aim.measure)
    return _in_force(review, variant).other_biases(fixes.named_head(review, variant), aim)


def _candidate(review: Review, side: Side, attribute: str) -> fmd.Candidate:
    seen = fixes.standing(replace(review, model=side.model), side.variant)
    return study(seen).candidate(
        attribute, fixes.named_head(seen, side.variant),
        twins_of=study(review) if side.model != review.model else None,
    )  # fmt: skip


@kept()
def side_by_side(
    review: Review, first: Side, second: Side, attribute: str, measure: Measure = "counterfactual"
) -> fmd.Comparison:
    """Two models or variants on the same held-out test samples."""
    ends = [_candidate(review, side, attribute) for side in (first, second)]
    return fmd.compare_candidates(ends[0], ends[1], study(review).data, measure)


@kept()
def side_by_side_biases(
    review: Review, first: Side, second: Side, attribute: str, measure: Measure = "counterfactual"
) -> list[fmd.Change]:
    """The bias of both by every attribute but the one under review."""
    names = [name for name in testable(review) if name != attribute]
    both = [(_candidate(review, first, name), _candidate(review, second, name)) for name in names]
    return fmd.candidate_biases(both, study(review).data, measure)


def rivals_of(review: Review, variant: Variant) -> tuple[tuple[fmd.Rival, fmd.Comparison], ...]:
    """What simpler fixes than a variant do to the same held-out people: as many samples as it takes out, or the
    usual number where it takes out none."""
    return study(review).rivals(variant.aim, variant.k or None)


def rivals(review: Review, aim: Aim, k: int | None) -> tuple[tuple[fmd.Rival, fmd.Comparison], ...]:
    """What simpler fixes do to the same held-out people, by the attribute under review."""
    return study(review).rivals(aim, k)


@kept()
def _forgetting(variant: Erasure | Retrained, attributes: tuple[str, ...]) -> fmd.Forgetting:
    original = plain(variant.review)
    if isinstance(variant, Erasure):
        return study(original).forgetting(fixes.erased(variant), attributes)
    # a point on the way holds both networks, so that what either tells can still be read
    alone = variant.review if variant.share < 1 else replace(original, model=variant.review.beside)
    return study(original).forgetting(study(alone), attributes)


def forgetting(
    variant: Erasure | Retrained, attributes: tuple[str, ...], progress: Progress = ignore_progress
) -> fmd.Forgetting:
    """What fresh probes can still read of attributes."""
    progress(0.0)
    return _forgetting(variant, attributes)


def known_forgetting(variant: Erasure | Retrained) -> fmd.Forgetting | None:
    """The account of a variant where somebody has asked for it before, of the most attributes; else None."""
    asked = [attributes for of, attributes in _forgetting.held() if of == variant]
    return forgetting(variant, max(asked, key=lambda names: (len(names), names))) if asked else None


def is_judged(variant: Erasure | Retrained, attributes: tuple[str, ...]) -> bool:
    """Whether `forgetting` costs nothing."""
    return _forgetting.holds(variant, attributes)
