"""What unlearning aims at: what is worst instead, and whether what it was for came within its limit."""

from __future__ import annotations

from collections.abc import Mapping

from fmd_core import AttributeDataset, Comparison, Verdict, figures
from fmd_core.measure.bias_functions import Blame
from fmd_core.measure.verdict.answered import Answered
from fmd_core.measure.verdict.goal import Goal
from fmd_core.measure.verdict.sentences import attribute_name, limit_words
from fmd_core.measure.verdict.values import Family, Finding, Outcome
from fmd_core.report import wording
from fmd_core.study.aim import Aim, aim_of, includes

AIMED: dict[Blame, str] = {
    "counterfactual": "twins by {} are answered alike",
    "demographic parity": "an answer is given equally often, by {}",
    "equal opportunity": "people with equal truth are recognised equally often, by {}",
    "predictive equality": "a false answer is given equally often, by {}",
    "worst group": "whoever is served worst, by {}, is answered right more often",
}
REACHED = {
    Outcome.BEYOND: "That is still beyond its limit of {}; “Every road” and “Deeper”, below, may lead farther.",
    Outcome.WITHIN: "That is within its limit of {}.",
    Outcome.UNKNOWN: "Whether that is within its limit of {} cannot be said with so many people.",
}


def aim_behind(verdict: Verdict) -> Aim | None:
    """What takes out the worst finding, which is beyond its limit; None where nothing is."""
    worst = verdict.worst
    if worst is None or verdict.outcome is not Outcome.BEYOND:
        return None
    return aim_of(worst, verdict.classes)


def better_aim(verdict: Verdict, aim: Aim) -> Aim | None:
    """What to aim at instead of `aim`; None where that takes out the worst finding too."""
    better = aim_behind(verdict)
    return None if better is None or includes(aim, better) else better


def is_of_same_people(worst: Finding | None, goal: Goal | None) -> bool:
    """Whether the worst finding is that people of one true class fare worse in one group, and what is aimed at is that
    very group: then nothing else is worst."""
    if worst is None or goal is None or not (worst.members and goal.members and worst.answer):
        return False
    group = {member.level for member in goal.members[0] if member.column not in goal.attributes}
    shared = {member.level for member in goal.members[0] if member.column in goal.attributes}
    is_truth = worst.family in (Family.EQUAL_TRUTH, Family.SERVICE) and goal.family is Family.SERVICE
    return is_truth and group == {worst.answer} and shared == {member.level for member in worst.members[0]}


def proposal(verdict: Verdict, data: AttributeDataset, aim: Aim) -> str:
    """Why to aim at something else; '' where `aim` is what the worst finding asks for."""
    better = better_aim(verdict, aim)
    if better is None:
        return ""
    return (
        f"Here the aim is that {aim_words(data, aim)}. What is worst is something else: {verdict.headline} "
        f"The aim that goes with it: {aim_words(data, better)}."
    )


def aim_words(data: AttributeDataset, aim: Aim) -> str:
    """'twins by sex are answered alike'."""
    return AIMED[aim.measure].format(figures.listed([attribute_name(data, name) for name in aim.attributes]))


def still_beyond(comparison: Comparison, threshold: float) -> str:
    """A sentence where the bias, or of twins who are drawn the flipped decisions, stay beyond the limit, a share."""
    said = wording.still_beyond(comparison.judged, threshold)
    flips = comparison.flips.after.value
    if said or comparison.measure != "counterfactual" or comparison.excess is not None:
        return said
    if flips is None or flips <= threshold:
        return ""
    points = figures.counted(round(100 * threshold), "point")
    return f"{figures.percent(flips)} of decisions still flip, beyond the limit of {points}."


def concerned(
    finding: Finding | None, data: AttributeDataset, comparison: Comparison, references: Mapping[str, str]
) -> str:
    """Whom a change was for, before and after, on the people of a comparison; '' where that is no group, because
    twins are what it was for, or nobody can say."""
    if finding is None or finding.family is Family.TWINS or comparison.verdict == "unchanged":
        return ""
    goal = Goal.of(finding, references)
    before, after = (
        goal.measured(
            data, Answered(comparison.rows, comparison.truth, predicted, data.weights, data.persons)
        )
        for predicted in (comparison.predicted_before, comparison.predicted_after)
    )
    if before is None or after is None:
        return ""
    reached = REACHED[after.outcome].format(limit_words(after))
    return f"What it was for, before: {before.sentence} Now: {after.sentence} {reached}"
