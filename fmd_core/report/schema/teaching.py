"""Which training samples taught it, what was said of them, and whether their scores are right."""

from __future__ import annotations

from msgspec import field

from fmd_core.influence.score_check import GroupKind
from fmd_core.report.fields import Change, Count, Many, Number, Part, Share, Some, Text


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
