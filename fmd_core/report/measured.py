"""What held-out people say of the variant in force, as plain JSON values."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from fmd_core import wording
from fmd_core.bias import BiasReport
from fmd_core.comparison import OUTCOMES, Comparison, changed_examples, outcome
from fmd_core.data import AttributeDataset
from fmd_core.proof import Rival
from fmd_core.report.evidence import Evidence
from fmd_core.report.sections import attribute, findings_of
from fmd_core.scan import Finding

PICTURES = 12
REMARKS = 100  # samples with something said of them that the page shows


def measured(evidence: Evidence, comparison: Comparison) -> dict[str, Any]:
    """Before and after, who pays, what simpler fixes did, and whose answer changed."""
    after, changed = evidence.audit_after, _changed(evidence.dataset, comparison)
    labels = evidence.dataset.target.codes[comparison.rows]
    was, now = _before_and_after(evidence, comparison)
    still = wording.still_beyond(comparison.judged, evidence.threshold)
    return {
        "attribute": comparison.attribute,
        "headline": wording.comparison_headline(comparison),
        "sentence_before": wording.attribute_sentence(was),
        "sentence_after": f"{wording.attribute_sentence(now)} {still}".rstrip(),
        "verdict": comparison.verdict,
        "who_pays": f"{wording.people_sentence(comparison, evidence.dataset.unit)} "
        f"{wording.losers_sentence(comparison)}",
        "bias": asdict(comparison.bias),
        "gap": None if comparison.gap is None else asdict(comparison.gap),
        "judged": asdict(comparison.judged),
        "excess": None if comparison.excess is None else asdict(comparison.excess),
        "flips": asdict(comparison.flips),
        "accuracy": asdict(comparison.accuracy),
        "aligned_accuracy": asdict(comparison.aligned_accuracy),
        "conflicting_accuracy": asdict(comparison.conflicting_accuracy),
        "attributes_after": None if after is None else [attribute(f) for f in findings_of(evidence, after)],
        "rivals": [_rival(rival, found) for rival, found in evidence.rivals],
        "no_rivals": evidence.no_rivals,
        "groups": [asdict(change) for change in comparison.groups],
        "intersections": [asdict(change) for change in comparison.intersections],
        "confusion_before": comparison.confusion_before.tolist(),
        "confusion_after": comparison.confusion_after.tolist(),
        "changed": changed,
        "shown": comparison.rows[changed_examples(comparison, labels, PICTURES)].tolist(),
        "outcomes": {name: sum(entry["outcome"] == name for entry in changed) for name in OUTCOMES},
    }


def _before_and_after(evidence: Evidence, comparison: Comparison) -> tuple[Finding, Finding]:
    def by_name(audit: BiasReport) -> Finding:
        return next(f for f in findings_of(evidence, audit) if f.attribute == comparison.attribute)

    was = by_name(evidence.audit)
    if evidence.audit_after is not None:
        return was, by_name(evidence.audit_after)
    ends = comparison.bias.after, comparison.flips.after
    short = replace(was.audit, bias=ends[0], flips=ends[1], placebo=None, excess=None)
    return was, replace(was, audit=short)


def _rival(rival: Rival, comparison: Comparison) -> dict[str, Any]:
    return {
        "name": rival.name,
        "title": rival.title,
        "k": rival.k,
        "after": asdict(comparison.judged.after),
        "difference": asdict(comparison.judged.difference),
        "accuracy_difference": asdict(comparison.accuracy.difference),
    }


def _changed(dataset: AttributeDataset, comparison: Comparison) -> list[dict[str, Any]]:
    """Every held-out sample whose answer changed; classes by index."""
    columns = (
        comparison.rows,
        dataset.target.codes[comparison.rows],
        comparison.predicted_before,
        comparison.predicted_after,
    )
    entries = np.stack(columns, axis=1)[comparison.changed].tolist()
    return [
        {
            "row": row,
            "truth": truth,
            "before": before,
            "after": after,
            "outcome": outcome(truth, before, after),
        }
        for row, truth, before, after in entries
    ]
