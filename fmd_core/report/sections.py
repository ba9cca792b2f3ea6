"""What was reviewed, found and done, as the report declares it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TypeVar

import msgspec
import numpy as np

from fmd_core.data import SPLITS, Array, AttributeDataset, Column
from fmd_core.influence.label_doubts import LabelDoubts
from fmd_core.influence.score_check import GroupCheck, ScoreCheck
from fmd_core.measure.bias_report import BiasReport
from fmd_core.measure.scan import Finding, scan
from fmd_core.measure.verdict.sentences import attribute_name, criteria_sentences
from fmd_core.measure.verdict.values import Finding as VerdictFinding
from fmd_core.method import Strategy, find_method
from fmd_core.models.classifier import Classifier
from fmd_core.models.depth import RETRAINED
from fmd_core.report import wording
from fmd_core.report.evidence import AuditTrail, Evidence, Remedy
from fmd_core.report.fields import Change, Figure, Part
from fmd_core.report.schema import biases, steps, subject, teaching
from fmd_core.unlearn.guarded_path import PathPoint
from fmd_core.unlearn.strategies import UnlearningResult

EFFECTS = ("added_up", "predicted", "measured", "predicted_held_out", "measured_held_out")
MOST_FINDINGS = 20
FINDING_FIELDS = tuple(biases.Finding.__struct_fields__)
P = TypeVar("P", bound=Part)


def as_declared(kind: type[P], computed: object) -> P:
    """A result of the library as the report declares it; what the report does not name is left out."""
    return msgspec.convert(msgspec.to_builtins(computed, enc_hook=plain_scalar), kind)


def plain_scalar(value: object) -> object:
    """A number of NumPy as Python's own."""
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"a report holds no {type(value).__name__}")


def data(dataset: AttributeDataset) -> subject.Data:
    """The data set: its digest, its parts, and who is in them."""
    columns = (dataset.target, *dataset.attributes.values())
    return subject.Data(
        name=dataset.name,
        sha256=dataset.fingerprint,
        target=dataset.target.name,
        classes=list(dataset.target.levels),
        attributes={c.name: list(c.levels) for c in dataset.attributes.values()},
        notes=list(dataset.notes),
        twins=dataset.pair_method,
        unit=dataset.unit,
        kind=dataset.source.kind,
        shareable=dataset.shareable,
        samples=subject.Samples(**{split: int((dataset.split == split).sum()) for split in SPLITS}),
        composition=[row for column in columns for row in _composition(dataset, column)],
    )


def _composition(dataset: AttributeDataset, column: Column) -> list[subject.Composition]:
    """How many samples of each part show each level."""
    counts = {
        split: np.bincount(column.codes[dataset.split == split], minlength=len(column.levels)).tolist()
        for split in SPLITS
    }
    return [
        subject.Composition(
            column=column.name, level=level, **{split: counts[split][code] for split in SPLITS}
        )
        for code, level in enumerate(column.levels)
    ]


def model(classifier: Classifier) -> subject.Model:
    """The original model and its digests."""
    return subject.Model(
        architecture=classifier.architecture,
        parameters=classifier.n_parameters,
        sha256=classifier.fingerprint,
        head_sha256=classifier.head.fingerprint,
        damping=classifier.damping,
    )


def decision(evidence: Evidence) -> subject.Decision:
    """What the reviewer decided, and about which last layer."""
    head = evidence.classifier.head
    in_force = head if evidence.point is None else evidence.point.result.head
    return subject.Decision(**vars(evidence.decision), head_sha256=in_force.fingerprint)


def settings(evidence: Evidence) -> subject.Settings:
    """Everything that was chosen; what belongs to a variant is None with the original in force."""
    result = None if evidence.point is None else evidence.point.result
    # a network that was trained on is open at its last layer, but other layers are what changed
    return subject.Settings(
        measure=evidence.measure,
        attributes=list(evidence.attributes or (evidence.scores.attribute,)),
        limit=evidence.threshold,
        most_unlike=evidence.most_unlike,
        left_out=[subject.LeftOut(attribute, row) for attribute, row in evidence.left_out],
        strategy=None if result is None else result.strategy,
        strength=None if result is None else result.strength,
        k=None if result is None else _k(result),
        blend=None if result is None else result.blend,
        depth=RETRAINED if evidence.changed_layers else evidence.depth,
        tolerance=evidence.tolerance,
    )


def found(evidence: Evidence) -> biases.Found:
    """Every attribute of the original model against the limit, worst first."""
    findings, verdict = findings_of(evidence, evidence.audit), evidence.verdict
    return biases.Found(
        threshold=evidence.threshold,
        criteria=criteria_sentences(evidence.dataset, evidence.verdict) if evidence.verdict else [],
        accuracy=as_declared(Figure, evidence.audit.accuracy),
        worst_served=wording.worst_served_sentence(findings[0].audit, evidence.audit.accuracy),
        measure=evidence.measure,
        attributes=[attribute(f) for f in findings],
        outcome=None if verdict is None else verdict.outcome.value,
        headline=None if verdict is None else verdict.headline,
        detail=None if verdict is None else verdict.detail,
        findings=[] if verdict is None else [_finding(found) for found in verdict.findings[:MOST_FINDINGS]],
        warnings=[] if verdict is None else [warning.sentence for warning in verdict.warnings],
        not_tested=[]
        if verdict is None
        else [as_declared(biases.NotTested, one) for one in verdict.not_tested],
        not_read=[] if verdict is None else [name for name in verdict.not_read if name],
    )


def _finding(found: VerdictFinding) -> biases.Finding:
    return as_declared(biases.Finding, {name: getattr(found, name) for name in FINDING_FIELDS})


def findings_of(evidence: Evidence, audit: BiasReport) -> tuple[Finding, ...]:
    """The verdicts on one model, under the reviewer's limit and measure."""
    return scan(audit, evidence.threshold, evidence.measure)


def attribute(finding: Finding) -> biases.Attribute:
    """One attribute: figures, verdict and sentences."""
    told = vars(finding.audit) | {
        "judged": finding.estimate,
        "verdict": finding.words,
        "adjusted_p": finding.adjusted_p,
        "headline": wording.attribute_headline(finding),
        "sentence": wording.attribute_sentence(finding),
    }
    return as_declared(biases.Attribute, told)


def describe_row(dataset: AttributeDataset, row: int) -> dict[str, str]:
    """Target and attributes of one sample by name."""
    columns = (dataset.target, *dataset.attributes.values())
    return {c.name: c.levels[c.codes[row]] for c in columns}


def harmful(evidence: Evidence) -> teaching.TaughtBy:
    """The training samples ranked first and last."""
    scores, dataset = evidence.scores, evidence.dataset
    aligned = dataset.bias_aligned(scores.attribute)

    def entries(positions: Array) -> list[teaching.Sample]:
        return [
            teaching.Sample(
                rank=rank,
                row=int(scores.rows[p]),
                removal_effect=float(scores.removal_effect[p]),
                bias_aligned=bool(aligned[scores.rows[p]]),
                shows=describe_row(dataset, int(scores.rows[p])),
            )
            for rank, p in enumerate(positions, start=1)
        ]

    return teaching.TaughtBy(
        attribute=scores.attribute,
        bias=wording.bias_name(scores, attribute_name(dataset, scores.attribute)),
        top_k=evidence.top_k,
        most_harmful=entries(scores.most_harmful(evidence.top_k)),
        most_helpful=entries(scores.most_helpful(evidence.top_k)),
        remarks=[
            teaching.Remark(**asdict(remark), shows=describe_row(dataset, remark.row))
            for remark in evidence.remarks
        ],
        doubted=None if evidence.doubted is None else _doubted(evidence.doubted),
        remedies=[_remedy(remedy) for remedy in evidence.remedies],
    )


MOST_DOUBTED = 50  # labels that a report lists


def _doubted(found: LabelDoubts) -> teaching.DoubtedLabels:
    """Labels that look wrong, the least likely first."""
    where = np.flatnonzero(found.doubted)
    first = where[np.argsort(found.own[where], kind="stable")][:MOST_DOUBTED]
    return teaching.DoubtedLabels(
        n=found.n,
        samples=len(found.rows),
        first=[
            teaching.DoubtedLabel(
                int(found.rows[p]), int(found.labels[p]), int(found.likelier[p]), float(found.own[p]),
                float(found.other[p]),
            )
            for p in first
        ],
    )  # fmt: skip


def _remedy(tried: Remedy) -> teaching.Remedy:
    found = tried.comparison
    return teaching.Remedy(
        tried.title,
        None if found is None else as_declared(Change, found.judged),
        None if found is None else as_declared(Change, found.accuracy),
        tried.why_not,
    )


def audit_log(trail: AuditTrail | None) -> steps.AuditLog | None:
    """The log as it was kept, with its hashes."""
    if trail is None:
        return None
    lines = [
        steps.LogLine(line.at.isoformat(), line.action, line.detail, line.hash, line.content, line.previous)
        for line in trail.lines
    ]
    return steps.AuditLog(trail.is_intact, trail.sentence, lines, trail.review)


def score_check(check: ScoreCheck) -> teaching.ScoreCheck:
    """Predicted beside measured: what leaving K samples out does to the bias."""
    return teaching.ScoreCheck(
        attribute=check.attribute,
        k=check.k,
        verdict=check.verdict,
        converged=check.converged,
        groups=[_group(group) for group in check.groups],
        planted=as_declared(teaching.Planted, check.planted),
    )


def _group(group: GroupCheck) -> teaching.GroupCheck:
    effects = {name: teaching.Effect(group.mean(name), *group.ends(name)) for name in EFFECTS}
    return teaching.GroupCheck(kind=group.kind, draws=len(group.draws), **effects)


def done(evidence: Evidence) -> steps.Done:
    """The visible history, and the variant in force."""
    history = [
        steps.Step(
            at=step.at.isoformat(timespec="seconds"),
            action=step.action,
            attribute=step.attribute,
            setting=step.note or wording.made(step.result),
            head_sha256=step.result.head.fingerprint,
            refusal=step.refusal,
        )
        for step in evidence.history
    ]
    return steps.Done(history, None if evidence.point is None else _current(evidence, evidence.point))


def _current(evidence: Evidence, point: PathPoint) -> steps.Current:
    result = point.result
    return steps.Current(
        strategy=result.strategy,
        strength=result.strength,
        k=_k(result),
        blend=result.blend,
        step_share=result.step_share,
        setting=wording.made(result),
        head_sha256=result.head.fingerprint,
        guard=steps.Guard(
            admitted=not point.refusal,
            refusal=point.refusal,
            validation_bias=point.bias,
            validation_accuracy=point.accuracy,
            tolerance=evidence.tolerance,
        ),
        changed_layers=None if evidence.changed_layers is None else list(evidence.changed_layers),
        forgotten=list(evidence.forgotten),
    )


def _k(result: UnlearningResult) -> int | None:
    """How many harmful samples a strategy used; None where it uses none."""
    method = find_method(result.strategy)
    return result.k if isinstance(method, Strategy) and method.uses_k else None
