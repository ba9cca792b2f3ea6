"""Does every group get the favourable answer equally often? Difference and ratio of the rates.

With more than two classes and no favourable answer each answer is looked at in turn, by difference
alone: the four-fifths rule is about a favourable outcome.
"""

from __future__ import annotations

from collections.abc import Mapping

from fmd_core.data import AttributeDataset
from fmd_core.measure.verdict.answered import Answered, levels_of
from fmd_core.measure.verdict.differences import Measured, Question, compare_levels
from fmd_core.measure.verdict.values import Family, Favourable, Gap, Limits, Measure, NotTested


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
    answers = [favourable.level] if favourable else list(classes)
    for attribute in dataset.attributes:
        levels = levels_of(dataset, answered, attribute)
        for answer in answers:
            says = answered.predicted == classes.index(answer)
            question = Question(
                Family.SELECTION,
                Measure.SELECTION_RATE,
                (attribute,),
                limits.selection,
                answer=answer,
                ratio=limits.ratio if favourable else 0.0,
            )
            sides = [(people, answered.rate(says, people.mask)) for people in levels]
            measured.add(compare_levels(question, sides, references.get(attribute, "")))
    measured.not_tested = list(dict.fromkeys(measured.not_tested))  # said once, not for every answer
    if favourable and not (answered.predicted == classes.index(favourable.level)).any():
        measured.not_tested += [
            NotTested(
                Family.SELECTION, attribute, Gap.NEVER_ANSWERED, f"nobody is answered '{favourable.level}'"
            )
            for attribute in dataset.attributes
        ]
    return measured
