"""When a difference is beyond its limit and when within: one rule for a question that is asked alone, and the same one,
made stricter, for a question among many.

Asked alone, the interval decides. Among many, "beyond" has to hold after adjusting for all that was looked at as well;
"within" needs no adjustment. So what is asked among many can only say less: who is beyond there is beyond alone, who is
within alone is within there, and where both differ, it is that alone something is beyond and among many nobody can say.
"""

from __future__ import annotations

from fmd_core.figures import count
from fmd_core.intervals import MIN_PEOPLE
from fmd_core.measure.verdict.values import Family, Finding, Outcome

ERROR_RATE = 0.05 / len(Family)
ALONE = "alone"


def outcome_alone(finding: Finding) -> Outcome:
    """What may be said of a finding that was looked for alone."""
    if not is_tested(finding):
        return Outcome.UNKNOWN
    if finding.beyond > 0:
        return Outcome.BEYOND
    return Outcome.WITHIN if lacking(finding) <= 0 else Outcome.UNKNOWN


def outcome_among(finding: Finding, adjusted_p: float) -> Outcome:
    """What may be said of a finding that is one of many, by its p-value adjusted for all of them."""
    alone = outcome_alone(finding)
    is_chance = alone is Outcome.BEYOND and adjusted_p > ERROR_RATE
    return Outcome.UNKNOWN if is_chance else alone


def is_beyond_alone_only(finding: Finding) -> bool:
    """Whether a finding is beyond its limit when it is asked alone, and among many cannot be said to be."""
    return finding.outcome is Outcome.UNKNOWN and outcome_alone(finding) is Outcome.BEYOND


def is_forbidden_within(finding: Finding) -> bool:
    """Whether a finding would be within its limit by its figures, and something else forbids to say so."""
    return finding.outcome is Outcome.UNKNOWN and outcome_alone(finding) is Outcome.WITHIN


def among(questions: int) -> str:
    """By which rule it is judged whether something is beyond its limit: 'among 24 questions'."""
    return ALONE if questions == 1 else f"among {count(questions)} questions"


def lacking(finding: Finding) -> float:
    """How far the far end of the interval lies beyond its limit, in shares; 0 or less where it does not. A ratio
    counts by what its low end lacks to its limit, in shares of the better group's people."""
    by_difference = finding.high - finding.limit
    if finding.ratio is None or finding.better is None:
        return by_difference
    return max(by_difference, (finding.ratio.limit - finding.ratio.low) * finding.better.value)


def smaller_group(finding: Finding) -> int:
    """How many people the smaller of the groups has; of twins how many pairs there are."""
    sides = [rate.n for rate in (finding.worse, finding.better) if rate is not None]
    return min(sides, default=finding.n)


def is_tested(finding: Finding) -> bool:
    """Whether there are enough people on either side to say anything."""
    sides = [rate for rate in (finding.worse, finding.better) if rate is not None]
    return all(rate.is_enough for rate in sides) if sides else finding.n >= MIN_PEOPLE
