"""By what a verdict judges: limits, the good answer, and the groups that others are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from app.session import memory

if TYPE_CHECKING:
    from app.record.criteria import Criteria
    from fmd_core.measure.verdict.values import Limits


RATIO = 0.8  # least ratio of two groups' rates of the good answer, until another is chosen


def threshold() -> float:
    """The one limit as a share, chosen on Find bias; 10 points until then. Every kind of difference has it that has
    no limit of its own."""
    return float(memory.value("threshold", 10)) / 100


def limit_key(name: str) -> str:
    """Where a limit of its own is kept, in points, or the ratio."""
    return f"limit_{name}"


def limits() -> Limits:
    """From where on a difference counts, for each kind of difference."""
    from fmd_core.measure.verdict.values import Limits

    own = {name: memory.value(limit_key(name), None) for name in vars(Limits()) if name != "ratio"}
    shares = {name: threshold() if points is None else float(points) / 100 for name, points in own.items()}
    return Limits(**shares, ratio=float(memory.value(limit_key("ratio"), RATIO)))


def references() -> dict[str, str]:
    """The level that others are compared with, by attribute, where it is another than that of the data; '' for the
    group that fares best."""
    from app.record.criteria import read_references

    return read_references(memory.value("references", ""))


def compare_with(attribute: str, level: str, of_data: str) -> None:
    """Compare others with a level from now on; `of_data` is what they are compared with anyway."""
    from app.record.criteria import references_text

    chosen = references() | {attribute: level}
    if level == of_data:
        del chosen[attribute]
    memory.put("references", references_text(chosen))


def criteria() -> Criteria:
    """By what a verdict judges."""
    from app.record.criteria import Criteria

    return Criteria(limits(), str(memory.value("favourable", "")), tuple(sorted(references().items())))


def keep_criteria_within(classes: tuple[str, ...], levels: Mapping[str, tuple[str, ...]]) -> None:
    """Let go of a good answer and of references that these data do not have."""
    from app.record.criteria import references_text

    if memory.value("favourable", "") not in ("", *classes):
        memory.put("favourable", "")
    known = {a: level for a, level in references().items() if level in ("", *levels.get(a, ()))}
    known = {attribute: level for attribute, level in known.items() if attribute in levels}
    if known != references():
        memory.put("references", references_text(known))
