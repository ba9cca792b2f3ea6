"""Number formats, one place for all: shares in percent, differences of shares in percentage points.

Texts have plain spaces; `unbroken` sets those inside a figure for a screen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fmd_core.intervals import Estimate


def many(unit: str) -> str:
    """More than one of a unit: 'image' is 'images'."""
    return {"person": "people"}.get(unit, f"{unit}s")


_SOUNDS_OPEN = re.compile(
    r"[aeio]|8|1[18]\b|un(?!i[^dmn]|anim)|u[lmps]|u(?:gly|rb|rd|rg|zb)|hour|honest|honou?r|heir",
    re.IGNORECASE,
)
_SOUNDS_SHUT = re.compile(r"eu|ewe|one\b|once\b|us\b|usa\b|us[aeu]", re.IGNORECASE)


def with_article(words: str) -> str:
    """The same behind "a" or "an", by how they sound: 'a red 3', 'an orange 1', 'an hour', 'a user'."""
    is_open = _SOUNDS_OPEN.match(words) and not _SOUNDS_SHUT.match(words)
    return f"{'an' if is_open else 'a'} {words}"


def counted(number: float, unit: str) -> str:
    """A number with its unit: '1 point', '2.5 points', '12,500 people'."""
    text = count(number) if isinstance(number, int) else f"{number:g}"
    return f"{text} {unit if text == '1' else many(unit)}"


def count(number: int) -> str:
    """A count of people, with a comma from a thousand on: '999', but '16,281'."""
    return f"{number:,}"


_INSIDE = re.compile(
    r"(?<=\d) (?=%)"  # 58.8 %
    r"|(?<=\d) (?=points?\b)"
    r"|(?<=\d %) (?=interval)"
    r"|\bn\b( )=( )(?=\d)"
    r"|(?<=\d) (?=to [+\N{MINUS SIGN}]?\d)|(?<=\d to) (?=[+\N{MINUS SIGN}]?\d)"
    r"|(?<=\d) (?=\N{RIGHTWARDS ARROW} \d)|(?<=\d \N{RIGHTWARDS ARROW}) (?=\d)"  # 12 → 65
)


def unbroken(text: str) -> str:
    """The same text with no-break spaces inside figures, where a line must not end: '58.8 %', 'n = 450'."""
    return _INSIDE.sub(lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), text)


def points(share: float, digits: int = 1) -> str:
    """A difference of shares in percentage points: 0.588 is '58.8'."""
    text = f"{100 * share:.{digits}f}"
    return signed(text.removeprefix("-") if float(text) == 0 else text)


def signed(text: str) -> str:
    """The same text with a true minus sign."""
    return text.replace("-", "\N{MINUS SIGN}", 1) if text.startswith("-") else text


def in_points(changes: Iterable[float]) -> Callable[[float], str]:
    """How to write `changes` that are read together: in points with a sign, to as many decimals as the
    largest of them needs."""
    largest = max((abs(change) for change in changes), default=0.0)
    digits = 1 if largest >= 0.02 else 2 if largest >= 0.002 else 3

    def text(change: float) -> str:
        return f"{'+' if round(100 * change, digits) > 0 else ''}{points(change, digits)}"

    return text


def percent(share: float, digits: int = 1) -> str:
    """A share in percent: 0.588 is '58.8 %'."""
    return f"{points(share, digits)} %"


def p_value(p: float) -> str:
    """A p-value with three decimals: '0.031', 'below 0.001'."""
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def moment(iso: str) -> str:
    """An ISO date with a time: '1 Mar 2025, 12:30 UTC'."""
    at = datetime.fromisoformat(iso).astimezone(UTC)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def in_hundred(share: float) -> str:
    """A share of people: 0.588 is '59 in 100'."""
    return f"{100 * share:.0f} in 100"


def span(shares: Sequence[float]) -> str:
    """The least and the most of some shares in percent, without the sign: '50.4 to 53.4', or '50.4' where both are."""
    ends = points(min(shares)), points(max(shares))
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def with_capital(text: str) -> str:
    """The same with a capital at the beginning; the rest stays as it is."""
    return text[:1].upper() + text[1:]


def without_capital(text: str) -> str:
    """The same with a small letter at the beginning, for the middle of a sentence."""
    return text[:1].lower() + text[1:]


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: 'a, b and c'."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def figure(estimate: Estimate, *, difference: bool = False) -> str:
    """'58.8 (54.8 to 62.9)', or why there is no figure."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return estimate.problem
    return f"{value(estimate, difference=difference)} ({interval(estimate)})"


def value(estimate: Estimate, *, difference: bool = False) -> str:
    """The figure without its interval: '58.8', a rise of a difference with its sign; '' where there is none."""
    if estimate.value is None:
        return ""
    mark = "+" if difference and round(100 * estimate.value, 1) > 0 else ""
    return f"{mark}{points(estimate.value)}"


def interval(estimate: Estimate) -> str:
    """The 95 % interval alone: '54.8 to 62.9'; '' where there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{points(estimate.low)} to {points(estimate.high)}"


def strength_label(strength: float) -> str:
    """A strength as the slider shows it."""
    return "0 (original)" if strength == 0 else f"{strength:g}"
