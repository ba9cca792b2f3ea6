"""Find bias: which attributes decide the answer, and who is served how well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from app.view_models.charts import FLAG, NEUTRAL, Bar, BarChart
from fmd_core import (
    AttributeBias,
    AttributeDataset,
    BiasReport,
    DataError,
    Estimate,
    Finding,
    RedFlag,
    Verdict,
    figures,
    scan,
)
from fmd_core.measure.bias_functions import Measure
from fmd_core.measure.compared_groups import USUAL
from fmd_core.measure.verdict.values import Judges
from fmd_core.report import wording

MOST_FLAGS = 40
MOST_GROUPS = 8  # of one class and one level each; more are a matter for the report


@dataclass(frozen=True)
class FindingsView:
    """All attributes at one threshold."""

    headline: str
    lead: str
    decisive: str
    """The attribute that the headline blames; empty if it blames none."""
    attributes: BarChart


def build_findings(audit: BiasReport, threshold: float, measure: Measure = "counterfactual") -> FindingsView:
    """`threshold` is a share; the worst attribute makes the headline."""
    found = scan(audit, threshold, measure)
    worst, biased = found[0], [f.attribute for f in found if f.verdict == "biased"]
    limit = figures.counted(round(100 * threshold), "point")
    looked = ", adjusted for looking at all" if len(found) > 1 else ""
    chart = BarChart(
        bars=tuple(Bar(f.attribute, f.estimate, FLAG if f.verdict == "biased" else NEUTRAL) for f in found),
        summary=(
            f"Beyond the limit of {limit}: {', '.join(biased) or 'none'} "
            f"({len(biased)} of {figures.counted(len(found), 'attribute')}{looked})."
        ),
        table=pd.DataFrame([_row(finding) for finding in found]),
    )
    sentences = wording.attribute_sentence(worst), wording.worst_served_sentence(worst.audit, audit.accuracy)
    headline, lead = wording.attribute_headline(worst), " ".join(filter(None, sentences))
    return FindingsView(headline, lead, worst.attribute if worst.verdict == "biased" else "", chart)


def axis(measure: Measure, *, matched: bool) -> str:
    """What the bars measure."""
    if measure != "counterfactual":
        return f"{measure} gap, points"
    return "bias beyond the placebo, points" if matched else "counterfactual bias, points"


def measured_apart(verdict: Verdict, data: AttributeDataset, n: int) -> str:
    """What sets the figures of the audit apart from those of the verdict, where they are not the same people's."""
    others = verdict.judges is Judges.EVERYBODY
    weighted = data.weights is not None or data.persons is not None
    if not others and not weighted:
        return ""
    who = f" From here on it is asked of {figures.count(n)} held-out test {figures.many(data.unit)}"
    how = ", by the model itself" if others else ""
    return f"{who}{how}{', each row counted once' if weighted else ''}, so figures differ somewhat from those above."


GROUP_TERMS = (
    "Demographic parity",
    "Equal opportunity",
    "Equalized odds",
    "Disparate impact",
    "Selection rate",
)


def terms(measure: Measure, *, matched: bool) -> tuple[str, ...]:
    """Glossary terms of the headline and the table under it."""
    first = () if measure == "counterfactual" else (measure.capitalize(),)
    placebo = ("Placebo twins", "Excess (beyond the placebo)") if matched else ()
    return (*first, "Counterfactual bias", *placebo, "Decision flip", "Interval (95 %)")


def _row(finding: Finding) -> dict[str, str | int]:
    found, estimate = finding.audit, finding.estimate
    row: dict[str, str | int] = {"Attribute": found.attribute}
    if finding.measure != "counterfactual":
        row["Gap, points"] = figures.figure(estimate)
    row["Bias, points"] = figures.figure(found.bias)
    if found.placebo is not None and found.excess is not None:
        row["Placebo twins"] = figures.figure(found.placebo)
        row["Beyond the placebo"] = figures.figure(found.excess)
        row["Match distance"] = f"{found.distance:.2f}"
    row["Decision flips, %"] = figures.figure(found.flips)
    row["n"] = estimate.n
    row["Adjusted p"] = "" if finding.adjusted_p is None else figures.p_value(finding.adjusted_p)
    row["Verdict"] = finding.words
    return row


@dataclass(frozen=True)
class ServiceView:
    """Who is served how well, by one attribute."""

    groups: BarChart
    metrics: BarChart


def build_service(audit: BiasReport, attribute: str, unit: str = "image") -> ServiceView:
    """Accuracy with and against the pattern, and aif360's group metrics."""
    focus = next((a for a in audit.attributes if a.attribute == attribute), None)
    if focus is None:
        raise DataError(f"Nobody can be compared by '{attribute}'; choose another attribute in the sidebar.")
    return ServiceView(_groups(focus, figures.many(unit)), _metrics(focus, figures.many(unit)))


def _groups(focus: AttributeBias, people: str) -> BarChart:
    rows = [
        (USUAL[0].format(focus.attribute), focus.aligned_accuracy),
        (USUAL[1].format(focus.attribute), focus.conflicting_accuracy),
    ]
    if len(focus.groups) <= MOST_GROUPS:
        rows += [(g.who, g.accuracy) for g in focus.groups]
    aligned, conflicting = focus.aligned_accuracy.value, focus.conflicting_accuracy.value
    summary = "There are not enough people to compare the two groups."
    if aligned is not None and conflicting is not None:
        summary = (
            f"Right for {figures.percent(aligned)} of {people} whose {focus.attribute} is usual for their class in "
            f"training, and for {figures.percent(conflicting)} of those whose {focus.attribute} is unusual for it."
        )
    return BarChart(
        tuple(Bar(label, estimate) for label, estimate in rows),
        summary,
        pd.DataFrame(
            [(label, figures.figure(e), e.n) for label, e in rows], columns=["Group", "Accuracy, %", "n"]
        ),
    )


def _metrics(focus: AttributeBias, people: str) -> BarChart:
    m = focus.metrics
    gaps = [
        ("Demographic parity difference", m.demographic_parity_difference),
        ("Equal opportunity difference", m.equal_opportunity_difference),
    ]
    rates = [
        (f"Selection rate, {USUAL[0].format(focus.attribute)}", m.selection_rate_privileged),
        ("Selection rate, others", m.selection_rate_others),
    ]
    table = [(label, figures.figure(e), "percent", e.n) for label, e in rates]
    table += [(label, figures.figure(e), "points, 0 is even", e.n) for label, e in gaps]
    odds = m.equalized_odds_difference  # the larger of two absolute gaps: its interval cannot hold 0
    table.append(("Equalized odds difference", figures.figure(odds), "points, larger gap", odds.n))
    table.append(("Disparate impact", _ratio(m.disparate_impact), "ratio, 1 is even", m.disparate_impact.n))
    parity = m.demographic_parity_difference.value
    summary = "There are not enough people to compute group metrics."
    if parity is not None:
        summary = (
            f"A class is answered {figures.points(abs(parity))} points {'more' if parity >= 0 else 'less'} often for "
            f"{people} whose {focus.attribute} is usual for it (95 % interval of the difference "
            f"{figures.interval(m.demographic_parity_difference)})."
        )
    return BarChart(
        tuple(Bar(label, estimate) for label, estimate in gaps),
        summary,
        pd.DataFrame(table, columns=["Metric (aif360)", "Value", "Unit", "n"]),
    )


def _ratio(estimate: Estimate) -> str:
    if estimate.value is None:
        return estimate.problem
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"


@dataclass(frozen=True)
class FlagsView:
    """Groups and pairs of groups, worst served first."""

    headline: str
    summary: str
    table: pd.DataFrame
    attributes: tuple[str, ...]  # the attribute that each row of the table is a story of


def build_flags(flags: Sequence[RedFlag], unit: str = "image") -> FlagsView:
    """At most MOST_FLAGS rows; what cannot be said is counted."""
    people, raised = figures.many(unit), [f for f in flags if f.is_flag]
    known = [f for f in flags if f.gap.value is not None]
    shown = known[:MOST_FLAGS]
    unknown = [f for f in flags if f.gap.value is None]
    rows = [*shown, *unknown[: MOST_FLAGS - len(shown)]]
    headline = f"There are not enough {people} in any group to say whether it is served worse."
    if known:
        headline = (
            ""  # that nobody stands out over all classes is no all-clear: within one class somebody may
        )
    if raised:
        worst = raised[0]
        headline = (
            f"Served worst over all classes together: {worst.who}. The model is right for "
            f"{figures.points(-(worst.gap.value or 0))} points fewer of them than of all others "
            f"(95 % interval {figures.points(-(worst.gap.high or 0))} to {figures.points(-(worst.gap.low or 0))}, "
            f"n = {figures.count(worst.gap.n)})."
        )
    return FlagsView(
        headline,
        _flags_summary(known, len(unknown), len(rows), people),
        pd.DataFrame(
            [
                (
                    f.who,
                    figures.figure(f.accuracy),
                    figures.figure(f.gap, difference=True),
                    "" if f.adjusted_p is None else figures.p_value(f.adjusted_p),
                    f.accuracy.n,
                    f.verdict,
                )
                for f in rows
            ],
            columns=["Group", "Right, %", "Against all others, points", "Adjusted p", "n", "Verdict"],
        ),
        tuple(f.attributes[0] for f in rows),
    )


def _flags_summary(known: Sequence[RedFlag], unknown: int, shown: int, people: str) -> str:
    """How many groups are served worse, how many better, and for how many that cannot be said."""
    worse, better = (sum(f.verdict == said for f in known) for said in ("served worse", "served better"))
    more = f"; for {unknown} more there are not enough {people} to say" if unknown else ""
    return (
        f"Served worse by more than chance: {worse} of {figures.counted(len(known), 'group')}, of one attribute or of "
        f"two; served better: {better}. Adjusted for looking at all{more}. The table has {shown}, the worst first; "
        "select one to review its attribute."
    )
