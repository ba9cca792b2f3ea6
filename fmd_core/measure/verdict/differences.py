"""Differences between the rates of groups, as findings; and the p-values that judge them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from scipy.special import ndtr

from fmd_core.data import Array
from fmd_core.intervals import MIN_PEOPLE, NORMAL_95, rate_difference, rate_ratio
from fmd_core.measure.verdict.answered import Answered, People
from fmd_core.measure.verdict.values import Family, Finding, Gap, Measure, NotTested, Rate, Ratio


@dataclass
class Measured:
    """What one family found: its findings, p-values of comparisons that were looked at but are not among
    them, and what could not be tested."""

    findings: list[Finding] = field(default_factory=list)
    other_p: list[float] = field(default_factory=list)
    not_tested: list[NotTested] = field(default_factory=list)

    def add(self, other: Measured) -> None:
        """Take in what else was measured."""
        self.findings += other.findings
        self.other_p += other.other_p
        self.not_tested += other.not_tested


@dataclass(frozen=True)
class Side:
    """One group of a comparison and its rate."""

    people: People
    rate: Rate


@dataclass(frozen=True)
class Question:
    """What groups are compared on."""

    family: Family
    measure: Measure
    attributes: tuple[str, ...]
    limit: float
    answer: str = ""
    ratio: float = 0.0
    """Least ratio of the rates, 0 where only the difference counts."""
    no_people: str = ""
    """Whom there may be too few of, such as "of hired yes"."""


def compare_levels(
    question: Question, sides: Sequence[tuple[People, Rate | None]], reference: str
) -> Measured:
    """Every level of an attribute against the `reference` level, or against the one with the highest rate
    when "". That one is chosen by looking, so all pairs of levels count in the adjustment."""
    attribute = question.attributes[0]
    measured = Measured()
    able = [Side(people, rate) for people, rate in sides if rate is not None and rate.is_enough]
    small = [
        (people.members[0].level, 0 if rate is None else rate.n)
        for people, rate in sides
        if rate is None or not rate.is_enough
    ]
    enough = len(able) >= 2
    if small or not enough:
        measured.not_tested.append(_too_few(question, attribute, small, enough))
    if not enough:
        return measured
    named = [side for side in able if side.people.members[0].level == reference]
    chosen = named[0] if named else max(able, key=lambda side: side.rate.value)
    if reference and not named:
        instead = chosen.people.members[0].level
        why = f"{_few(question)}: {reference}, with whom others should be compared; it was {instead} instead"
        measured.not_tested.append(NotTested(question.family, attribute, Gap.TOO_FEW, why))
    for first, second in combinations(able, 2):
        finding = difference(question, first, second)
        if chosen in (first, second):
            measured.findings.append(finding)
        elif not named:
            measured.other_p.append(finding.p)
    return measured


def _too_few(question: Question, attribute: str, small: list[tuple[str, int]], enough: bool) -> NotTested:
    if not small:
        return NotTested(question.family, attribute, Gap.ONE_LEVEL, "there are people of one level only")
    named = ", ".join(f"{level} (n = {n})" for level, n in small[:5])
    more = f" and {len(small) - 5} more" if len(small) > 5 else ""
    why = f"{_few(question)}: {named}{more}"
    return NotTested(question.family, attribute, Gap.TOO_FEW, why, forbids_within=not enough)


def _few(question: Question) -> str:
    whom = f" {question.no_people}" if question.no_people else ""
    return f"fewer than {MIN_PEOPLE} people{whom}"


def difference(question: Question, first: Side, second: Side) -> Finding:
    """The finding that one group's rate is lower than the other's, whichever it is."""
    worse, better = (first, second) if first.rate.value <= second.rate.value else (second, first)
    return shortfall(question, worse, better)


def against_everybody_else(answered: Answered, group: People, among: Array) -> tuple[Side, Side] | None:
    """A group and the others `among` whom it is compared, (n,) bool, with how often the answers to either are right;
    None where one side is nobody."""
    others = People((), among & ~group.mask)
    inside = answered.rate(answered.right, group.mask & among)
    outside = answered.rate(answered.right, others.mask)
    return None if inside is None or outside is None else (Side(group, inside), Side(others, outside))


def shortfall(question: Question, worse: Side, better: Side) -> Finding:
    """By how much the first group's rate lies under the second's; below 0 where it does not."""
    value, low, high = rate_difference(better.rate.ends, worse.rate.ends)
    ratio, p = None, above_limit(value, low, question.limit)
    if question.ratio and better.rate.value > 0:
        ratio = Ratio(*rate_ratio(worse.rate.ends, better.rate.ends), question.ratio)
        p = min(
            1.0, 2 * min(p, below_ratio(ratio, worse.rate, better.rate))
        )  # two looks at one pair of rates
    return Finding(
        question.family,
        question.measure,
        question.attributes,
        (),
        value,
        low,
        high,
        worse.rate.n,
        question.limit,
        answer=question.answer,
        members=(worse.people.members, better.people.members),
        worse=worse.rate,
        better=better.rate,
        ratio=ratio,
        p=p,
    )


def above_limit(value: float, low: float, limit: float) -> float:
    """One-sided p-value of a figure being no more than its limit, with the standard error that the near
    half of its 95 % interval implies."""
    return _tail(value - limit, (value - low) / NORMAL_95)


def below_ratio(ratio: Ratio, worse: Rate, better: Rate) -> float:
    """One-sided p-value of a ratio being no less than its limit, on the scale of logarithms; where nobody of
    the worse group succeeds, the chance of that if the ratio were the limit."""
    if ratio.value <= 0:
        return float((1 - ratio.limit * better.low) ** worse.effective)
    if not np.isfinite(ratio.high):
        return 1.0
    error = (np.log(ratio.high) - np.log(ratio.value)) / NORMAL_95
    return _tail(
        float(np.log(ratio.limit) - np.log(ratio.value)) if ratio.limit > 0 else -np.inf, float(error)
    )


def _tail(away: float, error: float) -> float:
    if error <= 0 or not np.isfinite(away):
        return 0.0 if away > 0 else 1.0
    return float(ndtr(-away / error))
