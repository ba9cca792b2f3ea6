"""What was reviewed, found and done, as plain JSON values. Shares are in [0, 1]; intervals are 95 %."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, cast

import numpy as np

from fmd_core import wording
from fmd_core.bias import BiasReport
from fmd_core.data import SPLITS, Array, AttributeDataset, Column
from fmd_core.guarded_path import PathPoint
from fmd_core.models.classifier import Classifier
from fmd_core.report.evidence import AuditTrail, Evidence
from fmd_core.scan import Finding, scan
from fmd_core.score_check import GroupCheck, ScoreCheck
from fmd_core.unlearning import USES_K, StrategyName, UnlearningResult

EFFECTS = ("added_up", "predicted", "measured", "predicted_held_out", "measured_held_out")


def data(dataset: AttributeDataset) -> dict[str, Any]:
    """The data set: its digest, its parts, and who is in them."""
    columns = (dataset.target, *dataset.attributes.values())
    return {
        "name": dataset.name,
        "sha256": dataset.fingerprint,
        "target": dataset.target.name,
        "classes": list(dataset.target.levels),
        "attributes": {c.name: list(c.levels) for c in dataset.attributes.values()},
        "notes": list(dataset.notes),
        "twins": dataset.pair_method,
        "unit": dataset.unit,
        "kind": dataset.source.kind,
        "shareable": dataset.shareable,
        "samples": {split: int((dataset.split == split).sum()) for split in SPLITS},
        "composition": [row for column in columns for row in _composition(dataset, column)],
    }


def _composition(dataset: AttributeDataset, column: Column) -> list[dict[str, Any]]:
    """How many samples of each part show each level."""
    counts = {
        split: np.bincount(column.codes[dataset.split == split], minlength=len(column.levels)).tolist()
        for split in SPLITS
    }
    return [
        {"column": column.name, "level": level, **{split: counts[split][code] for split in SPLITS}}
        for code, level in enumerate(column.levels)
    ]


def model(classifier: Classifier) -> dict[str, Any]:
    """The original model and its digests."""
    return {
        "architecture": classifier.architecture,
        "parameters": classifier.n_parameters,
        "sha256": classifier.fingerprint,
        "head_sha256": classifier.head.fingerprint,
        "damping": classifier.damping,
    }


def decision(evidence: Evidence) -> dict[str, Any]:
    """What the reviewer decided, and about which last layer."""
    made, head = evidence.decision, evidence.classifier.head
    in_force = head if evidence.point is None else evidence.point.result.head
    return {
        "verdict": made.verdict,
        "reviewer": made.reviewer,
        "date": None if made.date is None else made.date.isoformat(),
        "notes": made.notes,
        "intended_use": made.intended_use,
        "head_sha256": in_force.fingerprint,
    }


def settings(evidence: Evidence) -> dict[str, Any]:
    """Everything that was chosen; what belongs to a variant is None with the original in force."""
    result = None if evidence.point is None else evidence.point.result
    return {
        "measure": evidence.measure,
        "attributes": list(evidence.attributes or (evidence.scores.attribute,)),
        "limit": evidence.threshold,
        "most_unlike": evidence.most_unlike,
        "left_out": [{"attribute": attribute, "row": row} for attribute, row in evidence.left_out],
        "strategy": None if result is None else result.strategy,
        "strength": None if result is None else result.strength,
        "k": result.k if result is not None and result.strategy in USES_K else None,
        "blend": None if result is None else result.blend,
        "depth": evidence.depth,
        "tolerance": evidence.tolerance,
    }


def found(evidence: Evidence) -> dict[str, Any]:
    """Every attribute of the original model against the limit, worst first."""
    findings = findings_of(evidence, evidence.audit)
    return {
        "threshold": evidence.threshold,
        "accuracy": asdict(evidence.audit.accuracy),
        "worst_served": wording.worst_served_sentence(findings[0].audit, evidence.audit.accuracy),
        "measure": evidence.measure,
        "attributes": [attribute(f) for f in findings],
    }


def findings_of(evidence: Evidence, audit: BiasReport) -> tuple[Finding, ...]:
    """The verdicts on one model, under the reviewer's limit and measure."""
    return scan(audit, evidence.threshold, evidence.measure)


def attribute(finding: Finding) -> dict[str, Any]:
    """One attribute: figures, verdict and sentences."""
    audit = finding.audit
    return asdict(audit) | {
        "groups": [asdict(group) for group in audit.groups],
        "judged": asdict(finding.estimate),
        "verdict": finding.words,
        "adjusted_p": finding.adjusted_p,
        "headline": wording.attribute_headline(finding),
        "sentence": wording.attribute_sentence(finding),
    }


def describe_row(dataset: AttributeDataset, row: int) -> dict[str, str]:
    """Target and attributes of one sample by name."""
    columns = (dataset.target, *dataset.attributes.values())
    return {c.name: c.levels[c.codes[row]] for c in columns}


def harmful(evidence: Evidence) -> dict[str, Any]:
    """The training samples ranked first and last."""
    scores, dataset = evidence.scores, evidence.dataset
    aligned = dataset.bias_aligned(scores.attribute)

    def entries(positions: Array) -> list[dict[str, Any]]:
        return [
            {
                "rank": rank,
                "row": int(scores.rows[p]),
                "removal_effect": float(scores.removal_effect[p]),
                "bias_aligned": bool(aligned[scores.rows[p]]),
                "shows": describe_row(dataset, int(scores.rows[p])),
            }
            for rank, p in enumerate(positions, start=1)
        ]

    return {
        "attribute": scores.attribute,
        "bias": wording.bias_name(scores),
        "top_k": evidence.top_k,
        "most_harmful": entries(scores.most_harmful(evidence.top_k)),
        "most_helpful": entries(scores.most_helpful(evidence.top_k)),
        "remarks": [
            asdict(remark) | {"shows": describe_row(dataset, remark.row)} for remark in evidence.remarks
        ],
    }


def audit_log(trail: AuditTrail | None) -> dict[str, Any] | None:
    """The log as it was kept, with its hashes."""
    if trail is None:
        return None
    return {
        "is_intact": trail.is_intact,
        "sentence": trail.sentence,
        "lines": [
            {"at": line.at.isoformat(), "action": line.action, "detail": line.detail, "hash": line.hash}
            for line in trail.lines
        ],
    }


def score_check(check: ScoreCheck) -> dict[str, Any]:
    """Predicted beside measured: what leaving K samples out does to the bias."""
    return {
        "attribute": check.attribute,
        "k": check.k,
        "verdict": check.verdict,
        "converged": check.converged,
        "groups": [_group(group) for group in check.groups],
        "planted": asdict(check.planted),
    }


def _group(group: GroupCheck) -> dict[str, Any]:
    ends = {name: group.ends(name) for name in EFFECTS}
    figures = {
        name: {"mean": group.mean(name), "least": ends[name][0], "most": ends[name][1]} for name in EFFECTS
    }
    return {"kind": group.kind, "draws": len(group.draws), **figures}


def done(evidence: Evidence) -> dict[str, Any]:
    """The visible history, and the variant in force."""
    return {
        "history": [
            {
                "at": step.at.isoformat(timespec="seconds"),
                "action": step.action,
                "attribute": step.attribute,
                "setting": step.note or _setting(step.result),
                "head_sha256": step.result.head.fingerprint,
            }
            for step in evidence.history
        ],
        "current": None if evidence.point is None else _current(evidence.point, evidence.tolerance),
    }


def _current(point: PathPoint, tolerance: float | None) -> dict[str, Any]:
    result = point.result
    return {
        "strategy": result.strategy,
        "strength": result.strength,
        "k": result.k if result.strategy in USES_K else None,
        "blend": result.blend,
        "step_share": result.step_share,
        "setting": _setting(result),
        "head_sha256": result.head.fingerprint,
        "guard": {
            "admitted": not point.refusal,
            "refusal": point.refusal,
            "validation_bias": point.bias,
            "validation_accuracy": point.accuracy,
            "tolerance": tolerance,
        },
    }


def _setting(result: UnlearningResult) -> str:
    if result.what:
        return result.what
    strategy, share = cast(StrategyName, result.strategy), result.step_share
    setting = wording.setting(strategy, result.strength, result.k, result.blend)
    if share == 1 or result.strength == 0:
        return setting
    shortened = wording.percent(share, digits=1 if share >= 0.01 else 3)
    return f"{setting}, of a step shortened to {shortened} of the published one"
