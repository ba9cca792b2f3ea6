"""Report: the evidence pack and its three files."""

from __future__ import annotations

from dataclasses import dataclass

import fmd_core as fmd
from app.history import History, Recipe
from fmd_core import wording
from fmd_core.models import head_to_safetensors
from fmd_core.report import Step, report_json


@dataclass(frozen=True)
class ReportView:
    """What is sent to someone who was not in the room."""

    headline: str
    lead: str
    note: str  # why the report has no before and after, empty if it has
    html: str
    json: str
    head: bytes


def build(evidence: fmd.Evidence) -> ReportView:
    """Files and sentences from one evidence pack."""
    worst = fmd.scan(evidence.audit, evidence.threshold, evidence.measure)[0]
    report = fmd.build_report(evidence)
    head = evidence.classifier.head if evidence.point is None else evidence.point.result.head
    origin = {"original_sha256": evidence.classifier.head.fingerprint, "sha256": head.fingerprint}
    return ReportView(
        headline=(
            wording.attribute_headline(worst)
            if evidence.comparison is None
            else wording.comparison_headline(evidence.comparison)
        ),
        lead=(
            "What was found, done and measured, in one page that needs no server and no network: send it to someone "
            "who was not in the room."
        ),
        note=_note(evidence),
        html=fmd.render_report(evidence, report=report),
        json=report_json(report),
        head=head_to_safetensors(head, origin),
    )


def _note(evidence: fmd.Evidence) -> str:
    if evidence.point is not None:
        return ""
    if evidence.history:
        return "The original model is in force; what was tried is in the history of the report."
    return "Nothing has been unlearned yet, so the report covers what was found and who taught it."


def steps(history: History, results: dict[Recipe | None, fmd.UnlearningResult]) -> tuple[Step, ...]:
    """The visible history with the head that each entry left in force."""
    return tuple(
        Step(entry.at, entry.action, entry.recipe.aim.words if entry.recipe else "", results[entry.recipe])
        for entry in history.log
    )
