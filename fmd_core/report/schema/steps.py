"""What was done: the visible history, the variant in force, and the stored audit log."""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from fmd_core.report.fields import Many, Moment, Number, Part, Some, Text
from fmd_core.report.schema.subject import Setting


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
