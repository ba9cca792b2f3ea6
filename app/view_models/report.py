"""Report: the evidence pack and its three files."""

from __future__ import annotations

from dataclasses import dataclass, replace

import fmd_core as fmd
from app.record.history import History
from app.record.variants import Variant
from fmd_core.models.files import head_to_safetensors
from fmd_core.report import wording
from fmd_core.report.evidence import DecisionVerdict
from fmd_core.report.schema import Report
from fmd_core.report.writing import Step, report_json
from fmd_core.text import clean_text

VERDICTS: dict[DecisionVerdict | None, str] = {
    None: "No decision yet",
    "accept": "Accept",
    "needs work": "Needs work",
    "reject": "Reject",
}


@dataclass(frozen=True)
class ReportView:
    """What is sent to someone who was not in the room."""

    headline: str
    lead: str
    note: str  # why the report has no before and after, empty if it has
    report: Report
    html: str
    json: str
    head: bytes


def build(evidence: fmd.Evidence) -> ReportView:
    """Files and sentences from one evidence pack."""
    report = fmd.build_report(evidence)
    head = evidence.classifier.head if evidence.point is None else evidence.point.result.head
    origin = {"original_sha256": evidence.classifier.head.fingerprint, "sha256": head.fingerprint}
    return ReportView(
        headline=_headline(evidence),
        lead=_still(evidence)
        + (
            "What was found, done and measured, in one page that needs no server and no network: send it to someone "
            "who was not in the room."
        ),
        note=_note(evidence),
        report=report,
        html=fmd.render_report(evidence, report=report),
        json=report_json(report),
        head=head_to_safetensors(head, origin),
    )


def in_frame(html: str) -> str:
    """The page for a preview inside another page, whose address its own links would load instead."""
    return html.replace('<a href="#', '<a data-to="#')


def _headline(evidence: fmd.Evidence) -> str:
    """The worst of everything that was measured, or what a change did."""
    if evidence.comparison is not None:
        return wording.comparison_headline(evidence.comparison)
    if evidence.verdict is not None:
        return evidence.verdict.headline
    return wording.attribute_headline(fmd.scan(evidence.audit, evidence.threshold, evidence.measure)[0])


def _still(evidence: fmd.Evidence) -> str:
    if evidence.comparison is None:
        return ""
    found = wording.still_beyond(evidence.comparison, evidence.threshold)
    return f"{found} " if found else ""


def _note(evidence: fmd.Evidence) -> str:
    if evidence.point is not None:
        return ""
    if evidence.history:
        return "The original model is in force; what was tried is in the history of the report."
    return "Nothing has been unlearned yet, so the report covers what was found and who taught it."


def steps(history: History, results: dict[Variant | None, fmd.UnlearningResult]) -> tuple[Step, ...]:
    """The visible history with the head that each entry left in force."""
    return tuple(
        Step(
            entry.at,
            entry.action,
            entry.variant.aim.words if entry.variant else "",
            results[entry.variant],
            entry.note,
            entry.refusal,
        )
        for entry in history.log
    )


def apart(text: str) -> str:
    """A name in one sentence with others: written from right to left, it stays in its place (Unicode FSI, PDI)."""
    return text if text.isascii() else f"\u2068{clean_text(text)}\u2069"


def decided(decision: fmd.Decision) -> str:
    """What was decided about the head in force, for the line above the headline."""
    return "not decided yet" if decision.verdict is None else f"decided: {VERDICTS[decision.verdict].lower()}"


def decision_in_force(saved: tuple[fmd.Decision, str] | None, head: str) -> tuple[fmd.Decision, str]:
    """What was decided about the `head` in force, by fingerprint, and a sentence about it.

    A decision about another head does not hold for this one; notes and intended use do.
    """
    if saved is None:
        return fmd.Decision(), "No decision yet. All of this may stay empty."
    made, about = saved
    if made.verdict is None:
        return made, "Saved to the report, without a decision."
    if about != head:
        earlier = f"“{VERDICTS[made.verdict]}” was decided about another variant than the one in force"
        return replace(made, verdict=None, date=None), f"{earlier}, so the report has no decision yet."
    who = f"by {apart(made.reviewer)}" if made.reviewer else "without a name"
    when = f", {made.date:%d %B %Y}".replace(" 0", " ") if made.date else ""
    return made, f"Saved to the report: {VERDICTS[made.verdict]}, {who}{when}."
