"""Are answers right less often for a group than for everybody else?

Groups are the levels of every attribute, those of every pair of attributes, and, of attributes with more
than two levels, those of every true class (of two levels, equal truth says the same).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, product

import numpy as np

from fmd_core.data import Array, AttributeDataset
from fmd_core.intervals import MIN_PEOPLE
from fmd_core.measure.verdict.answered import Answered, People, classes_of, levels_of
from fmd_core.measure.verdict.differences import Measured, Question, against_everybody_else, shortfall
from fmd_core.measure.verdict.values import Family, Gap, Limits, Measure, NotTested


def measure_service(dataset: AttributeDataset, answered: Answered, limits: Limits) -> Measured:
    """Accuracy inside of every group against that of all others (of its class, where it has one)."""
    measured = Measured()
    few: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    tested: set[tuple[str, ...]] = set()
    for attributes, group, among, answer in _groups(dataset, answered):
        sides = against_everybody_else(answered, group, among)
        if sides is None:
            continue
        small = next((side.rate for side in sides if not side.rate.is_enough), None)
        if small is not None:
            few[attributes].append(f"{', '.join(member.level for member in group.members)} (n = {small.n})")
            continue
        tested.add(attributes)
        question = Question(Family.SERVICE, Measure.ACCURACY, attributes, limits.service, answer)
        finding = shortfall(question, *sides)
        if finding.value >= 0 or finding.high > limits.service:  # who is surely served as well is no finding
            measured.findings.append(finding)
        else:
            measured.other_p.append(finding.p)
    for attributes, groups in few.items():
        shown = ", ".join(groups[:5]) + (f" and {len(groups) - 5} more" if len(groups) > 5 else "")
        measured.not_tested.append(
            NotTested(
                Family.SERVICE,
                " and ".join(attributes),
                Gap.TOO_FEW,
                f"fewer than {MIN_PEOPLE} people: {shown}",
                forbids_within=len(attributes) == 1 and attributes not in tested,
            )
        )
    return measured


def _groups(
    dataset: AttributeDataset, answered: Answered
) -> Iterator[tuple[tuple[str, ...], People, Array, str]]:
    """Attributes, a group, among whom it is compared (n,) bool, and its class."""
    everyone = np.ones(len(answered), dtype=bool)
    levels = {name: levels_of(dataset, answered, name) for name in dataset.attributes}
    for name, found in levels.items():
        yield from (((name,), group, everyone, "") for group in found)
        if len(found) > 2:
            for of_class, group in product(classes_of(dataset, answered), found):
                yield (name,), group & of_class, of_class.mask, of_class.members[0].level
    for first, second in combinations(levels, 2):
        for one, other in product(levels[first], levels[second]):
            yield (first, second), one & other, everyone, ""
