"""What a verdict says on Find bias: the worst first, in the data's own words, and what could not be tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from app.view_models import criteria
from fmd_core import AttributeDataset, Estimate, Verdict, figures
from fmd_core.measure.verdict.rules import ALONE, is_beyond_alone_only
from fmd_core.measure.verdict.sentences import Role, alone_sentence, figures_in_sentence, short_sentence
from fmd_core.measure.verdict.values import Family, Finding, Group, Measure, Outcome, Rate, Ratio, WarningKind

MOST_SHOWN = 6
MOST_ROWS = 20
SAID_BELOW = {WarningKind.TOO_FEW, WarningKind.NOT_READ}
"""Warnings that stand with what was not tested, not before the verdict."""
FAMILIES = {
    Family.TWINS: "Twins",
    Family.SELECTION: "How often an answer is given",
    Family.EQUAL_TRUTH: "How often people are recognised",
    Family.SERVICE: "How often the answer is right",
}


WORDS = {
    Outcome.BEYOND: "beyond the limit",
    Outcome.WITHIN: "within the limit",
    Outcome.UNKNOWN: "cannot be said",
}
"""Of a single finding: what can be said of everything together is the headline's."""
MEASURES = {
    Measure.BIAS: "probability",
    Measure.FLIPS: "answer",
    Measure.HIT_RATE: "recognised",
    Measure.ACCURACY: "right",
}
"""What a bar is about, after whom it is about; how often an answer is given names the answer."""


@dataclass(frozen=True)
class Line:
    """One finding as a line of the list; the figures are shares."""

    sentence: str
    outcome: Outcome
    value: float
    low: float
    high: float
    limit: float
    points: str
    words: str
    detail: str  # with its interval and number of people


@dataclass(frozen=True)
class Findings:
    """The worst findings, the sentence that sums all of them up, and all as a table."""

    rows: tuple[Line, ...]
    summary: str
    table: pd.DataFrame


@dataclass(frozen=True)
class VerdictView:
    """The verdict as the page shows it."""

    headline: tuple[tuple[str, Role], ...]
    lead: str
    warnings: tuple[str, ...]
    """What a reader must know before the verdict, a sentence each."""
    judged_by: str
    """Who judges, where that is not to be expected; else ''."""
    decisive: str
    """The attribute that the headline is about, where it is beyond the limit; else ''."""
    findings: Findings
    groups: pd.DataFrame
    groups_summary: str
    not_tested: pd.DataFrame
    not_tested_summary: str
    """'' where everything was tested."""


def build(data: AttributeDataset, verdict: Verdict) -> VerdictView:
    """The page's words, picture and tables."""
    protected = {name for finding in verdict.findings for name in finding.attributes}
    protected |= {one.attribute for one in verdict.not_tested}
    return VerdictView(
        headline=_headline(verdict),
        lead=verdict.detail,
        warnings=tuple(
            sentence
            for sentence in (
                criteria.unsure(verdict),
                *(w.sentence for w in verdict.warnings if w.kind not in SAID_BELOW or w.column in protected),
            )
            if sentence
        ),
        judged_by=verdict.judged_by,
        decisive=verdict.attribute if verdict.outcome is Outcome.BEYOND else "",
        findings=_findings(data, verdict),
        groups=_groups(verdict.groups, verdict),
        groups_summary=_groups_summary(verdict, data.unit),
        not_tested=pd.DataFrame(
            [(FAMILIES[one.family], one.attribute, one.why) for one in verdict.not_tested],
            columns=["What", "By", "Why not"],
        ),
        not_tested_summary=_not_tested(verdict),
    )


def _findings(data: AttributeDataset, verdict: Verdict) -> Findings:
    shown, listed = verdict.findings[:MOST_SHOWN], verdict.findings[:MOST_ROWS]
    beyond = [f for f in verdict.findings if f.outcome is Outcome.BEYOND]
    unknown = sum(f.outcome is Outcome.UNKNOWN for f in verdict.findings)
    questions = len(verdict.findings)
    summary = (
        f"Beyond the limit: {figures.count(len(beyond))} of "
        f"{figures.counted(questions, 'comparison')}, all asked at once; for "
        f"{figures.count(unknown)} it cannot be said{_alone(verdict)}. The worst come first, at most {MOST_ROWS} in "
        "the table."
    )
    return Findings(
        rows=tuple(
            Line(
                short_sentence(data, f), f.outcome, f.value, f.low, f.high, f.limit,
                f"{figures.points(f.value)} points", WORDS[f.outcome],
                f"{f.sentence} Difference {figures.figure(Estimate(f.value, f.low, f.high, f.n))} points."
                f"{_rule(f, questions)}",
            )
            for f in shown
        ),
        summary=summary if verdict.findings else "Nothing could be compared.",
        table=_without_empty(
            pd.DataFrame([_row(name, f) for name, f in zip(_labels(listed), listed, strict=True)])
        ),
    )  # fmt: skip


def _alone(verdict: Verdict) -> str:
    """How many of those of whom nobody can say it would be beyond, were each asked alone; '' where none is."""
    alone = sum(is_beyond_alone_only(f) for f in verdict.findings)
    return f" (asked {ALONE}, as on the Fix page, {figures.count(alone)} would be beyond)" if alone else ""


def _rule(finding: Finding, questions: int) -> str:
    said = alone_sentence(finding, questions)
    return f" {said}" if said else ""


def _headline(verdict: Verdict) -> tuple[tuple[str, Role], ...]:
    """The headline in pieces, so that its figures stand out and the interval steps back."""
    worst = verdict.worst
    if worst is None or verdict.outcome is not Outcome.BEYOND:
        return ((verdict.headline, "words"),)
    marks = figures_in_sentence(worst)
    pieces: list[tuple[str, Role]] = []
    rest = verdict.headline
    for text, role in marks:
        before, found, after = rest.partition(text)
        if not found:
            return ((verdict.headline, "words"),)
        pieces += [(before, "words"), (found, role)]
        rest = after
    return (*pieces, (rest, "words"))


def _labels(findings: Sequence[Finding]) -> list[str]:
    """A short name for each, no two alike."""
    names: list[str] = []
    for f in findings:
        who = f.groups[0] if f.groups else f"twins by {f.attribute}"
        name = f"{who}: {MEASURES.get(f.measure, f'“{f.answer}”')}"
        names.append(name if name not in names else f"{name} ({names.count(name) + 1})")
    return names


def _row(name: str, finding: Finding) -> dict[str, str | int]:
    estimate = Estimate(finding.value, finding.low, finding.high, finding.n)
    return {
        "Finding": name,
        "What": FAMILIES[finding.family],
        "Difference, points": figures.figure(estimate),
        "Limit, points": f"{100 * finding.limit:g}",
        "Ratio": "" if finding.ratio is None else _ratio(finding.ratio),
        "n": finding.n,
        "Verdict": WORDS[finding.outcome],
    }


def _without_empty(table: pd.DataFrame) -> pd.DataFrame:
    """The same without a column that says nothing, as that of the ratios where no answer is the good one."""
    return table.loc[:, (table != "").any()] if len(table) else table


def _ratio(ratio: Ratio) -> str:
    """With its interval and its limit."""
    return f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f}), limit {ratio.limit:g}"


def _groups(groups: Sequence[Group], verdict: Verdict) -> pd.DataFrame:
    rows = []
    for group in groups:
        row: dict[str, str | int] = {
            "Group": group.name,
            "n": group.n,
            "Right, %": rate_figure(group.accuracy),
        }
        if verdict.favourable is not None:
            row[f"Answered “{verdict.favourable.level}”, %"] = rate_figure(group.selection_rate)
            row[f"Hit rate of “{verdict.favourable.level}”, %"] = rate_figure(group.true_positive_rate)
            row["False alarms, %"] = rate_figure(group.false_positive_rate)
            row["Precision, %"] = rate_figure(group.precision)
        rows.append(row)
    return pd.DataFrame(rows)


def rate_figure(rate: Rate | None) -> str:
    """A rate in percent with its interval, why there is none, or "" of nobody."""
    if rate is None:
        return ""
    if not rate.is_enough:
        return f"not enough people to say (n = {rate.n})"
    return figures.figure(Estimate(rate.value, rate.low, rate.high, rate.n))


def _groups_summary(verdict: Verdict, unit: str) -> str:
    small = sum(not group.accuracy.is_enough for group in verdict.groups)
    good = verdict.favourable
    named = f" The favourable answer is “{good.level}”: {good.reason}." if good is not None else ""
    few = f" {figures.counted(small, 'group')} too small to say." if small else ""
    people = figures.many(unit)
    people = (
        f"{people} that another system answered" if verdict.is_of_another_system else f"held-out {people}"
    )
    told = f"{figures.counted(len(verdict.groups), 'group')} of {people}.{few}{named}"
    if verdict.accuracy is None:
        return told
    sure = verdict.accuracy
    return (
        f"Right for {figures.percent(sure.value)} of {figures.count(sure.n)}; always answering “{sure.majority_class}” "
        f"would be right for {figures.percent(sure.majority)}. {told}"
    )


def _not_tested(verdict: Verdict) -> str:
    unread = [name for name in verdict.not_read if name]
    said = []
    if verdict.not_tested:
        said.append(
            f"{figures.counted(len(verdict.not_tested), 'comparison')} could not be made; the table says why."
        )
    if unread:
        said.append(f"The model does not read {figures.listed(unread)}.")
    return " ".join(said)
