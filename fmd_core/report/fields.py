"""Of what a report's declaration (`fmd_core.report.schema`) is made: texts, numbers and lists with their limits."""

from __future__ import annotations

import datetime
from typing import Annotated, ClassVar, TypeVar

import msgspec
from msgspec import Meta

from fmd_core.intervals import Estimate
from fmd_core.report.evidence import LONGEST_NOTES

MAX_PARTS = 500_000  # lists and records; the largest report that we write has a fifth of that
MAX_LIST = 5_000  # of what a page shows in full
MAX_TEXT = 5_000  # characters of a name or a sentence
LARGEST = 1e15
T = TypeVar("T")
Text = Annotated[str, Meta(max_length=MAX_TEXT, description=f"a text of at most {MAX_TEXT:,} characters")]
Lines = Annotated[
    str, Meta(max_length=LONGEST_NOTES, description=f"a text of at most {LONGEST_NOTES:,} characters")
]
Moment = Annotated[str, Meta(max_length=MAX_TEXT, description="a date with a time")]
Number = Annotated[float, Meta(ge=-LARGEST, le=LARGEST, description="a number")]
Share = Annotated[float, Meta(ge=0, le=1, description="a share from 0 to 1")]
Count = Annotated[int, Meta(ge=0, le=int(LARGEST), description="a whole number of 0 or more")]
Some = Annotated[list[T], Meta(max_length=MAX_LIST)]
Least = Annotated[list[T], Meta(min_length=1, max_length=MAX_LIST)]
Many = Annotated[list[T], Meta(max_length=MAX_PARTS)]


class Refused(ValueError):
    """A value of the right type that still cannot be: its `field`, '' for the record itself, and what it is not."""

    def __init__(self, field: str, wanted: str) -> None:
        super().__init__(f"{field or 'this'} is not {wanted}")
        self.field, self.wanted = field, wanted


class Part(msgspec.Struct, frozen=True):
    """A record of a report. Fields that it does not declare are left behind when one is read."""

    LINES: ClassVar[tuple[str, ...]] = ()  # texts that keep their lines
    MOMENTS: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """Refuse what no declaration can say: here a moment that does not exist."""
        for name in self.MOMENTS:
            try:
                datetime.datetime.fromisoformat(getattr(self, name)).astimezone(datetime.UTC)
            except (ValueError, OverflowError):
                raise Refused(name, "a date with a time") from None


class Figure(Part, frozen=True):
    """A figure with its interval, or the reason why there is none."""

    value: Number | None
    low: Number | None
    high: Number | None
    n: Count
    problem: Text

    def __post_init__(self) -> None:
        """Refuse half an interval, and one that runs downwards."""
        ends = self.low, self.value, self.high
        if any(end is None for end in ends) and any(end is not None for end in ends):
            raise Refused("", "a figure with both ends of its interval")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise Refused("", "a figure with an interval that runs upwards")

    @property
    def estimate(self) -> Estimate:
        """The same as the library computes with."""
        return Estimate(self.value, self.low, self.high, self.n, self.problem)


class Change(Part, frozen=True):
    """One quantity before and after on the same people."""

    name: Text
    group: Text
    before: Figure
    after: Figure
    difference: Figure
    p_value: Share | None
    called: Text = ""
    """The same people in the data's own words; '' where nobody said, and in reports from before."""

    @property
    def who(self) -> str:
        """Whom it is about, as a sentence calls them."""
        return self.called or self.group
