"""The evidence pack: one dictionary of everything found, done and measured, and one
self-contained HTML page drawn from it (no network, no scripts, prints well)."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, select_autoescape

from fmd_core import wording
from fmd_core.bias import BiasReport
from fmd_core.bias_functions import Measure
from fmd_core.comparison import OUTCOMES, Comparison, changed_examples, outcome
from fmd_core.counterfactual import PAIR_SEED
from fmd_core.data import SPLITS, Array, AttributeDataset
from fmd_core.guarded_path import PathPoint
from fmd_core.imaging import data_uri
from fmd_core.influence import InfluenceScores
from fmd_core.intervals import BOOTSTRAP_SEED, DRAWS, Estimate
from fmd_core.models import Classifier
from fmd_core.scan import Finding, scan
from fmd_core.unlearning import USES_K, UnlearningResult

FORMAT = "fmd-report-1"
PACKAGES = ("fmd-studio", "numpy", "scipy", "torch", "torchvision", "captum", "aif360", "streamlit")
PICTURES = 12


@dataclass(frozen=True, eq=False)
class Step:
    """One entry of the visible history."""

    at: datetime
    action: str  # "apply", "undo", "redo" or "back to original"
    attribute: str
    result: UnlearningResult


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that a report is made from. With the original in force, the last four are None."""

    dataset: AttributeDataset
    classifier: Classifier
    audit: BiasReport
    threshold: float
    scores: InfluenceScores
    top_k: int
    history: tuple[Step, ...] = ()
    point: PathPoint | None = None
    """The setting in force and what the guard says of it."""
    tolerance: float | None = None
    """Accuracy that the guard allows to be lost, as a share."""
    comparison: Comparison | None = None
    audit_after: BiasReport | None = None
    measure: Measure = "counterfactual"


def build_report(evidence: Evidence, *, created: datetime | None = None) -> dict[str, Any]:
    """The report as plain JSON values. Shares are in [0, 1]; intervals are 95 %."""
    return {
        "format": FORMAT,
        "created": (created or datetime.now(UTC)).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "seeds": {"pairs": PAIR_SEED, "bootstrap": BOOTSTRAP_SEED, "bootstrap_draws": DRAWS},
        "data": _data(evidence.dataset),
        "model": _model(evidence.classifier),
        "found": {
            "threshold": evidence.threshold,
            "accuracy": asdict(evidence.audit.accuracy),
            "worst_served": wording.worst_served_sentence(
                _scan(evidence, evidence.audit)[0].audit, evidence.audit.accuracy
            ),
            "measure": evidence.measure,
            "attributes": [_attribute(f) for f in _scan(evidence, evidence.audit)],
        },
        "taught_by": _harmful(evidence),
        "done": _done(evidence),
        "measured": None if evidence.comparison is None else _measured(evidence, evidence.comparison),
    }


def report_json(report: dict[str, Any]) -> str:
    """The report as JSON text; a value that is not a number would be an error, never NaN."""
    return json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def render_report(evidence: Evidence, *, report: dict[str, Any] | None = None) -> str:
    """The report as one HTML page with pictures inside; `report` if it was built already."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"points": wording.points, "figure": _figure, "when": _when}
    report = report or build_report(evidence)
    harmful, changed = report["taught_by"]["most_harmful"][:PICTURES], []
    if evidence.comparison is not None:
        labels = _labels(evidence.dataset, evidence.comparison)
        picked = changed_examples(evidence.comparison, labels, PICTURES)
        entries = {entry["row"]: entry for entry in report["measured"]["changed"]}
        changed = [entries[row] for row in evidence.comparison.rows[picked].tolist()]
    return environment.get_template("report.html").render(
        report=report,
        harmful=harmful,
        changed=changed,
        pictures=_pictures(evidence.dataset, [entry["row"] for entry in harmful + changed]),
    )


def _labels(dataset: AttributeDataset, comparison: Comparison) -> Array:
    return dataset.target.codes[comparison.rows]


def _when(iso: str) -> str:
    at = datetime.fromisoformat(iso).astimezone(UTC)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def _figure(estimate: dict[str, Any], *, difference: bool = False) -> str:
    return wording.figure(Estimate(**estimate), difference=difference)


def _pictures(dataset: AttributeDataset, rows: list[int]) -> dict[int, str]:
    shown = {row: dataset.source.display(row) for row in rows if dataset.shareable}
    return {row: data_uri(image, 128) for row, image in shown.items() if not isinstance(image, dict)}


def _data(dataset: AttributeDataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "sha256": dataset.fingerprint,
        "target": dataset.target.name,
        "classes": list(dataset.target.levels),
        "attributes": {c.name: list(c.levels) for c in dataset.attributes.values()},
        "notes": list(dataset.notes),
        "twins": dataset.pair_method,
        "shareable": dataset.shareable,
        "samples": {split: int((dataset.split == split).sum()) for split in SPLITS},
    }


def _model(classifier: Classifier) -> dict[str, Any]:
    return {
        "architecture": classifier.architecture,
        "parameters": classifier.n_parameters,
        "sha256": classifier.fingerprint,
        "head_sha256": classifier.head.fingerprint,
        "damping": classifier.damping,
    }


def _scan(evidence: Evidence, audit: BiasReport) -> tuple[Finding, ...]:
    return scan(audit, evidence.threshold, evidence.measure)


def _attribute(finding: Finding) -> dict[str, Any]:
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


def _harmful(evidence: Evidence) -> dict[str, Any]:
    scores, dataset = evidence.scores, evidence.dataset
    aligned = dataset.bias_aligned(scores.attribute)

    def entries(positions: Array) -> list[dict[str, Any]]:
        return [
            {
                "rank": rank,
                "row": int(scores.rows[p]),
                "removal_effect": float(scores.removal_effect[p]),
                "bias_aligned": bool(aligned[scores.rows[p]]),
                **describe_row(dataset, int(scores.rows[p])),
            }
            for rank, p in enumerate(positions, start=1)
        ]

    return {
        "attribute": scores.attribute,
        "bias": wording.bias_name(scores),
        "top_k": evidence.top_k,
        "most_harmful": entries(scores.most_harmful(evidence.top_k)),
        "most_helpful": entries(scores.most_helpful(evidence.top_k)),
    }


def _done(evidence: Evidence) -> dict[str, Any]:
    return {
        "history": [
            {
                "at": step.at.isoformat(timespec="seconds"),
                "action": step.action,
                "attribute": step.attribute,
                "setting": _setting(step.result),
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
    setting, share = (
        wording.setting(result.strategy, result.strength, result.k, result.blend),
        result.step_share,
    )
    if share == 1 or result.strength == 0:
        return setting
    shortened = wording.percent(share, digits=1 if share >= 0.01 else 3)
    return f"{setting}, of a step shortened to {shortened} of the published one"


def _measured(evidence: Evidence, comparison: Comparison) -> dict[str, Any]:
    def by_name(audit: BiasReport) -> Finding:
        return next(f for f in _scan(evidence, audit) if f.attribute == comparison.attribute)

    after, changed = evidence.audit_after, _changed(evidence.dataset, comparison)
    found = by_name(evidence.audit)
    short = replace(
        found.audit, bias=comparison.bias.after, flips=comparison.flips.after, placebo=None, excess=None
    )
    left = replace(found, audit=short) if after is None else by_name(after)
    return {
        "attribute": comparison.attribute,
        "headline": wording.comparison_headline(comparison),
        "sentence_before": wording.attribute_sentence(found),
        "sentence_after": wording.attribute_sentence(left),
        "verdict": comparison.verdict,
        "who_pays": wording.losers_sentence(comparison),
        "bias": asdict(comparison.bias),
        "gap": None if comparison.gap is None else asdict(comparison.gap),
        "judged": asdict(comparison.judged),
        "excess": None if comparison.excess is None else asdict(comparison.excess),
        "flips": asdict(comparison.flips),
        "accuracy": asdict(comparison.accuracy),
        "aligned_accuracy": asdict(comparison.aligned_accuracy),
        "conflicting_accuracy": asdict(comparison.conflicting_accuracy),
        "attributes_after": None if after is None else [_attribute(f) for f in _scan(evidence, after)],
        "groups": [asdict(change) for change in comparison.groups],
        "intersections": [asdict(change) for change in comparison.intersections],
        "confusion_before": comparison.confusion_before.tolist(),
        "confusion_after": comparison.confusion_after.tolist(),
        "changed": changed,
        "outcomes": {name: sum(entry["outcome"] == name for entry in changed) for name in OUTCOMES},
    }


def _changed(dataset: AttributeDataset, comparison: Comparison) -> list[dict[str, Any]]:
    """Every held-out sample whose answer changed; classes by index."""
    columns = (
        comparison.rows,
        _labels(dataset, comparison),
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
