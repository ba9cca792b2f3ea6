"""Results computed ahead of need, so that pages find them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from app.cache import fixes, influences, judgements, opened
from app.cache.bounded import kept
from app.record.review import Aim, Review
from fmd_core.data import SPLITS, ignore_progress
from fmd_core.measure.verdict.groups import least_right
from fmd_core.measure.verdict.model_warnings import accuracy_of, model_warnings
from fmd_core.measure.verdict.sentences import judged_by
from fmd_core.measure.verdict.values import Accuracy, Group
from fmd_core.method import default_strategy
from fmd_core.study.people import changeable
from fmd_core.study.steps import Progress, Step, in_turn
from fmd_core.unlearn.guarded_path import TOLERANCE


@dataclass(frozen=True)
class SoFar:
    """What those who judge say of the original before their twins are read, as the verdict will say it."""

    right: Accuracy
    least: Group | None
    """Of every class, group, and class of a group, with enough people the one that it is least often right about."""
    too_few: int
    """How many of these have too few people to be told."""
    doubt: str
    """Why nothing can be said of a model that answers so, or ''."""
    judged_by: str
    """Who judges, where that is not to be expected; else ''."""


def so_far(review: Review) -> SoFar | None:
    """How often the model is right and about whom least, as soon as it has read those who judge. None before that, and
    where nobody knows what its outputs mean, who judges a small table is not ready, or they are too few."""
    if not opened.are_read(review, "test") or not judgements.are_answered(opened.plain(review)):
        return None
    outputs = opened.classifier(review).outputs
    return None if outputs is not None and outputs.is_open else _so_far(review)


@kept()
def _so_far(review: Review) -> SoFar | None:
    data, asked = opened.dataset(review), opened.study(review)
    answered = asked.answered()
    right = answered.rate(answered.right, np.ones(len(answered), bool))
    known = accuracy_of(data, answered)
    if known is None or right is None or not right.is_enough:
        return None
    doubts = [warning.sentence for warning in model_warnings(data, answered) if warning.forbids_verdict]
    said = judged_by(asked.judges(), known, data.unit)
    return SoFar(known, *least_right(data, answered), doubts[0] if doubts else "", said)


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
