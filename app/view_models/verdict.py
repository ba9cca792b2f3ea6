"""What a verdict says on Find bias: the worst first, in the data's own words, and what could not be tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from app.view_models import criteria
from app.view_models.charts import FLAG, NEUTRAL, Bar, BarChart
from fmd_core import Estimate, Verdict, figures
from fmd_core.measure.verdict.values import Family, Finding, Group, Measure, Outcome, Rate, Ratio, WarningKind

MOST_BARS = 8
MOST_SENTENCES = 5
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
class VerdictView:
    """The verdict as the page shows it."""

    headline: str
    lead: str
    warnings: tuple[str, ...]
    """What a reader must know before the verdict, a sentence each."""
    judged_by: str
    """Who judges, where that is not to be expected; else ''."""
    decisive: str
    """The attribute that the headline is about, where it is beyond the limit; else ''."""
    sentences: tuple[str, ...]
    """The worst findings, one each."""
    findings: BarChart
    groups: pd.DataFrame
    groups_summary: str
    not_tested: pd.DataFrame
    not_tested_summary: str
    """'' where everything was tested."""


def build(verdict: Verdict) -> VerdictView:
    """The page's words, picture and tables."""
    protected = {name for finding in verdict.findings for name in finding.attributes}
    protected |= {one.attribute for one in verdict.not_tested}
    return VerdictView(
        headline=verdict.headline,
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
        sentences=tuple(f.sentence for f in verdict.findings[:MOST_SENTENCES]),
        findings=_findings(verdict),
        groups=_groups(verdict.groups, verdict),
        groups_summary=_groups_summary(verdict),
        not_tested=pd.DataFrame(
            [(FAMILIES[one.family], one.attribute, one.why) for one in verdict.not_tested],
            columns=["What", "By", "Why not"],
        ),
        not_tested_summary=_not_tested(verdict),
    )


def _findings(verdict: Verdict) -> BarChart:
    shown, listed = verdict.findings[:MOST_BARS], verdict.findings[:MOST_ROWS]
    beyond = [f for f in verdict.findings if f.outcome is Outcome.BEYOND]
    unknown = sum(f.outcome is Outcome.UNKNOWN for f in verdict.findings)
    summary = (
        f"Beyond the limit: {figures.count(len(beyond))} of "
        f"{figures.counted(len(verdict.findings), 'comparison')}, adjusted for looking at all; for "
        f"{figures.count(unknown)} it cannot be said. The worst come first, at most {MOST_ROWS} in "
        "the table; bars are differences in points, and a mark across each is its limit."
    )
    return BarChart(
        bars=tuple(
            Bar(
                label,
                Estimate(f.value, f.low, f.high, f.n),
                FLAG if f.outcome is Outcome.BEYOND else NEUTRAL,
                f.limit,
            )
            for label, f in zip(_labels(shown), shown, strict=True)
        ),
        summary=summary if verdict.findings else "Nothing could be compared.",
        table=_without_empty(
            pd.DataFrame([_row(name, f) for name, f in zip(_labels(listed), listed, strict=True)])
        ),
    )


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
        row: dict[str, str | int] = {"Group": group.name, "n": group.n, "Right, %": _rate(group.accuracy)}
        if verdict.favourable is not None:
            row[f"Answered “{verdict.favourable.level}”, %"] = _rate(group.selection_rate)
            row[f"Hit rate of “{verdict.favourable.level}”, %"] = _rate(group.true_positive_rate)
            row["False alarms, %"] = _rate(group.false_positive_rate)
            row["Precision, %"] = _rate(group.precision)
        rows.append(row)
    return pd.DataFrame(rows)


def _rate(rate: Rate | None) -> str:
    if rate is None:
        return ""
    if not rate.is_enough:
        return f"not enough people to say (n = {rate.n})"
    return figures.figure(Estimate(rate.value, rate.low, rate.high, rate.n))


def _groups_summary(verdict: Verdict) -> str:
    small = sum(not group.accuracy.is_enough for group in verdict.groups)
    good = verdict.favourable
    named = f" The favourable answer is “{good.level}”: {good.reason}." if good is not None else ""
    few = f" {figures.counted(small, 'group')} too small to say." if small else ""
    told = f"{figures.counted(len(verdict.groups), 'group')} of held-out people.{few}{named}"
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
