"""Does every group get the favourable answer equally often? Difference and ratio of the rates.

Without a favourable answer each answer is looked at in turn, of two the second (the other is its mirror), by
difference alone: the four-fifths rule is about a favourable outcome. So it is where the favourable answer is a
guess: a ratio of denials is not one of approvals. The rule then counts as tested only where it holds
whichever answer is the good one.
"""

from __future__ import annotations

from collections.abc import Mapping

from fmd_core.data import AttributeDataset
from fmd_core.measure.verdict.answered import Answered, levels_of
from fmd_core.measure.verdict.differences import Measured, Question, compare_levels
from fmd_core.measure.verdict.values import Family, Favourable, Gap, Limits, Measure, NotTested

NOT_NAMED = (
    "nobody said which answer is the good one, so the ratio of rates was not judged; name the good answer"
)


def measure_selection(
    dataset: AttributeDataset,
    answered: Answered,
    favourable: Favourable | None,
    references: Mapping[str, str],
    limits: Limits,
) -> Measured:
    """Selection rates of every attribute's levels."""
    measured = Measured()
    classes = dataset.target.levels
    is_sure = favourable is not None and favourable.is_sure
    answers = [favourable.level] if favourable else classes[-1:] if len(classes) == 2 else classes
    for attribute in dataset.attributes:
        reference = references.get(attribute, "")
        for answer in answers:
            ratio = limits.ratio if is_sure else 0.0
            measured.add(_compare(dataset, answered, attribute, answer, reference, limits, ratio))
        if favourable and not is_sure and not _holds(dataset, answered, attribute, reference, limits):
            measured.not_tested.append(NotTested(Family.SELECTION, attribute, Gap.NOT_NAMED, NOT_NAMED))
    measured.not_tested = list(dict.fromkeys(measured.not_tested))  # said once, not for every answer
    if favourable and not (answered.predicted == classes.index(favourable.level)).any():
        measured.not_tested += [
            NotTested(
                Family.SELECTION, attribute, Gap.NEVER_ANSWERED, f"nobody is answered '{favourable.level}'"
            )
            for attribute in dataset.attributes
        ]
    return measured


def _compare(
    dataset: AttributeDataset,
    answered: Answered,
    attribute: str,
    answer: str,
    reference: str,
    limits: Limits,
    ratio: float,
) -> Measured:
    says = answered.predicted == dataset.target.levels.index(answer)
    question = Question(
        Family.SELECTION,
        Measure.SELECTION_RATE,
        (attribute,),
        limits.selection,
        answer=answer,
        ratio=ratio,
    )
    levels = levels_of(dataset, answered, attribute)
    return compare_levels(
        question, [(people, answered.rate(says, people.mask)) for people in levels], reference
    )


def _holds(
    dataset: AttributeDataset, answered: Answered, attribute: str, reference: str, limits: Limits
) -> bool:
    """Whether the ratios of the rates are surely large enough, whichever answer is the good one."""
    found = [
        _compare(dataset, answered, attribute, answer, reference, limits, limits.ratio)
        for answer in dataset.target.levels
    ]
    ratios = [finding.ratio for measured in found for finding in measured.findings]
    return all(ratio is None or ratio.low >= ratio.limit for ratio in ratios)
