"""What a visitor does in a review: put in force, taken back, left out, said and decided; each a line of its history."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.record.history import Decided, History
from app.record.journal import Remark
from app.record.variants import Variant, describe
from app.session.state.reviews import history, journal
from app.session.state.written import write
from fmd_core.figures import many

if TYPE_CHECKING:
    from fmd_core.report.evidence import Decision


NAMED_ROWS = 5  # samples that a line of the history names


def apply(variant: Variant, refusal: str = "") -> None:
    """Put a variant in force; `refusal` is why the guard refuses it, a clause, '' where it does not."""
    _remember(history().apply(variant, _now(), refusal))


def undo() -> None:
    """Take the last step back."""
    _remember(history().undo(_now()))


def redo() -> None:
    """Take a step that was undone again."""
    _remember(history().redo(_now()))


def back_to_original() -> None:
    """Return to the original model, bit for bit."""
    _remember(history().original(_now()))


def rename(variant: Variant, name: str) -> None:
    """Give a kept variant another name."""
    _remember(history().rename(variant, name, _now()))


def let_go(variant: Variant) -> None:
    """Take a variant off the list of those that are kept."""
    _remember(history().let_go(variant, _now()))


def veto(attribute: str, row: int, split: str) -> None:
    """Leave a pair out of everything, and say so in the history."""
    now = history().now
    after = replace(now, vetoes=tuple(sorted({*now.vetoes, (attribute, row)})))
    _do("left a pair out", f"{attribute}, pair {row} of the {split} part", after)


def take_back(attribute: str, row: int) -> None:
    """Let a pair that was left out count again."""
    now = history().now
    after = replace(now, vetoes=tuple(v for v in now.vetoes if v != (attribute, row)))
    _do("took a pair back", f"{attribute}, pair {row}", after)


def exclude(rows: Iterable[int], unit: str) -> None:
    """Say that the model should not have learned from these training samples, each called a `unit`."""
    now = history().now
    if new := sorted(set(rows) - set(now.excluded)):
        _do("excluded", _named(new, unit), replace(now, excluded=tuple(sorted((*now.excluded, *new)))))


def include(rows: Iterable[int], unit: str) -> None:
    """Let training samples that were excluded count again."""
    now, gone = history().now, set(rows)
    _do(
        "took back",
        _named(sorted(gone), unit),
        replace(now, excluded=tuple(r for r in now.excluded if r not in gone)),
    )


def remark(row: int) -> Remark:
    """What the reviewer said of a training sample."""
    return journal().remark(row)


def say(row: int, remark: Remark, unit: str) -> None:
    """Keep what the reviewer says of a training sample, which is called a `unit`."""
    told = ", ".join(
        [*(["marked"] if remark.marked else []), *([f"note: {remark.note}"] if remark.note else [])]
    )
    write(journal().remarked(row, remark), "said", f"training {unit} {row}: {told or 'nothing any more'}")


def decide(decision: Decision, head: str) -> None:
    """Keep what the reviewer decided and wrote, with the fingerprint of the head it was said of."""
    told = f"{decision.verdict or 'no decision'}, by {decision.reviewer or 'nobody named'}, about head {head[:16]}"
    write(replace(journal(), decision=(decision, head)), "decided", told)


def decision() -> tuple[Decision, str] | None:
    """What was decided in the review at hand, and of which head."""
    return journal().decision


def _remember(changed: History) -> None:
    if changed == history():
        return
    last = changed.log[-1]
    what = f"{last.note or describe(last.variant)}"
    if last.refusal:
        what += f"; applied although the guard refuses it: {last.refusal}"
    write(replace(journal(), history=changed), last.action, what)


def _do(action: str, note: str, after: Decided) -> None:
    _remember(history().done(action, after, _now(), note))


def _named(rows: list[int], unit: str) -> str:
    shown = ", ".join(map(str, rows[:NAMED_ROWS])) + (", …" if len(rows) > NAMED_ROWS else "")
    return f"training {unit if len(rows) == 1 else many(unit)} {shown}" + (
        f" ({len(rows)})" if len(rows) > 1 else ""
    )


def _now() -> datetime:
    return datetime.now(UTC)
