"""Find bias: which attributes decide the answer, and who is served how well."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from app.charts import FLAG, NEUTRAL, Bar, BarChart
from fmd_core import AttributeBias, BiasReport, DataError, Estimate, wording

MOST_GROUPS = 8  # of one class and one level each; more are a matter for the report


@dataclass(frozen=True)
class FindingsView:
    """All attributes at one threshold."""

    headline: str
    lead: str
    attributes: BarChart


def build_findings(audit: BiasReport, threshold: float) -> FindingsView:
    """`threshold` is a share; the worst attribute makes the headline."""
    worst = audit.attributes[0]
    judged = [(a, wording.attribute_verdict(a, threshold)) for a in audit.attributes]
    biased = [a.attribute for a, verdict in judged if verdict == "biased"]
    chart = BarChart(
        bars=tuple(Bar(a.attribute, a.judged, FLAG if v == "biased" else NEUTRAL) for a, v in judged),
        summary=(
            f"Beyond the limit of {wording.points(threshold, 0)} points: {', '.join(biased) or 'none'} "
            f"({len(biased)} of {len(judged)} attributes)."
        ),
        table=pd.DataFrame([_row(a, verdict) for a, verdict in judged]),
    )
    sentences = wording.attribute_sentence(worst), wording.worst_served_sentence(worst, audit.accuracy)
    return FindingsView(
        wording.attribute_headline(worst, threshold), " ".join(filter(None, sentences)), chart
    )


def _row(found: AttributeBias, verdict: str) -> dict[str, str | int]:
    row: dict[str, str | int] = {
        "Attribute": found.attribute,
        "Bias, points": wording.figure(found.bias),
        "Decision flips, %": wording.figure(found.flips),
        "n": found.bias.n,
        "Verdict": verdict,
    }
    if found.placebo is None or found.excess is None:
        return row
    matched = {
        "Placebo twins": wording.figure(found.placebo),
        "Beyond the placebo": wording.figure(found.excess),
        "Match distance": f"{found.distance:.2f}",
    }
    return {**dict(list(row.items())[:2]), **matched, **dict(list(row.items())[2:])}


@dataclass(frozen=True)
class ServiceView:
    """Who is served how well, by one attribute."""

    groups: BarChart
    metrics: BarChart


def build_service(audit: BiasReport, attribute: str, unit: str = "image") -> ServiceView:
    """Accuracy of the usual and the unusual, and aif360's group metrics."""
    focus = next((a for a in audit.attributes if a.attribute == attribute), None)
    if focus is None:
        raise DataError(f"'{attribute}' has one value only, so nobody can be compared by it; choose another.")
    return ServiceView(_groups(focus, wording.many(unit)), _metrics(focus, wording.many(unit)))


def _groups(focus: AttributeBias, people: str) -> BarChart:
    rows = [
        (f"usual {focus.attribute}", focus.aligned_accuracy),
        (f"unusual {focus.attribute}", focus.conflicting_accuracy),
    ]
    if len(focus.groups) <= MOST_GROUPS:
        rows += [(f"{g.label}, {g.level}", g.accuracy) for g in focus.groups]
    usual, unusual = focus.aligned_accuracy.value, focus.conflicting_accuracy.value
    summary = "There are not enough people to compare the two groups."
    if usual is not None and unusual is not None:
        summary = (
            f"Right for {wording.percent(usual)} of {people} with their usual {focus.attribute}, the one that training "
            f"tied to their class, and for {wording.percent(unusual)} of all others."
        )
    return BarChart(
        tuple(Bar(label, estimate) for label, estimate in rows),
        summary,
        pd.DataFrame(
            [(label, wording.figure(e), e.n) for label, e in rows], columns=["Group", "Accuracy, %", "n"]
        ),
    )


def _metrics(focus: AttributeBias, people: str) -> BarChart:
    m = focus.metrics
    gaps = [
        ("Demographic parity difference", m.demographic_parity_difference),
        ("Equal opportunity difference", m.equal_opportunity_difference),
    ]
    rates = [
        (f"Selection rate, usual {focus.attribute}", m.selection_rate_privileged),
        ("Selection rate, others", m.selection_rate_others),
    ]
    table = [(label, wording.figure(e), "percent", e.n) for label, e in rates]
    table += [(label, wording.figure(e), "points, 0 is even", e.n) for label, e in gaps]
    odds = m.equalized_odds_difference  # the larger of two absolute gaps: its interval cannot hold 0
    table.append(("Equalized odds difference", wording.figure(odds), "points, larger gap", odds.n))
    table.append(("Disparate impact", _ratio(m.disparate_impact), "ratio, 1 is even", m.disparate_impact.n))
    parity = m.demographic_parity_difference.value
    summary = "There are not enough people to compute group metrics."
    if parity is not None:
        summary = (
            f"A class is answered {wording.points(abs(parity))} points {'more' if parity >= 0 else 'less'} often for "
            f"{people} that show its usual {focus.attribute} (95 % interval of the difference "
            f"{wording.figure(m.demographic_parity_difference).partition(' (')[2]}."
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
