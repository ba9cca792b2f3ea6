"""What was found out about the original model: every attribute, and the verdict on everything that was measured."""

from __future__ import annotations

from msgspec import field

from fmd_core.measure.bias_functions import FairnessMeasure
from fmd_core.measure.verdict.values import Outcome
from fmd_core.report.fields import Count, Figure, Least, Many, Number, Part, Share, Some, Text


class Metrics(Part, frozen=True):
    """Group metrics of aif360."""

    selection_rate_privileged: Figure
    selection_rate_others: Figure
    demographic_parity_difference: Figure
    disparate_impact: Figure
    equal_opportunity_difference: Figure
    equalized_odds_difference: Figure


class ServedGroup(Part, frozen=True):
    """How well people of one class and one attribute level are served."""

    label: Text
    level: Text
    accuracy: Figure


class Attribute(Part, frozen=True, kw_only=True):
    """How much one attribute decides the answer, against the limit."""

    attribute: Text
    bias: Figure
    flips: Figure
    aligned_accuracy: Figure
    conflicting_accuracy: Figure
    metrics: Metrics
    groups: Many[ServedGroup] = field(default_factory=list)
    placebo: Figure | None
    excess: Figure | None
    distance: Number = 0.0
    parity_gap: Figure | None = None
    opportunity_gap: Figure | None = None
    parity_favours: bool = True
    opportunity_favours: bool = True
    predictive_gap: Figure | None = None
    """Missing, as whether it favours, in reports from before."""
    predictive_favours: bool = True
    judged: Figure
    verdict: Text
    adjusted_p: Share | None
    headline: Text
    sentence: Text


class Finding(Part, frozen=True):
    """One difference of the verdict on everything that was measured."""

    family: Text
    attribute: Text
    sentence: Text
    outcome: Outcome
    value: Number
    low: Number
    high: Number
    limit: Number
    n: Count


class NotTested(Part, frozen=True):
    """What was not tested, and why."""

    family: Text
    attribute: Text
    why: Text


class Found(Part, frozen=True):
    """Every attribute of the original model, worst first."""

    threshold: Share
    accuracy: Figure
    worst_served: Text
    measure: FairnessMeasure
    attributes: Least[Attribute]
    outcome: Text | None = None
    """Of everything that was measured; with its two sentences None in reports from before."""
    criteria: Some[Text] = field(default_factory=list)
    """By what was judged: limits, the good answer, references, and who judged; empty in reports from before."""
    headline: Text | None = None
    detail: Text | None = None
    findings: Some[Finding] = field(default_factory=list)
    """The worst of them; with the next three empty in reports from before."""
    warnings: Some[Text] = field(default_factory=list)
    not_tested: Some[NotTested] = field(default_factory=list)
    not_read: Some[Text] = field(default_factory=list)
