"""Results computed ahead of need, so that pages find them."""

from __future__ import annotations

from functools import partial

import numpy as np

from app.cache import fixes, influences, judgements, opened
from app.record.review import Aim, Review
from fmd_core.data import SPLITS, Array, FeatureSet, ignore_progress
from fmd_core.intervals import Estimate, rate_estimate
from fmd_core.measure.verdict.sentences import group_name
from fmd_core.measure.verdict.values import Accuracy, Member
from fmd_core.method import default_strategy
from fmd_core.study.people import changeable
from fmd_core.study.steps import Progress, Step, in_turn
from fmd_core.unlearn.guarded_path import TOLERANCE


def right_so_far(review: Review) -> Accuracy | None:
    """How often the model is right about held-out samples, as soon as it has read them: long before their twins are
    read. None before that, and where nobody knows what its outputs mean or who judges a small table is not ready."""
    found = _answered_so_far(review)
    if found is None:
        return None
    (test, answers), data = found, opened.dataset(review)
    known, n = rate_estimate(int((answers == test.labels).sum()), len(test.labels)), len(test.labels)
    if known.value is None or known.low is None or known.high is None:
        return None
    counts = np.bincount(test.labels, minlength=len(data.target.levels))
    most = int(counts.argmax())
    return Accuracy(known.value, known.low, known.high, n, float(counts[most] / n), data.target.levels[most])


def least_right_so_far(review: Review) -> tuple[str, Estimate] | None:
    """Whom the same samples say the model is least often right about: of every class, and every class x level of an
    attribute, with enough people the lowest, in the data's own words. None where `right_so_far` is."""
    found = _answered_so_far(review)
    if found is None:
        return None
    (test, answers), data = found, opened.dataset(review)
    right, whose = answers == test.labels, test.labels
    known: list[tuple[Estimate, list[Member]]] = []
    for code, level in enumerate(data.target.levels):
        of_class = whose == code
        groups: list[tuple[list[Member], Array]] = [([], of_class)]
        groups += [
            ([Member(name, of)], of_class & (column.codes[test.rows] == at))
            for name, column in data.attributes.items()
            for at, of in enumerate(column.levels)
        ]
        known += [
            (
                rate_estimate(int(right[who].sum()), int(who.sum())),
                [Member(data.target.name, level), *members],
            )
            for members, who in groups
        ]
    tested = [(rate, members) for rate, members in known if rate.value is not None]
    if not tested:
        return None
    rate, members = min(tested, key=lambda one: one[0].value or 0.0)
    return group_name(data, members), rate


def _answered_so_far(review: Review) -> tuple[FeatureSet, Array] | None:
    """The held-out samples and the class that each is given, (n,)."""
    if not opened.are_read(review, "test") or not judgements.are_answered(opened.plain(review)):
        return None
    model = opened.classifier(review)
    if model.outputs is not None and model.outputs.is_open:
        return None
    test = opened.features(review, "test")
    return test, model.head.probabilities(test.features).argmax(axis=1)


def warm(review: Review, progress: Progress = ignore_progress) -> None:
    """Compute what the first pages say: features, twins, the other models of a small table and the audit; `progress`
    may raise to stop."""
    judging_first = sorted(
        SPLITS, key=lambda split: split != "test"
    )  # what can be said early is said of them
    steps: list[Step] = [partial(opened.features, review, split) for split in judging_first]
    names = changeable(opened.dataset(review))
    steps += [partial(opened.pair_up, review, "test", attribute) for attribute in names]
    if not judgements.are_answered(opened.plain(review)):
        steps.append(partial(judgements.answers, opened.plain(review)))
    in_turn([*steps, lambda _: judgements.audit(review, None)], progress)


def is_warm(review: Review) -> bool:
    """Whether every sample was read and has its twin, and of a small table everybody a model that never saw them. The
    rest of what the first pages say takes no panel: data and model are opened again, and the audit is made anew
    with every pair that is left out."""
    if not all(opened.are_read(review, split) for split in SPLITS):
        return False
    names = changeable(opened.dataset(review))
    paired = all(opened.are_paired(review, "test", attribute) for attribute in names)
    return paired and judgements.are_answered(opened.plain(review))


def warm_scores(review: Review, progress: Progress = ignore_progress) -> None:
    """Compute what the later pages of a demo need."""
    aims = [Aim((name,)) for name in opened.testable(review)]
    steps, how = list[Step](), default_strategy(opened.dataset(review).pair_method)
    for aim in aims:
        steps += [
            partial(influences.scores, review, aim),
            lambda _, aim=aim: fixes.path(review, aim, how, 0, TOLERANCE),  # type: ignore[misc]
            lambda _, aim=aim: judgements.rivals(review, aim, None),  # type: ignore[misc]
        ]
    in_turn(steps, progress)
