"""Everything that a reviewer has done in one review: what is kept, stored and handed over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from app.record.history import History

if TYPE_CHECKING:
    from fmd_core.report.evidence import Decision

LONGEST_NOTE = 500  # characters on one sample


@dataclass(frozen=True)
class Remark:
    """What a reviewer thinks of one training sample."""

    marked: bool = False
    note: str = ""


@dataclass(frozen=True)
class Journal:
    """History, remarks and decision of one review."""

    history: History = field(default_factory=History)
    remarks: Mapping[int, Remark] = field(default_factory=lambda: MappingProxyType({}))
    """By row of the training sample in the data set; who has nothing said of them is not in it."""
    decision: tuple[Decision, str] | None = None
    """What was decided, and the fingerprint of the head that it was said of."""

    def remark(self, row: int) -> Remark:
        """What was said of a sample."""
        return self.remarks.get(row, Remark())

    def remarked(self, row: int, remark: Remark) -> Journal:
        """The same journal with another remark on a sample; an empty one goes."""
        others = {r: said for r, said in self.remarks.items() if r != row}
        if remark != Remark():
            others[row] = replace(remark, note=remark.note.strip()[:LONGEST_NOTE])
        return replace(self, remarks=MappingProxyType(dict(sorted(others.items()))))
