"""By what a verdict judges: limits, the answer that people would rather get, and whom others are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from fmd_core.measure.verdict.values import Limits


@dataclass(frozen=True)
class Criteria:
    """What a reviewer chose; hashable, so it is its own cache key."""

    limits: Limits = field(default_factory=Limits)
    favourable: str = ""
    """'' where the data say it, or what they are called suggests it."""
    references: tuple[tuple[str, str], ...] = ()
    """The level chosen by attribute, where it is another than that of the data; '' for the group that fares best."""

    def compared(self, of_data: Mapping[str, str]) -> dict[str, str]:
        """The level that others are compared with, by attribute, where one is named."""
        both = {**of_data, **dict(self.references)}
        return {attribute: level for attribute, level in both.items() if level}


def references_text(references: Mapping[str, str]) -> str:
    """References as one text, as it stands in an address: 'sex=Male&race=White'."""
    return urlencode(sorted(references.items()))


def read_references(text: str) -> dict[str, str]:
    """What `references_text` wrote. Raises ValueError."""
    try:
        return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)))
    except ValueError:
        raise ValueError("no list of attributes and levels such as sex=Male&race=White") from None
