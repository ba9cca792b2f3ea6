"""The first page of a report: what was found, one pair of twins, who gained and who lost, and what was not tested."""

from __future__ import annotations

from collections.abc import Sequence

from fmd_core import figures
from fmd_core.data import AttributeDataset
from fmd_core.measure import changes
from fmd_core.measure.comparison import Comparison
from fmd_core.measure.slopes import Slope, choose_slopes
from fmd_core.measure.verdict.sentences import attribute_name, level_name
from fmd_core.measure.verdict.values import Family, Finding, Gap, Outcome, Verdict, WarningKind
from fmd_core.report import wording
from fmd_core.report.aiming import became, became_sentence
from fmd_core.report.evidence import Evidence
from fmd_core.report.fields import Change
from fmd_core.report.schema import summary
from fmd_core.report.sections import as_declared
from fmd_core.report.twin import Answer, TwinExample, shown_values

FAMILIES = {
    Family.TWINS: "twins",
    Family.SELECTION: "how often an answer is given",
    Family.EQUAL_TRUTH: "how often people are recognised",
    Family.SERVICE: "how often the answer is right",
}
SAID_BELOW = {WarningKind.TOO_FEW, WarningKind.NOT_READ}
"""Warnings that say the same as what was not tested."""
SAME = "That is the worst still."
NOTHING_ELSE = "Nothing else could be said to be beyond its limit"
OF_OTHERS = "; of {} more it cannot be said"
MOST_NAMED = 3  # groups that gained, that lost, and reasons for not testing


def first_page(evidence: Evidence) -> summary.FirstPage:
    """What the first page says beside the headline, the verdict and the decision."""
    comparison = evidence.comparison
    changed = comparison is not None and comparison.verdict != "unchanged"
    warnings = () if evidence.verdict is None else evidence.verdict.warnings
    slopes = choose_slopes(comparison) if comparison and changed else None
    ends = _became(evidence, comparison) if comparison and changed else None
    return summary.FirstPage(
        warnings=[one.sentence for one in warnings if one.kind not in SAID_BELOW],
        people=wording.people_sentence(comparison, evidence.dataset.unit) if comparison and changed else "",
        calibrated=wording.calibrated_sentence(comparison) if comparison else "",
        became="" if ends is None else became_sentence(*ends),
        remains=_remains(evidence.verdict_after, None if ends is None else evidence.was_for),
        gained=_moved(comparison, comparison.gainers) if comparison and changed else [],
        lost=_moved(comparison, comparison.losers) if comparison and changed else [],
        not_tested=not_tested(evidence.dataset, evidence.verdict),
        refusals=_refusals(evidence),
        twin=None if evidence.twin is None else _twin(evidence.dataset, evidence.twin),
        slopes=[] if slopes is None else [_slope(line) for line in slopes.lines],
        slopes_summary="" if slopes is None else slopes.summary,
    )


def _became(evidence: Evidence, comparison: Comparison) -> tuple[Finding, Finding] | None:
    """The groups that the change in force was for, before and after; None where it was for none, or nobody can say."""
    was_for, verdict = evidence.was_for, evidence.verdict
    if was_for is None or verdict is None or evidence.forgotten:
        return None
    return became(was_for, evidence.dataset, comparison, verdict.references)


def _remains(after: Verdict | None, was_for: Finding | None) -> str:
    """What is worst now; where that is what the change `was_for`, of which was spoken before, what comes next."""
    if after is None or after.worst is None:
        return "" if after is None else after.headline
    if was_for is None or after.outcome is not Outcome.BEYOND or not _is_same(after.worst, was_for):
        return after.headline
    rest = [one for one in after.findings if not _is_same(one, was_for)]
    beyond = [one for one in rest if one.outcome is Outcome.BEYOND]
    unknown = sum(one.outcome is Outcome.UNKNOWN for one in rest)
    others = OF_OTHERS.format(figures.count(unknown)) if unknown else ""
    return f"{SAME} {f'Then: {beyond[0].sentence}' if beyond else f'{NOTHING_ELSE}{others}.'}"


def _is_same(one: Finding, other: Finding) -> bool:
    """Whether two findings answer one question, whichever group is the worse."""
    asked, before = (
        (finding.family, finding.attributes, finding.answer, set(finding.members)) for finding in (one, other)
    )
    return asked == before


def _slope(line: Slope) -> summary.Slope:
    return summary.Slope(as_declared(Change, line.change), line.role)


def _moved(comparison: Comparison, groups: Sequence[changes.Change]) -> list[str]:
    """Groups that moved, by name; or that none did, of as many as could be judged."""
    if groups:
        return wording.moved_groups(groups, MOST_NAMED)
    everyone = (*comparison.groups, *comparison.intersections)
    known = sum(change.difference.value is not None for change in everyone)
    unknown = len(everyone) - known
    if not known:
        return ["cannot be said: no group has enough people"]
    few = f"; for {figures.count(unknown)} more there are too few people to say" if unknown else ""
    return [f"none of {figures.counted(known, 'group')} by more than chance{few}"]


def not_tested(dataset: AttributeDataset, verdict: Verdict | None) -> list[str]:
    """What the model does not read, then what was not tested, a clause for each kind and reason."""
    if verdict is None:
        return []
    unread = [attribute_name(dataset, name) for name in verdict.not_read if name]
    told = (
        [f"the model does not read {figures.listed(unread)}, so twins by it cannot differ"] if unread else []
    )
    kinds: dict[tuple[Family, Gap], dict[str, None]] = {}
    for one in verdict.not_tested:
        kinds.setdefault((one.family, one.gap), {})[attribute_name(dataset, one.attribute)] = None
    for (family, gap), attributes in kinds.items():
        names, more = list(attributes)[:MOST_NAMED], len(attributes) - MOST_NAMED
        by = figures.listed([*names, f"{more} more"] if more > 0 else names)
        some = "of some groups, " if gap is Gap.TOO_FEW else ""
        told.append(f"{FAMILIES[family]} by {by}: {some}{gap.value}")
    return told


def _refusals(evidence: Evidence) -> list[str]:
    """Every setting that was applied although the guard refused it, once, whichever is in force now."""
    found = {step.result.head.fingerprint: step for step in evidence.history if step.refusal}
    told = [f"{wording.made(step.result)}: {step.refusal}" for step in found.values()]
    point = evidence.point
    if point is not None and point.refusal and point.result.head.fingerprint not in found:
        told.append(f"{wording.made(point.result)}: {point.refusal}")
    return told


def _twin(dataset: AttributeDataset, example: TwinExample) -> summary.Twin:
    def answer(said: Answer) -> summary.TwinAnswer:
        return summary.TwinAnswer(said.answer, min(max(said.sure, 0.0), 1.0))

    return summary.Twin(
        attribute=example.attribute,
        called=attribute_name(dataset, example.attribute),
        truth=example.truth,
        is_matched=example.is_matched,
        pairs=example.pairs,
        sides=[
            summary.TwinSide(
                row=side.row,
                level=level_name(dataset, example.attribute, side.code),
                before=answer(side.before),
                after=None if side.after is None else answer(side.after),
                values=values,
            )
            for side, values in zip(example.sides, shown_values(dataset, example), strict=True)
        ],
    )
