"""What has to come within its limit: a finding that can be measured again, on other people and of other answers.

A finding is about test people. Whoever chooses a fix may not look at them, so validation people are asked the same
question: of twins the larger of bias and flips, because answers that are merely less sure make the bias alone
small; of groups the largest difference among those of the same attribute, because a fix that makes another group
the worst has not helped. Those that are not within their limit come first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations
from types import MappingProxyType

import numpy as np

from fmd_core.data import Array, AttributeDataset
from fmd_core.measure.verdict.answered import Answered, People, levels_of, people_behind
from fmd_core.measure.verdict.differences import Question, Side, against_everybody_else, difference, shortfall
from fmd_core.measure.verdict.model_warnings import model_warnings
from fmd_core.measure.verdict.rules import outcome_alone
from fmd_core.measure.verdict.sentences import finding_sentence, group_names
from fmd_core.measure.verdict.twins import TwinAnswers, both_findings
from fmd_core.measure.verdict.values import Family, Finding, Limits, Measure, Member, Outcome

NO_REFERENCES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Goal:
    """The question that a finding answers, without the answer: small, and the same for the same question."""

    family: Family
    attributes: tuple[str, ...]
    limit: float
    """A share, from where on a difference counts."""
    answer: str = ""
    """The class that a rate is about; "" for accuracy and twins."""
    members: tuple[tuple[Member, ...], ...] = ()
    """Who was compared: the worse, the better; () for twins, and an empty one for everybody else."""
    ratio: float = 0.0
    """Least ratio of the rates, 0 where only the difference counts."""
    reference: str = ""
    """The level that others are compared with; "" where it is the one with the highest rate."""

    @classmethod
    def of(cls, finding: Finding, references: Mapping[str, str] = NO_REFERENCES) -> Goal:
        """What would have to be within its limit for `finding` to be no fault; with the `references`, by attribute,
        that it was found with."""
        ratio = 0.0 if finding.ratio is None else finding.ratio.limit
        reference = references.get(finding.attributes[0], "")
        return cls(
            finding.family, finding.attributes, finding.limit, finding.answer, finding.members, ratio, reference
        )  # fmt: skip

    def measured(
        self, dataset: AttributeDataset, answered: Answered, twins: TwinAnswers | None = None
    ) -> Finding | None:
        """The same question asked of some people, with an outcome of its own; None where nobody can say.

        `twins` are those people's twins by the attribute, for a goal between twins. An interval counts as it is:
        one question is asked, so there is nothing to adjust for. Of fewer than 30 people nothing is within, nor is it
        by answers of which the verdict forbids to say so; then the sentence says why.
        """
        found = list(
            self._twins(answered, twins) if self.family is Family.TWINS else self._groups(dataset, answered)
        )
        if not found:
            return None
        judged = [replace(finding, outcome=outcome_alone(finding)) for finding in found]
        if self.family is Family.TWINS and twins is not None and twins.show_too_little:
            judged = _without_within(judged)
        within = any(f.outcome is Outcome.WITHIN for f in judged)
        doubts = [w.sentence for w in model_warnings(dataset, answered) if w.forbids_within] if within else []
        if doubts:  # one answer for everybody treats all groups alike
            judged = _without_within(judged)
        # a smaller difference of fewer people may lie beyond the limit where the largest does not
        # and of equal ones those who were named first are meant
        worst = max(
            judged, key=lambda f: (f.outcome is not Outcome.WITHIN, f.value, f.members == self.members)
        )
        told = replace(worst, groups=group_names(dataset, worst))
        return replace(told, sentence=" ".join([finding_sentence(dataset, told), *doubts]))

    def _twins(self, answered: Answered, twins: TwinAnswers | None) -> tuple[Finding, ...]:
        if twins is None or not people_behind(answered, twins.rows):
            return ()
        return both_findings(answered, twins, Limits(twins=self.limit))

    def _groups(self, dataset: AttributeDataset, answered: Answered) -> Iterator[Finding]:
        if self.family is Family.SERVICE:
            yield from self._service(dataset, answered)
            return
        happened, of = self._event(dataset, answered)
        question = Question(self.family, self._measure, self.attributes, self.limit, self.answer, self.ratio)
        named = {members[0].level for members in self.members if members}
        sides = []
        for people in levels_of(dataset, answered, self.attributes[0]):
            rate = answered.rate(happened, people.mask & of)
            if rate is not None and (rate.is_enough or people.members[0].level in named):
                sides.append(Side(people, rate))
        if named - {side.people.members[0].level for side in sides}:
            return  # nobody is there of those whom it is about
        for pair in combinations(sides, 2):
            if not self.reference or self.reference in {side.people.members[0].level for side in pair}:
                yield difference(question, *pair)

    def _event(self, dataset: AttributeDataset, answered: Answered) -> tuple[Array, Array]:
        """What happens to people (n,) bool, and among whom (n,) bool."""
        answer = dataset.target.levels.index(self.answer)
        if self.family is Family.SELECTION:
            return answered.predicted == answer, np.ones(len(answered), dtype=bool)
        return answered.right, answered.labels == answer

    def _service(self, dataset: AttributeDataset, answered: Answered) -> Iterator[Finding]:
        """One group against everybody else, of its class where it has one."""
        group = reduce(
            lambda one, other: one & other, (_people(dataset, answered, m) for m in self.members[0])
        )
        among = np.ones(len(answered), dtype=bool)
        if self.answer:
            among = answered.labels == dataset.target.levels.index(self.answer)
        sides = against_everybody_else(answered, group, among)
        if sides is not None:
            yield shortfall(
                Question(self.family, self._measure, self.attributes, self.limit, self.answer), *sides
            )

    @property
    def _measure(self) -> Measure:
        return {
            Family.SELECTION: Measure.SELECTION_RATE,
            Family.EQUAL_TRUTH: Measure.HIT_RATE,
            Family.SERVICE: Measure.ACCURACY,
        }[self.family]


def _without_within(findings: Sequence[Finding]) -> list[Finding]:
    """The same, but that nobody can say of any that it is within its limit."""
    return [replace(f, outcome=Outcome.UNKNOWN) if f.outcome is Outcome.WITHIN else f for f in findings]


def _people(dataset: AttributeDataset, answered: Answered, member: Member) -> People:
    if member.column == dataset.target.name:
        return People((member,), answered.labels == dataset.target.levels.index(member.level))
    column = dataset.attribute(member.column)
    return People((member,), column.codes[answered.rows] == column.levels.index(member.level))
