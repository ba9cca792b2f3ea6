"""The document of `fmd debias`, schema fmd-debias-1: what other programs read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fmd_core.data import AttributeDataset
from fmd_core.intervals import wilson_interval
from fmd_core.measure.changes import Change
from fmd_core.report import wording
from fmd_core.study.debiasing import Debiased
from fmd_core.unlearn.deeper.answers import Figures, GroupRate

SCHEMA = "fmd-debias-1"


def content(found: Debiased, data: AttributeDataset) -> dict[str, Any]:
    """The values of the document; shares lie between 0 and 1, what could not be measured is null."""
    chosen, comparison = found.path.chosen, found.comparison
    return {
        "data": data.fingerprint,
        "model": found.network.fingerprint,
        "attribute": found.attribute,
        "before": _figures(found.before, found, data),
        "after": _figures(found.after, found, data),
        "chosen": {
            "change": found.change,
            "improve": found.improve,
            "group": comparison.judged.who if comparison.measure == "worst group" else None,
            "judged_by": list(found.judged_by),
            "strength": chosen.steps,
            "mix": chosen.share,
            "restored": chosen.restored,
            "validation_people": found.path.people,
            "validation_people_of_the_smallest_group": found.path.least,
            "is_original": not chosen.steps,
        },
        "verdict": comparison.verdict,
        "outcome": found.verdict.outcome.value,
        "headline": wording.comparison_headline(comparison),
        "still": found.verdict.headline,
        "who_gained": _moved(comparison.gainers),
        "who_lost": _moved(comparison.losers),
        "baselines": [
            {
                "name": name,
                "title": other.title,
                "is_reference": other.is_reference,
                "refusal": other.chosen.refusal,
                **_figures(other.after, found, data),
            }
            for name, other in found.baselines.items()
        ],
        "warnings": [
            {"kind": w.kind.value, "column": w.column, "sentence": w.sentence} for w in found.verdict.warnings
        ],
        "seconds": round(found.seconds, 1),
    }


def _figures(of: Figures, found: Debiased, data: AttributeDataset) -> dict[str, Any]:
    return {
        "accuracy": of.accuracy,
        "balanced": of.balanced,
        "bias": of.bias,
        "calibrated_bias": of.calibrated,
        "flips": of.flips,
        "parity_gap": of.parity and of.parity.value,
        "opportunity_gap": of.opportunity and of.opportunity.value,
        "worst_group": _rate(of.worst, found, data),
        "groups": [_rate(group, found, data) for group in of.groups],
    }


def _rate(group: GroupRate, found: Debiased, data: AttributeDataset) -> dict[str, Any]:
    low, high = wilson_interval(group.value, group.n)
    return {
        "name": group.called(data, found.attribute),
        "value": group.value,
        "low": float(low),
        "high": float(high),
        "n": group.n,
    }


def _moved(changes: Sequence[Change]) -> list[dict[str, Any]]:
    return [
        {"name": c.who, "before": c.before.value, "after": c.after.value, "n": c.before.n} for c in changes
    ]
