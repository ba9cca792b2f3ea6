"""Which bias is meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fmd_core.showing import one_line

if TYPE_CHECKING:
    from fmd_core.measure.bias_functions import FairnessMeasure, Measure
    from fmd_core.measure.verdict.goal import Goal
    from fmd_core.measure.verdict.values import Finding


@dataclass(frozen=True)
class Aim:
    """What is looked at or taken out: what counts as bias, and by which attributes at once. With "worst group" it is
    that whoever is served worst, of all groups of a class and a level, is served worse than everybody else."""

    attributes: tuple[str, ...]
    measure: FairnessMeasure = "counterfactual"

    @property
    def attribute(self) -> str:
        """The attribute under review, which comes first."""
        return self.attributes[0]

    @property
    def words(self) -> str:
        """'sex', 'sex and race', 'sex (equal opportunity)', 'whoever is served worst by sex'."""
        names = " and ".join(self.attributes)
        if self.measure == "worst group":
            return f"whoever is served worst by {names}"
        return names if self.measure == "counterfactual" else f"{names} ({self.measure})"

    @property
    def topic(self) -> str:
        """'the sex bias': what training samples are asked about."""
        return self.words if self.measure == "worst group" else f"the {self.words} bias"

    @property
    def purpose(self) -> str:
        """'against sex', 'for whoever is served worst by sex': what work is done for."""
        return f"for {self.words}" if self.measure == "worst group" else f"against {self.words}"

    def __repr__(self) -> str:
        return one_line(self, self.words)


def as_aim(about: str | Sequence[str] | Aim) -> Aim:
    """An attribute, or several that are taken out at once, as a bias between twins; an aim as it is."""
    if isinstance(about, Aim):
        return about
    return Aim((about,) if isinstance(about, str) else tuple(about))


def aim_of(finding: Finding | Goal, classes: Sequence[str]) -> Aim:
    """What to take out so that a finding of the verdict comes within its limit: the one place that says so.

    Twins are answered alike, groups get an answer alike (demographic parity), people of one true class are recognised
    alike (equal opportunity). Who is served worse than everybody else has less often the answer that is true. Of two
    `classes` equal opportunity is about the second alone: of the first, who is not recognised is given the second
    falsely (predictive equality). A group of one class that is held against everybody is the worst group's.
    """
    from fmd_core.measure.verdict.values import Family  # slow to import, and an aim alone needs nothing of it

    if is_of_one_class(finding):
        return Aim(finding.attributes, "worst group")
    first_of_two = len(classes) == 2 and finding.answer == classes[0]
    truth: Measure = "predictive equality" if first_of_two else "equal opportunity"
    measures: dict[Family, Measure] = {
        Family.TWINS: "counterfactual",
        Family.SELECTION: "demographic parity",
        Family.EQUAL_TRUTH: truth,
        Family.SERVICE: truth,
    }
    return Aim(finding.attributes, measures[finding.family])


def is_of_one_class(finding: Finding | Goal) -> bool:
    """Whether one group of one true class is held against everybody else, whatever their class."""
    members = finding.members[0] if finding.members and not finding.answer else ()
    return any(member.column not in finding.attributes for member in members)


def finding_of(findings: Iterable[Finding], aim: Aim, classes: Sequence[str]) -> Finding | None:
    """Which of the findings, worst first, an aim takes out: the first that lies within it; None where none does."""
    return next((finding for finding in findings if includes(aim, aim_of(finding, classes))), None)


def includes(aim: Aim, other: Aim) -> bool:
    """Whether who takes out one aim takes out the other too."""
    return aim.measure == other.measure and set(other.attributes) <= set(aim.attributes)
