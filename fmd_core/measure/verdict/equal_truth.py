"""Among people of one true class, is every group recognised equally often?

With two classes the hit rate of one is what the other is not wrongly suspected of, so both kinds of error
are covered (equalised odds, Hardt et al. 2016).
"""

from __future__ import annotations

from collections.abc import Mapping

from fmd_core.data import AttributeDataset
from fmd_core.measure.verdict.answered import Answered, classes_of, levels_of
from fmd_core.measure.verdict.differences import Measured, Question, compare_levels
from fmd_core.measure.verdict.values import Family, Limits, Measure


def measure_equal_truth(
    dataset: AttributeDataset, answered: Answered, references: Mapping[str, str], limits: Limits
) -> Measured:
    """Hit rates of every class by every attribute's levels."""
    measured = Measured()
    for attribute in dataset.attributes:
        levels = levels_of(dataset, answered, attribute)
        for of_class in classes_of(dataset, answered):
            true_class = of_class.members[0].level
            question = Question(
                Family.EQUAL_TRUTH,
                Measure.HIT_RATE,
                (attribute,),
                limits.equal_truth,
                answer=true_class,
                no_people=f"whose {dataset.target.name} is {true_class}",
            )
            sides = [
                (people, answered.rate(answered.right, people.mask & of_class.mask)) for people in levels
            ]
            measured.add(compare_levels(question, sides, references.get(attribute, "")))
    return measured
