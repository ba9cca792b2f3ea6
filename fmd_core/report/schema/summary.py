"""What a reader sees first and nowhere else: people by name, one pair of twins, and what to know."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from fmd_core.measure.slopes import Role
from fmd_core.report.fields import Change, Count, Part, Share, Some, Text


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
    became: Text = ""
    """What became of the finding that the change was for; '' where nothing was changed or nobody can say, and in
    reports from before."""
