"""What was done in a review, as a chain of hashes in which no entry can be changed unseen.

Each entry's hash covers the entry before it and the review as it then was; the review itself keeps
how many entries there are and the last hash. So a changed, removed, added or reordered entry and a
review changed behind the log's back are found by `check_chain`. The hashes have no secret: whoever
may write the whole database can also write a whole new chain, and is found only by a hash that was
handed out before, such as the one in a report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fmd_core.report.log_chain import LogEntry, digest, first_fault, is_as_recorded


@dataclass(frozen=True)
class ChainCheck:
    """Whether a log is what was recorded."""

    intact: bool
    broken_at: int | None
    """Place in the log, from 1, of the first wrong entry, or of the last one when what is wrong comes
    after it; None when intact."""
    entries: int  # found
    head: str
    """The last hash, as the review keeps it: hand it out, and nobody can write a new chain unseen."""
    sentence: str


def content_digest(*, owner: str, data: str, model: str, state: str) -> str:
    """SHA-256, in hexadecimal digits, of a review: whose it is, of what, and its state's JSON text."""
    return digest({"owner": owner, "data": data, "model": model, "state": state})


def check_chain(
    review: str, entries: Sequence[LogEntry], *, length: int, head: str, content: str
) -> ChainCheck:
    """Whether `entries`, in the order of their sequence, are what was recorded for a review.

    `length`, `head` and `content` are what the review itself says: how many entries there are, the
    last one's hash, and the digest of what the review is now.
    """
    broken_at, why = _first_fault(review, entries, length, head, content)
    sentence = (
        f"The log of {len(entries)} {'entry' if len(entries) == 1 else 'entries'} is intact."
        if broken_at is None
        else f"The log is broken at entry {broken_at}: {why}."
    )
    return ChainCheck(broken_at is None, broken_at, len(entries), head, sentence)


def fault_at_end(review: str, last: LogEntry | None, *, length: int, head: str, content: str) -> str | None:
    """What is wrong with the end of a log, None when nothing is; arguments as in `check_chain`.

    Asked before every new entry: else the entry would vouch for what was changed before it.
    """
    if last is None:
        return "no entry is left"
    if not is_as_recorded(review, last):
        return "it is not what was recorded"
    if last.sequence != length:
        return f"it is the last one here, but the review counts {length}"
    if last.hash != head:
        return "the review knows another one as its last"
    if last.content != content:
        return "the review was changed after it without a record"
    return None


def _first_fault(
    review: str, entries: Sequence[LogEntry], length: int, head: str, content: str
) -> tuple[int | None, str]:
    if fault := first_fault(review, entries):
        return fault
    last = entries[-1] if entries else None
    why = fault_at_end(review, last, length=length, head=head, content=content)
    return (max(len(entries), 1), why) if why else (None, "")
