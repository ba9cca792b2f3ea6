"""What was done in a review, as a chain of hashes in which no entry can be changed unseen.

Each entry's hash covers the entry before it and the review as it then was; the review itself keeps
how many entries there are and the last hash. So a changed, removed, added or reordered entry and a
review changed behind the log's back are found by `check_chain`. The hashes have no secret: whoever
may write the whole database can also write a whole new chain, and is found only by a hash that was
handed out before, such as the one in a report.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

START = "0" * 64  # stands where the first entry names the one before it


@dataclass(frozen=True)
class LogEntry:
    """One step of a review, exactly as recorded, so that its hash can be computed again from it."""

    sequence: int  # 1 is the creation
    at: str  # ISO 8601 in UTC, with microseconds
    action: str
    detail: str
    content: str
    """What `content_digest` said of the review after this step."""
    previous: str
    """Hash of the entry before, START for the first."""
    hash: str


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


def entry_hash(
    review: str, sequence: int, *, at: str, action: str, detail: str, content: str, previous: str
) -> str:
    """SHA-256, in hexadecimal digits, over the canonical JSON of an entry. Never change what it covers:
    every log recorded so far would seem broken."""
    return _digest(
        {
            "previous": previous,
            "review": review,
            "sequence": sequence,
            "at": at,
            "action": action,
            "detail": detail,
            "content": content,
        }
    )


def content_digest(*, owner: str, data: str, model: str, state: str) -> str:
    """SHA-256, in hexadecimal digits, of a review: whose it is, of what, and its state's JSON text."""
    return _digest({"owner": owner, "data": data, "model": model, "state": state})


def _digest(fields: dict[str, object]) -> str:
    # Only a tampered row holds something else than text and numbers; null stands for it then, which
    # no recorded hash was made of.
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), default=lambda _: None)
    return hashlib.sha256(text.encode()).hexdigest()


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
    if not _as_recorded(review, last):
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
    previous = START
    for place, entry in enumerate(entries, start=1):
        if entry.sequence != place:
            return place, "an entry is missing or out of order here"
        if entry.previous != previous:
            return place, "it does not follow from the entry before it"
        if not _as_recorded(review, entry):
            return place, "it is not what was recorded"
        previous = entry.hash
    last = entries[-1] if entries else None
    why = fault_at_end(review, last, length=length, head=head, content=content)
    return (max(len(entries), 1), why) if why else (None, "")


def _as_recorded(review: str, entry: LogEntry) -> bool:
    said = {name: getattr(entry, name) for name in ("at", "action", "detail", "content", "previous")}
    return entry.hash == entry_hash(review, entry.sequence, **said)
