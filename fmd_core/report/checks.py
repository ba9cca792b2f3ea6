"""Checks of values that somebody sent as JSON; each takes what it allows, as a clean copy.

Small checks make larger ones: `record({"n": count, "names": list_of(text())})`. Texts lose hidden marks
and stay plain text: whoever shows them has to escape them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from fmd_core.datasets.names import clean_text, short_name
from fmd_core.errors import DataError

MAX_PARTS = 500_000  # lists and records; the largest report that we write has a fifth of that
MAX_LIST = 5_000  # of what a page shows in full
MAX_TEXT = 5_000  # characters of a name or a sentence
LARGEST = 1e15
Check = Callable[[Any, str], Any]
"""Takes a value and where it stands, gives a clean copy or raises DataError."""


def _refuse(place: str, wanted: str) -> DataError:
    return DataError(f"This report cannot be opened: '{place or 'the whole'}' is not {wanted}.")


def text(most: int = MAX_TEXT, *, lines: bool = False) -> Check:
    """A text without hidden marks; of one line unless `lines`."""

    def check(value: object, place: str) -> str:
        if not isinstance(value, str) or len(value) > most:
            raise _refuse(place, f"a text of at most {most:,} characters")
        parts = value.encode("utf-8", "replace").decode().splitlines() if lines else None
        if parts is None:
            return clean_text(value.encode("utf-8", "replace").decode())
        return "\n".join(clean_text(part) for part in parts)

    return check


def number(value: object, place: str) -> float | int:
    """A finite number of a size that can be shown."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
        raise _refuse(place, "a number")  # NaN fails the comparison
    return value


def count(value: object, place: str) -> int:
    """A whole number, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        raise _refuse(place, "a whole number of 0 or more")
    return value


def flag(value: object, place: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise _refuse(place, "true or false")
    return value


def moment(value: object, place: str) -> str:
    """A date with a time."""
    try:
        return datetime.fromisoformat(str(value)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise _refuse(place, "a date with a time") from None


def day(value: object, place: str) -> str:
    """A date."""
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise _refuse(place, "a date") from None


def one_of(*known: str) -> Check:
    """One of some words."""

    def check(value: object, place: str) -> str:
        if not isinstance(value, str) or value not in known:
            raise _refuse(place, f"one of: {', '.join(known)}")
        return value

    return check


def maybe(check: Check) -> Check:
    """The same, or nothing."""
    return lambda value, place: None if value is None else check(value, place)


def list_of(check: Check, least: int = 0, most: int = MAX_LIST) -> Check:
    """Some of the same."""

    def each(value: object, place: str) -> list[Any]:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise _refuse(place, f"a list of {least:,} to {most:,}")
        return [check(part, f"{place}[{position}]") for position, part in enumerate(value)]

    return each


def map_of(check: Check) -> Check:
    """The same under names that are not known before."""
    name = text()

    def each(value: object, place: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _refuse(place, "a record")
        return {name(key, place): check(part, f"{place}.{short_name(key)}") for key, part in value.items()}

    return each


def record(fields: dict[str, Check]) -> Check:
    """Known names, all of which must be there; others are left behind."""

    def each(value: object, place: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _refuse(place, "a record")
        inner = {key: f"{place}.{key}" if place else key for key in fields}
        missing = next((inner[key] for key in fields if key not in value), None)
        if missing:
            raise DataError(f"This report is incomplete: '{missing}' is missing.")
        return {key: check(value[key], inner[key]) for key, check in fields.items()}

    return each


def share(value: object, place: str) -> float:
    """A number from 0 to 1."""
    found = number(value, place)
    if not 0 <= found <= 1:
        raise _refuse(place, "a share from 0 to 1")
    return found


TEXT = text()
_ESTIMATE = record(
    {"value": maybe(number), "low": maybe(number), "high": maybe(number), "n": count, "problem": TEXT}
)


def estimate(value: object, place: str) -> dict[str, Any]:
    """A figure with its interval, or the reason why there is none."""
    found: dict[str, Any] = _ESTIMATE(value, place)
    ends = [found[name] for name in ("low", "value", "high")]
    if any(end is None for end in ends) and any(end is not None for end in ends):
        raise _refuse(place, "a figure with both ends of its interval")
    if ends[0] is not None and ends[0] > ends[2]:
        raise _refuse(place, "a figure with an interval that runs upwards")
    return found
