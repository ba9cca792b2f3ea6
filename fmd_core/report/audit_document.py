"""The document of `fmd audit`, schema fmd-audit-1: what other programs read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from fmd_core.measure.verdict.values import Group, Rate, Verdict

SCHEMA = "fmd-audit-1"


@dataclass(frozen=True)
class AccuracyEntry:
    """How often answers are right, beside always answering the most common class."""

    value: float
    low: float
    high: float
    n: int
    majority: float


@dataclass(frozen=True)
class FindingEntry:
    """One difference; shares lie between 0 and 1."""

    family: str
    attribute: str
    groups: list[str]
    value: float
    low: float
    high: float
    n: int
    limit: float
    verdict: str
    sentence: str


@dataclass(frozen=True)
class GroupEntry:
    """One group; rates are None where nobody is there to have them."""

    name: str
    n: int
    accuracy: float | None
    selection_rate: float | None
    true_positive_rate: float | None
    false_positive_rate: float | None
    precision: float | None


@dataclass(frozen=True)
class WarningEntry:
    """What is said before any verdict."""

    kind: str
    column: str
    sentence: str


@dataclass(frozen=True)
class NotTestedEntry:
    """What was not tested and why."""

    family: str
    attribute: str
    why: str


@dataclass(frozen=True)
class AuditDocument:
    """The whole document."""

    schema: str
    verdict: str
    headline: str
    accuracy: AccuracyEntry | None
    classes: list[str]
    favourable: str | None
    favourable_is_guess: bool
    """Whether nobody has said which answer is the good one: then no ratio of rates is judged by it."""
    references: dict[str, str]
    limits: dict[str, float]
    judged_by: str
    findings: list[FindingEntry]
    groups: list[GroupEntry]
    warnings: list[WarningEntry]
    not_read: list[str]
    not_tested: list[NotTestedEntry]
    data: str
    model: str
    version: str
    seconds: float

    def to_json(self) -> str:
        """As text."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False)


def document(verdict: Verdict, *, version: str, seconds: float) -> AuditDocument:
    """A verdict as it is written for other programs."""
    accuracy = verdict.accuracy
    return AuditDocument(
        schema=SCHEMA,
        verdict=verdict.outcome.value,
        headline=verdict.headline,
        accuracy=None
        if accuracy is None
        else AccuracyEntry(accuracy.value, accuracy.low, accuracy.high, accuracy.n, accuracy.majority),
        classes=list(verdict.classes),
        favourable=verdict.favourable.level if verdict.favourable else None,
        favourable_is_guess=verdict.favourable is not None and not verdict.favourable.is_sure,
        references=dict(verdict.references),
        limits=asdict(verdict.limits),
        judged_by=verdict.judged_by,
        findings=[
            FindingEntry(
                f.family.value, f.attribute, list(f.groups), f.value, f.low, f.high, f.n, f.limit, f.outcome.value,
                f.sentence,
            )
            for f in verdict.findings
        ],
        groups=[_group(group) for group in verdict.groups],
        warnings=[WarningEntry(w.kind.value, w.column, w.sentence) for w in verdict.warnings],
        not_read=list(verdict.not_read),
        not_tested=[NotTestedEntry(o.family.value, o.attribute, o.why) for o in verdict.not_tested],
        data=verdict.data,
        model=verdict.model,
        version=version,
        seconds=round(seconds, 2),
    )  # fmt: skip


def _group(group: Group) -> GroupEntry:
    return GroupEntry(
        group.name,
        group.n,
        _value(group.accuracy),
        _value(group.selection_rate),
        _value(group.true_positive_rate),
        _value(group.false_positive_rate),
        _value(group.precision),
    )


def _value(rate: Rate | None) -> float | None:
    return None if rate is None else rate.value
