"""What unlearning aims at: what is worst instead, and whether what it was for came within its limit."""

from __future__ import annotations

from collections.abc import Mapping

from fmd_core import AttributeDataset, Comparison, Verdict, figures
from fmd_core.measure.bias_functions import FairnessMeasure
from fmd_core.measure.verdict.goal import Goal
from fmd_core.measure.verdict.rules import ALONE, is_forbidden_within
from fmd_core.measure.verdict.sentences import attribute_name, limit_words
from fmd_core.measure.verdict.values import Family, Finding, Outcome
from fmd_core.report import wording
from fmd_core.report.aiming import became, became_sentence
from fmd_core.study.aim import Aim, aim_of, includes

AIMED: dict[FairnessMeasure, str] = {
    "counterfactual": "twins by {} are answered alike",
    "demographic parity": "an answer is given equally often, by {}",
    "equal opportunity": "people with equal truth are recognised equally often, by {}",
    "predictive equality": "a false answer is given equally often, by {}",
    "worst group": "whoever is served worst, by {}, is answered right more often",
}
STAYS = "The {} would stay beyond the limit of {}."
WITH_SUGGESTION = {
    Outcome.BEYOND: f"With our suggestion that stays, asked {ALONE}, beyond its limit of {{}}.",
    Outcome.UNKNOWN: "Whether our suggestion brings that within its limit of {} cannot be said with so many people.",
}
"""What has to be said of a suggestion before it is applied, by what became of that which it is for."""
FORBIDDEN = "Whether our suggestion brings that within its limit of {} cannot be said. {}"
FARTHER = "“Every road” and “Deeper”, below, may lead farther."


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


def proposal(verdict: Verdict, data: AttributeDataset, aim: Aim, *, is_told: bool = False) -> str:
    """Why to aim at something else; '' where `aim` is what the worst finding asks for. `is_told`: the worst finding is
    the head of the page."""
    better = better_aim(verdict, aim)
    if better is None:
        return ""
    worst = "" if is_told else f" What is worst is something else: {verdict.headline}"
    return (
        f"Here the aim is that {aim_words(data, aim)}.{worst} "
        f"The aim that goes with {'the worst' if is_told else 'it'}: {aim_words(data, better)}."
    )


def missed(verdict: Verdict, aim: Aim, goal: Goal | None) -> str:
    """What is worst and not aimed at, to be read first while nothing has changed; '' where it is, or where `goal`, what
    the aim has to bring within its limit, is about those very people."""
    if better_aim(verdict, aim) is None or is_of_same_people(verdict.worst, goal):
        return ""
    return f"Not aimed at here: {verdict.headline}"


def brought_within(
    verdict: Verdict, aim: Aim, data: AttributeDataset, comparison: Comparison, *, is_suggested: bool
) -> str:
    """That a change which aims at something else brings what is worst within its limit all the same, on the people of
    its comparison; '' where it does not, or nobody can say. `is_suggested`: it is not made yet."""
    if verdict.worst is None or better_aim(verdict, aim) is None:
        return ""
    found = became(verdict.worst, data, comparison, verdict.references)
    if found is None or not _is_brought_within(*found):
        return ""
    after, limit = found[1], limit_words(found[1])
    if is_suggested:
        return (
            f"It would bring what is worst within its limit of {limit} too, asked {ALONE}: {after.sentence}"
        )
    return f"What is worst comes within its limit of {limit} with it, asked {ALONE}: {after.sentence}"


def is_brought_within(
    finding: Finding | None, data: AttributeDataset, comparison: Comparison, references: Mapping[str, str]
) -> bool:
    """Whether groups that a change is for come within their limit by it, on the people of its comparison."""
    found = None if finding is None else became(finding, data, comparison, references)
    return found is not None and _is_brought_within(*found)


def _is_brought_within(before: Finding, after: Finding) -> bool:
    """What those people say was within its limit before, whoever else judged the model, no change has brought there."""
    return after.outcome is Outcome.WITHIN and before.outcome is not Outcome.WITHIN


def worst_then(after: Verdict, *, is_suggested: bool) -> str:
    """What is beyond its limit with a change that brings something else within its own, by the verdict on it; '' where
    nothing is. `is_suggested`: it is not made yet."""
    if after.outcome is not Outcome.BEYOND:
        return ""
    return f"With {'our suggestion' if is_suggested else 'it'} this is worst, and beyond its limit: {after.headline}"


def aim_words(data: AttributeDataset, aim: Aim) -> str:
    """'twins by sex are answered alike'."""
    return AIMED[aim.measure].format(figures.listed([attribute_name(data, name) for name in aim.attributes]))


def still_beyond(comparison: Comparison, threshold: float, *, is_suggested: bool = False) -> str:
    """A sentence where the bias, or of twins who are drawn the flipped decisions, stay beyond the limit, a share.
    `is_suggested`: the change is not made yet."""
    points = figures.counted(round(100 * threshold), "point")
    said = wording.still_beyond(comparison, threshold)
    if said and is_suggested:
        return STAYS.format("lag" if comparison.measure == "worst group" else "bias", points)
    flips = comparison.flips.after.value
    if said or comparison.measure != "counterfactual" or comparison.excess is not None:
        return said
    if flips is None or flips <= threshold:
        return ""
    would = "would still" if is_suggested else "still"
    return f"{figures.percent(flips)} of decisions {would} flip, beyond the limit of {points}."


def would_stay(
    finding: Finding | None,
    data: AttributeDataset,
    suggested: Comparison,
    references: Mapping[str, str],
    threshold: float,
) -> str:
    """That our suggestion does not bring what it is for within its limit, by its comparison; '' where it does."""
    found = None if finding is None else became(finding, data, suggested, references)
    if found is None:
        return still_beyond(suggested, threshold, is_suggested=True)
    after = found[1]
    if is_forbidden_within(after):
        return FORBIDDEN.format(limit_words(after), after.sentence)
    return WITH_SUGGESTION.get(after.outcome, "").format(limit_words(after))


def concerned(
    finding: Finding | None, data: AttributeDataset, comparison: Comparison, references: Mapping[str, str]
) -> str:
    """Whom a change was for, before and after, on the people of a comparison; '' where that is no group, because
    twins are what it was for, or nobody can say."""
    if finding is None or comparison.verdict == "unchanged":
        return ""
    found = became(finding, data, comparison, references)
    if found is None:
        return ""
    farther = f" {FARTHER}" if found[1].outcome is Outcome.BEYOND else ""
    return f"What it was for. {became_sentence(*found)}{farther}"
