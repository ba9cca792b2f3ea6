"""What a report holds, declared once: who writes one builds it, who reads one checks it, the page is drawn from it.

A new field is declared here, filled in `sections` or `measured`, and shown in `report.html`. Shares are in [0, 1],
intervals are 95 %. A field with a default may be missing in a file, because a version before did not write it or
no page shows it. Texts may come from anybody: whoever shows them has to escape them.
"""

from __future__ import annotations

import datetime
from typing import Annotated, ClassVar

from msgspec import Meta, field

from fmd_core.data import PairMethod
from fmd_core.forget.probes import Kind
from fmd_core.influence.score_check import GroupKind
from fmd_core.measure.bias_functions import Measure
from fmd_core.measure.slopes import Role
from fmd_core.measure.verdict.values import Outcome
from fmd_core.report.evidence import DecisionVerdict
from fmd_core.report.fields import (
    Change,
    Count,
    Figure,
    Least,
    Lines,
    Many,
    Moment,
    Number,
    Part,
    Share,
    Some,
    Text,
)


class Seeds(Part, frozen=True):
    """What randomness began with."""

    pairs: Count
    bootstrap: Count
    bootstrap_draws: Count
    random_removal: Count


class Heading(Part, frozen=True):
    """A section of the page, and what it is evidence for."""

    title: Text
    model_card: Some[Text]
    evidence_for: Some[Text]


class Decision(Part, frozen=True):
    """What the reviewer decided, and about which head."""

    LINES: ClassVar = ("notes", "intended_use")
    verdict: DecisionVerdict | None
    reviewer: Text
    date: datetime.date | None
    notes: Lines
    intended_use: Lines
    head_sha256: Text


class LeftOut(Part, frozen=True):
    """A pair that the reviewer left out, by the row of the person whose it is."""

    attribute: Text
    row: Count


class Setting(Part, frozen=True):
    """How a variant is made; None where the original is in force or the strategy does not use it."""

    strategy: Text | None
    strength: Number | None
    k: Count | None
    blend: Share | None


class Settings(Setting, frozen=True):
    """Everything that was chosen; what belongs to a variant is None with the original in force."""

    measure: Measure
    attributes: Least[Text]
    limit: Share
    most_unlike: Number | None
    left_out: Some[LeftOut]
    depth: Text
    tolerance: Number | None


class Samples(Part, frozen=True):
    """How many lie in each part of the data."""

    train: Count
    external: Count
    validation: Count
    test: Count


class Composition(Samples, frozen=True):
    """How many of each part show one level of one column."""

    column: Text
    level: Text


class Data(Part, frozen=True):
    """The data set: its digest, its parts, and who is in them."""

    name: Text
    sha256: Text
    target: Text
    classes: Some[Text]
    attributes: dict[Text, Some[Text]]
    notes: Some[Text]
    twins: PairMethod
    unit: Text
    kind: Text
    shareable: bool
    samples: Samples
    composition: Some[Composition]


class Model(Part, frozen=True):
    """The original model and its digests."""

    architecture: Text
    parameters: Count
    sha256: Text
    head_sha256: Text
    damping: Number


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
    measure: Measure
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


class Sample(Part, frozen=True):
    """A training sample by its rank."""

    rank: Count
    row: Count
    removal_effect: Number
    bias_aligned: bool
    shows: dict[Text, Text]


class Remark(Part, frozen=True):
    """What the reviewer said of one training sample."""

    row: Count
    marked: bool
    excluded: bool
    note: Text
    shows: dict[Text, Text]


class DoubtedLabel(Part, frozen=True):
    """A training sample whose label fits that never saw it find unlikely; classes by their place in `Data.classes`."""

    row: Count
    label: Count
    likelier: Count
    own: Share
    """Probability of the label."""
    other: Share
    """Probability of the likelier class."""


class DoubtedLabels(Part, frozen=True):
    """The training samples that look mislabelled, the least likely label first, of how many in all."""

    n: Count
    samples: Count
    first: Many[DoubtedLabel]


class Remedy(Part, frozen=True):
    """What leaving samples out, or a refit on twins, does to held-out samples; no figures where it cannot be made."""

    title: Text
    judged: Change | None
    accuracy: Change | None
    why_not: Text = ""


class TaughtBy(Part, frozen=True):
    """The training samples ranked first and last, and what was found out about them."""

    attribute: Text
    bias: Text
    top_k: Count
    most_harmful: Some[Sample]
    most_helpful: Some[Sample]
    remarks: Many[Remark]
    doubted: DoubtedLabels | None = None
    """None where nobody looked, and in reports from before."""
    remedies: Many[Remedy] = field(default_factory=list)


class Effect(Part, frozen=True):
    """Change of the bias over the draws of one group."""

    mean: Number
    least: Number
    most: Number


class GroupCheck(Part, frozen=True):
    """Leaving one kind of K samples out: predicted and measured."""

    kind: GroupKind
    draws: Count
    added_up: Effect
    predicted: Effect
    measured: Effect
    predicted_held_out: Effect
    measured_held_out: Effect


class Planted(Part, frozen=True):
    """Of n planted samples, for how many the bias moved as their score says."""

    right: Count
    n: Count
    p_value: Share
    right_held_out: Count


class ScoreCheck(Part, frozen=True):
    """Whether the influence scores are right."""

    attribute: Text
    k: Count
    verdict: Text
    converged: bool
    groups: Some[GroupCheck]
    planted: Planted


class Step(Part, frozen=True):
    """A line of the visible history."""

    MOMENTS: ClassVar = ("at",)
    at: Moment
    action: Text
    attribute: Text
    setting: Text
    head_sha256: Text
    refusal: Text = ""
    """Why the guard refused what was applied all the same; '' where it did not."""


class Guard(Part, frozen=True):
    """What validation people say of the setting in force."""

    admitted: bool
    refusal: Text
    validation_bias: Number
    validation_accuracy: Number
    tolerance: Number | None


class Current(Setting, frozen=True):
    """The variant in force."""

    step_share: Number
    setting: Text
    head_sha256: Text
    guard: Guard
    changed_layers: Some[Text] | None = None
    """Layers whose weights are not the original's; None where only the head in force is known."""
    forgotten: Some[Text] = field(default_factory=list)
    """Attributes, or the pattern, that the variant was to forget."""


class Done(Part, frozen=True):
    """The visible history, and the variant in force."""

    history: Some[Step]
    current: Current | None


class LogLine(Part, frozen=True):
    """A line of the stored audit log."""

    MOMENTS: ClassVar = ("at",)
    at: Moment
    action: Text
    detail: Text
    hash: Text
    content: Text = ""
    """Digest of the review after this step; '' in reports from before, as the next."""
    previous: Text = ""
    """Hash of the line before."""


class AuditLog(Part, frozen=True):
    """The log as it was kept, with its hashes and all that they cover."""

    is_intact: bool
    sentence: Text
    lines: Many[LogLine]
    review: Text = ""
    """The review's id, which every hash covers; '' in reports from before."""


class Rival(Part, frozen=True):
    """What a simpler fix does to the same people."""

    name: Text
    title: Text
    k: Count
    after: Figure
    difference: Figure
    accuracy_difference: Figure
    calibrated: Figure | None = None
    """What is judged after it, calibrated; None in reports from before."""


class ChangedAnswer(Part, frozen=True):
    """A held-out sample whose answer changed; classes by their place in `Data.classes`."""

    row: Count
    truth: Count
    before: Count
    after: Count
    outcome: Text


class Measured(Part, frozen=True):
    """What held-out people say of the variant in force."""

    attribute: Text
    headline: Text
    sentence_before: Text
    sentence_after: Text
    verdict: Text
    who_pays: Text
    bias: Change
    gap: Change | None
    judged: Change
    excess: Change | None
    flips: Change
    accuracy: Change
    aligned_accuracy: Change
    conflicting_accuracy: Change
    attributes_after: Some[Attribute] | None
    rivals: Some[Rival]
    no_rivals: Text
    groups: Some[Change]
    intersections: Many[Change]
    changed: Many[ChangedAnswer]
    shown: Some[Count]
    outcomes: dict[Text, Count]
    confusion_before: Some[Some[Count]] = field(default_factory=list)
    confusion_after: Some[Some[Count]] = field(default_factory=list)
    calibrated: Change | None = None
    """What is judged, of both models as sure as they are right; None in reports from before."""


class TwinAnswer(Part, frozen=True):
    """What the model says of one twin: the class by its place in `Data.classes`, and how probable the true one is."""

    answer: Count
    sure: Share


class TwinSide(Part, frozen=True):
    """One of both twins; `values` are those of a record, '{}' of what has none or may not be handed on."""

    row: Count
    level: Text
    before: TwinAnswer
    after: TwinAnswer | None
    values: dict[Text, Text]


class Twin(Part, frozen=True):
    """The pair of held-out twins that the original answers most differently; `called` is what a sentence calls the
    attribute, and a side's `level` how its people are called."""

    attribute: Text
    called: Text
    truth: Count
    is_matched: bool
    pairs: Count
    sides: Annotated[list[TwinSide], Meta(min_length=2, max_length=2, description="a list of two sides")]


class Slope(Part, frozen=True):
    """One group's line from before to after, and why it is named: '' where it is not."""

    change: Change
    role: Role


class FirstPage(Part, frozen=True):
    """What a reader sees first and nowhere else in the file: people by name, one pair, and what to know."""

    warnings: Some[Text]
    people: Text
    """Who is right now and was not, and who was served worst; '' where nothing was changed."""
    remains: Text
    """The worst of everything that was measured of the variant in force; '' where nothing was changed."""
    gained: Some[Text]
    lost: Some[Text]
    not_tested: Some[Text]
    refusals: Some[Text]
    twin: Twin | None
    calibrated: Text = ""
    """What calibrated bias does; '' where nothing was changed, and in reports from before."""
    slopes: Some[Slope] = field(default_factory=list)
    """Who gains and who pays, worst first; with its summary empty where nothing was changed, and in reports from
    before."""
    slopes_summary: Text = ""


class Probe(Part, frozen=True):
    """How well fresh readers of one kind tell an attribute's levels, every level counting the same."""

    accuracy: Figure
    chance: Share
    majority: Share
    auc: Share
    taught: Count
    by_seed: Least[Share]


class Reading(Part, frozen=True):
    """What one kind of fresh reader tells of one attribute, before and after."""

    attribute: Text
    kind: Kind
    before: Probe
    after: Probe


class Forgetting(Part, frozen=True):
    """What can still be read of what was to be forgotten, and what that cost the task. `classes` are hit rates, and
    `majority` is how often `majority_class`, answered always, would be right; None in reports from before."""

    headline: Text
    sentence: Text
    readings: Some[Reading]
    accuracy: Change
    seconds: Number
    classes: Some[Change] = field(default_factory=list)
    majority: Share | None = None
    majority_class: Text = ""
    reliance: Change | None = None
    """How far hiding a pattern, the change's group, moves the probability of the true class."""


class Report(Part, frozen=True, kw_only=True):
    """A report as it is kept and handed on (format `fmd-report-3`)."""

    MOMENTS: ClassVar = ("created",)
    format: Text
    created: Moment
    versions: dict[Text, Text]
    seeds: Seeds
    sections: Some[Heading] = field(default_factory=list)
    decision: Decision
    settings: Settings
    data: Data
    model: Model
    found: Found
    taught_by: TaughtBy
    score_checks: Some[ScoreCheck]
    done: Done
    audit_log: AuditLog | None
    measured: Measured | None
    forgetting: Forgetting | None = None
    first_page: FirstPage | None = None
    """None in reports from before."""
    caveats: Some[Text]
    seal: Text

    def __repr__(self) -> str:
        return f"Report({self.data.name!r}, {self.created}, seal {self.seal[:16]})"
