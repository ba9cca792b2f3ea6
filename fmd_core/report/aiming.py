"""Why a setting is suggested that aims at a limit, and what became of that which it was for, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fmd_core.data import AttributeDataset
from fmd_core.figures import counted, many, percent
from fmd_core.measure.comparison import Comparison
from fmd_core.measure.verdict.answered import Answered
from fmd_core.measure.verdict.goal import Goal
from fmd_core.measure.verdict.rules import ALONE, is_forbidden_within, is_tested
from fmd_core.measure.verdict.sentences import limit_words
from fmd_core.measure.verdict.values import Family, Finding, Outcome
from fmd_core.measure.verdict.warnings import too_good
from fmd_core.report import wording
from fmd_core.unlearn.aiming import is_within, refused_within
from fmd_core.unlearn.guarded_path import PathPoint, UnlearningPath

FARTHER = "“Every road” and “Deeper: let the network learn on”, below, may lead farther."

REACHED = {
    Outcome.BEYOND: f"Asked {ALONE}, that is still beyond its limit of {{}}.",
    Outcome.WITHIN: f"Asked {ALONE}, that is within its limit of {{}}.",
    Outcome.UNKNOWN: f"Asked {ALONE}, whether that is within its limit of {{}} cannot be said with so many people.",
}
FORBIDDEN = f"Asked {ALONE}, whether that is within its limit of {{}} cannot be said."


def became(
    finding: Finding, dataset: AttributeDataset, comparison: Comparison, references: Mapping[str, str]
) -> tuple[Finding, Finding] | None:
    """The groups that a change was for, before and after, on the people of a comparison; `finding` is what they were
    found with, with the `references` by attribute. None where nobody can say, and for
    twins, whose change is told in every comparison."""
    if finding.family is Family.TWINS:
        return None
    goal = Goal.of(finding, references)
    before, after = (
        _measured(
            goal,
            dataset,
            Answered(comparison.rows, comparison.truth, predicted, dataset.weights, dataset.persons),
        )
        for predicted in (comparison.predicted_before, comparison.predicted_after)
    )
    return None if before is None or after is None else (before, after)


def _measured(goal: Goal, dataset: AttributeDataset, answered: Answered) -> Finding | None:
    """The question of a goal; a model that is too good to be true is within no limit, as in the verdict."""
    found = goal.measured(dataset, answered)
    if found is None or found.outcome is not Outcome.WITHIN or not (doubts := too_good(dataset, answered)):
        return found
    told = " ".join([found.sentence, *(doubt.sentence for doubt in doubts)])
    return replace(found, outcome=Outcome.UNKNOWN, sentence=told)


def became_sentence(before: Finding, after: Finding) -> str:
    """What became of that which a change was for, asked alone."""
    said = FORBIDDEN if is_forbidden_within(after) else REACHED[after.outcome]
    reached = said.format(limit_words(after))
    return f"Before: {before.sentence} Now: {after.sentence} {reached}"


def suggestion_reason(path: UnlearningPath, unit: str) -> str:
    """Why a path suggests what it suggests; where something is aimed at, the points hold it (`PathPoint.found`). `unit`
    is what each of those who judge it is called."""
    best, start = path.suggested, path.original
    if start.found is None or best.found is None:
        return wording.suggestion_reason(path, unit)
    return f"{_choice(path, start.found, best.found, unit)} {wording.guard_rule(path, unit)}"


def _choice(path: UnlearningPath, was: Finding, now: Finding, unit: str) -> str:
    best, start = path.suggested, path.original
    limit = f"its limit of {limit_words(was)}"
    if is_within(start):
        return (
            f"to leave the model as it is, as far as this is concerned, which lies within {limit} on validation "
            f"{many(unit)}: {was.sentence}"
        )
    if best is start and (why := _refused_alike(path)):
        return f"to leave the model as it is: the guard refuses every strength, because {why}. {was.sentence}"
    if best is start:
        return (
            f"to leave the model as it is. No strength here that is allowed brings this nearer to {limit}: "
            f"{was.sentence}{refused(path)} {FARTHER}"
        )
    cost = f"Accuracy goes {moved(start, best)}; {percent(best.changed)} of answers change."
    if is_within(best):
        return f"the cheapest strength that brings this within {limit}: {now.sentence} Before: {was.sentence} {cost}"
    return (
        f"no strength here brings this surely within {limit}; the nearest gives: {now.sentence} Before: {was.sentence} "
        f"{cost}{doubt(now)}{refused(path)} {FARTHER}"
    )


def _refused_alike(path: UnlearningPath) -> str:
    """Why the guard refuses every setting, where it is one and the same reason; else ''."""
    reasons = {point.refusal for point in (*path.points[1:], *path.blends)}
    return reasons.pop() if len(reasons) == 1 else ""


def moved(start: PathPoint, best: PathPoint) -> str:
    """'from 92.8 % to 92.0 %'."""
    return f"from {percent(start.accuracy)} to {percent(best.accuracy)}"


def doubt(finding: Finding) -> str:
    """A sentence where it is the number of people that keeps a finding from being within its limit; else ''."""
    if is_forbidden_within(finding):
        return ""
    if not is_tested(finding):
        return " With fewer than 30 people in a group nothing is sure; more people would tell."
    if finding.value <= finding.limit and finding.ratio is None:
        return " The figure itself is within the limit, its interval is not; more people would tell."
    return ""


def refused(path: UnlearningPath) -> str:
    """A sentence where the guard refuses what would be within the limit; else ''."""
    reached = refused_within(path)
    if not reached:
        return ""
    least = max(reached, key=lambda p: p.accuracy)
    settings = counted(len(reached), "setting")
    return f" The guard refuses {settings} that would be within it; of the most accurate it says that {least.refusal}."
