"""What held-out people say of the variant in force, and what can still be read of what was to be forgotten."""

from __future__ import annotations

from msgspec import field

from fmd_core.forget.probes import Kind
from fmd_core.report.fields import Change, Count, Figure, Least, Many, Number, Part, Share, Some, Text
from fmd_core.report.schema.biases import Attribute


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
